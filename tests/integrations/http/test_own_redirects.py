"""Sessions, transports, middlewares and pools that follow redirects themselves take no token to another host."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
import yarl
from requests.adapters import HTTPAdapter

from ramrole_creds import signing
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.urllib3 import SigningPool
from tests.integrations.http.test_foreign_transports import ACTION, FollowingSession, assert_unsigned

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud


def redirects(cloud: FakeCloud, stranger: FakeCloud, status: int = 307) -> str:
    """A URL that redirects to the other cloud."""
    cloud.faults.add("/old", "redirect", location=f"{stranger.url}/new", status=status)
    return cloud.url + "/old"


# --- requests --------------------------------------------------------------------------------------------------------


class SigningEachHop(FollowingSession):
    """Calls its auth for every hop."""

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        del response
        auth: Any = self.auth
        auth(prepared_request)


class PreparingEachHop(FollowingSession):
    """Hands its auth to every hop."""

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        del response
        prepared_request.prepare_auth(self.auth)


class CopyingHeaders(FollowingSession):
    """Takes the headers of the request before."""

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        prepared_request.headers.update(response.request.headers)


class ReplacingHeaders(FollowingSession):
    """Replaces the headers by those of the request before."""

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        prepared_request.headers = response.request.headers.copy()


class FollowingByCopies(requests.Session):
    """Follows redirects with copies of the request."""

    def send(self, request: Any, **options: Any) -> Any:
        response = super().send(request, **{**options, "allow_redirects": False})
        if "location" not in response.headers:
            return response
        hop = response.request.copy()
        hop.url = response.headers["location"]
        return super().send(hop.copy(), **{**options, "allow_redirects": False})


class FollowingAdapter(HTTPAdapter):
    """Follows redirects below the session."""

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        response = super().send(request, *args, **options)
        if "location" not in response.headers:
            return response
        hop = request.copy()
        hop.prepare_url(response.headers["location"], None)
        return super().send(hop, *args, **options)


def with_following_adapter() -> requests.Session:
    session = requests.Session()
    session.mount("http://", FollowingAdapter())
    return session


SESSIONS: dict[str, Callable[[], requests.Session]] = {
    "signs-each-hop": SigningEachHop,
    "prepares-each-hop": PreparingEachHop,
    "copies-headers": CopyingHeaders,
    "replaces-headers": ReplacingHeaders,
    "follows-by-copies": FollowingByCopies,
    "follows-in-adapter": with_following_adapter,
}


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("status", [302, 307])
def test_requests(session: str, status: int, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer) -> None:
    url = redirects(cloud, stranger, status)
    with SESSIONS[session]() as made:
        made.auth = RequestsAuth(signer)
        with contextlib.suppress(SigningError):  # raised where the session asks for a signature
            made.get(url, headers=ACTION, timeout=10)
    assert cloud.requests[0].header("authorization")
    assert_unsigned(stranger)


def test_a_session_that_signs_each_hop_itself_follows_within_the_host(cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("/old", "redirect", location="/new", status=307)
    with SigningEachHop() as session:
        session.auth = RequestsAuth(signer)
        answer = session.get(cloud.url + "/old", headers=ACTION, timeout=10)
    assert answer.status_code == 200, answer.text


def test_a_request_that_bob_signs_anew_is_repeated_as_bob(cloud: FakeCloud, provider: Any) -> None:
    """The service refuses Bob's clock. The repetition has Bob's token, although Alice signed the request before."""
    cloud.clock.advance(2 * 3600)
    bob = type(provider)(cloud)
    first = requests.Request("GET", cloud.url, ACTION, auth=RequestsAuth(signing.Signer(provider, signing.ACS3())))
    with requests.Session() as session:
        prepared = RequestsAuth(signing.Signer(bob, signing.ACS3()))(session.prepare_request(first))
        answer = session.send(prepared, timeout=10)
    assert answer.status_code == 200, answer.text
    assert [one.access_key_id for one in cloud.requests] == [bob.current.access_key_id] * 2


# --- httpx -----------------------------------------------------------------------------------------------------------


class FollowingTransport(httpx.BaseTransport):
    """Follows redirects below the client, with the request that it was given."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if "location" in response.headers:
            response.read()
            request.url = httpx.URL(response.headers["location"])
            request.headers["Host"] = request.url.netloc.decode()
            response = self._inner.handle_request(request)
        return response

    def close(self) -> None:
        self._inner.close()


def test_httpx_with_a_transport_that_follows(cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer) -> None:
    with httpx.Client(transport=FollowingTransport()) as client:
        client.get(redirects(cloud, stranger), headers=ACTION, auth=HttpxAuth(signer))
    assert cloud.requests[0].header("authorization")
    assert_unsigned(stranger)


def test_httpx_signs_no_next_request_that_leaves_the_host(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    with httpx.Client(auth=HttpxAuth(signer)) as client:
        answer = client.get(redirects(cloud, stranger), headers=ACTION)
        assert answer.next_request is not None
        with pytest.raises(SigningError, match="redirects to another host"):
            client.send(answer.next_request)
    assert len(stranger.requests) == 0


async def test_httpx_signs_no_next_request_that_leaves_the_host_asynchronously(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    async with httpx.AsyncClient(auth=HttpxAuth(signer)) as client:
        answer = await client.get(redirects(cloud, stranger), headers=ACTION)
        assert answer.next_request is not None
        with pytest.raises(SigningError, match="redirects to another host"):
            await client.send(answer.next_request)
    assert len(stranger.requests) == 0


def test_httpx_signs_a_next_request_within_the_host(cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("/old", "redirect", location="/new", status=307)
    with httpx.Client(auth=HttpxAuth(signer)) as client:
        answer = client.get(cloud.url + "/old", headers=ACTION)
        assert answer.next_request is not None
        answer = client.send(answer.next_request)
    assert answer.status_code == 200, answer.text


# --- aiohttp ---------------------------------------------------------------------------------------------------------


async def following(request: Any, handler: Any) -> Any:
    response = await handler(request)
    if "location" in response.headers:
        request.url = yarl.URL(response.headers["location"])
        response.release()
        response = await handler(request)
    return response


async def following_in_a_task(request: Any, handler: Any) -> Any:
    return await asyncio.create_task(following(request, handler))


@pytest.mark.parametrize("middleware", [following, following_in_a_task], ids=["follows", "follows-in-a-task"])
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
@pytest.mark.parametrize("scheme", [signing.ACS3, signing.RPC])
async def test_aiohttp_with_a_middleware_that_follows(
    middleware: Any, inside: bool, scheme: Any, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    auth = AiohttpAuth(signing.Signer(provider, scheme(), clock=cloud.clock))
    both = (auth, middleware) if inside else (middleware, auth)
    form = {"Action": "DescribeRegions", "Version": "2014-05-26"}
    async with aiohttp.ClientSession(middlewares=both) as session:
        with pytest.raises(SigningError, match="redirects to another host"):
            await session.post(redirects(cloud, stranger), data=form, headers=ACTION)
    assert len(stranger.requests) == 0


async def test_aiohttp_follows_within_the_host_by_a_middleware_behind_it(
    cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("/old", "redirect", location=f"{cloud.url}/old?x=1", status=307, times=1)
    async with aiohttp.ClientSession(middlewares=(AiohttpAuth(signer), following)) as session:
        await session.get(cloud.url + "/old", headers=ACTION)
    assert [one.request.target for one in cloud.requests] == ["/old", "/old?x=1"]


async def test_a_middleware_before_it_may_try_another_host(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    """A failover asks anew, with a call of its own: it is not a redirect."""

    async def failover(request: Any, handler: Any) -> Any:
        (await handler(request)).release()
        request.url = yarl.URL(stranger.url)
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(failover, AiohttpAuth(signer))) as session:
        await session.get(cloud.url, headers=ACTION)
    assert stranger.requests[0].header("authorization")


# --- urllib3 ---------------------------------------------------------------------------------------------------------


class OwnRetries(urllib3.PoolManager):
    """Decides about redirects and retries itself."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> Any:  # type: ignore[override]  # the pool's
        del redirect
        options["retries"] = urllib3.Retry(5, redirect=5, remove_headers_on_redirect=())
        return super().urlopen(method, url, redirect=True, **options)


class FollowingPool(urllib3.PoolManager):
    """Follows redirects by calls of its own."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> Any:  # type: ignore[override]  # the pool's
        response = super().urlopen(method, url, redirect=False, **options)
        target = response.get_redirect_location()
        return super().urlopen(method, target, redirect=redirect, **options) if target else response


class Wrapper:
    """Sends through a pool that it holds, and passes nothing on but the request."""

    def __init__(self) -> None:
        self._inner = urllib3.PoolManager()

    def urlopen(self, method: str, url: str, body: Any = None, headers: Any = None, **_: Any) -> Any:
        return self._inner.request(method, url, body=body, headers=headers)


@pytest.mark.parametrize("pool", [OwnRetries, FollowingPool, Wrapper], ids=["own-retries", "follows", "wrapper"])
@pytest.mark.parametrize("scheme", [signing.ACS3, signing.RPC])
@pytest.mark.parametrize("status", [302, 307])
def test_urllib3(
    pool: Any, scheme: Any, status: int, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:  # fmt: skip
    signer = signing.Signer(provider, scheme(), clock=cloud.clock)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with pytest.raises(SigningError, match="redirects to another host"):
        SigningPool(signer, pool()).request(
            "POST", redirects(cloud, stranger, status), b"Action=A&Version=V", {**ACTION, **form}
        )
    assert len(cloud.requests) == 1
    assert len(stranger.requests) == 0


def test_urllib3_through_a_proxy(cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer) -> None:
    """A proxy for plain http gets the whole request, and the Host once."""
    pool = SigningPool(signer, urllib3.ProxyManager(cloud.url))
    cloud.faults.add("/within", "redirect", location="/new", status=307)
    assert pool.request("GET", f"{cloud.url}/within", headers=ACTION).status == 200
    assert pool.request("GET", redirects(cloud, stranger), headers=ACTION).status == 307
    assert len(stranger.requests) == 0


def test_a_pool_of_urllib3_still_sends_the_requests_of_others_everywhere(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    pool = OwnRetries()
    SigningPool(signer, pool).request("GET", cloud.url, headers=ACTION)
    assert pool.request("GET", redirects(cloud, stranger)).status
    assert len(stranger.requests) == 1
    assert_unsigned(stranger)


# --- two identities --------------------------------------------------------------------------------------------------

ROUNDS = 6


def by_requests(auths: list[signing.Signer], urls: list[str]) -> None:
    with requests.Session() as session:

        def call(index: int) -> None:
            auth = RequestsAuth(auths[index % 2])
            session.get(urls[index % 2], headers=ACTION, auth=auth, allow_redirects=index % 3 == 0, timeout=10)

        _in_threads(call)


def by_httpx(auths: list[signing.Signer], urls: list[str]) -> None:
    with httpx.Client() as client:

        def call(index: int) -> None:
            auth = HttpxAuth(auths[index % 2])
            with contextlib.suppress(SigningError):
                client.get(urls[index % 2], headers=ACTION, auth=auth, follow_redirects=index % 3 == 0)

        _in_threads(call)


def by_urllib3(auths: list[signing.Signer], urls: list[str]) -> None:
    pool = urllib3.PoolManager()
    _in_threads(
        lambda index: SigningPool(auths[index % 2], pool).request(
            "GET", urls[index % 2], headers=ACTION, redirect=index % 3 == 0
        )
    )


def by_aiohttp(auths: list[signing.Signer], urls: list[str]) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:

            async def call(index: int) -> None:
                auth = AiohttpAuth(auths[index % 2])
                with contextlib.suppress(SigningError):
                    await session.get(
                        urls[index % 2], headers=ACTION, allow_redirects=index % 3 == 0, middlewares=(auth,)
                    )

            await asyncio.gather(*[call(index) for index in range(ROUNDS)])

    asyncio.run(run())


def by_httpx_async(auths: list[signing.Signer], urls: list[str]) -> None:
    async def run() -> None:
        async with httpx.AsyncClient() as client:

            async def call(index: int) -> None:
                auth = HttpxAuth(auths[index % 2])
                with contextlib.suppress(SigningError):
                    await client.get(urls[index % 2], headers=ACTION, auth=auth, follow_redirects=index % 3 == 0)

            await asyncio.gather(*[call(index) for index in range(ROUNDS)])

    asyncio.run(run())


def _in_threads(call: Callable[[int], object]) -> None:
    together = threading.Barrier(2)

    def run(index: int) -> None:
        together.wait(10)
        call(index)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(ROUNDS)))


@pytest.mark.parametrize("send", [by_requests, by_httpx, by_httpx_async, by_aiohttp, by_urllib3])
def test_two_identities_that_share_a_session_are_kept_apart(
    send: Callable[[list[signing.Signer], list[str]], None], cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    """Alice calls one cloud and Bob the other, at the same time. Each is redirected to the cloud of the other."""
    theirs = type(provider)(stranger)
    alice = signing.Signer(provider, signing.ACS3(), clock=cloud.clock)
    bob = signing.Signer(theirs, signing.ACS3(), clock=stranger.clock)
    cloud.faults.add("/old", "redirect", location=f"{stranger.url}/new", status=307, times=ROUNDS)
    stranger.faults.add("/old", "redirect", location=f"{cloud.url}/new", status=307, times=ROUNDS)

    send([alice, bob], [cloud.url + "/old", stranger.url + "/old"])

    assert {one.header("x-acs-security-token") for one in cloud.requests} == {provider.current.security_token}
    assert {one.header("x-acs-security-token") for one in stranger.requests} == {theirs.current.security_token}
