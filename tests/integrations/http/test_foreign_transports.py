"""Transports, adapters, middlewares and pools of others: none of them carries token or signature to another host."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from ramrole_creds import signing
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.urllib3 import SigningPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ramrole_creds.testing import FakeCloud

ACTION = {"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26"}
SIGNATURE_HEADERS = ("authorization", "x-acs-security-token", "x-acs-signature-nonce")


# --- httpx -----------------------------------------------------------------------------------------------------------


class Urllib3Transport(httpx.BaseTransport):
    """Sends with urllib3, and knows nothing of httpcore's trace."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.urlopen(
            request.method, str(request.url), body=request.read(), headers=dict(request.headers),
            redirect=False, retries=False,
        )  # fmt: skip
        return httpx.Response(answer.status, headers=list(answer.headers.items()), content=answer.data)

    def close(self) -> None:
        self._pool.clear()


class RebuildingTransport(httpx.BaseTransport):
    """Sends a request of its own, without extensions."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        rebuilt = httpx.Request(request.method, request.url, headers=request.headers, stream=request.stream)
        return self._inner.handle_request(rebuilt)

    def close(self) -> None:
        self._inner.close()


class StrippingTransport(RebuildingTransport):
    """Removes the extensions from the request itself."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {}
        return self._inner.handle_request(request)


class RetryingTransport(RebuildingTransport):
    """Sends every request twice."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        super().handle_request(request).read()
        return super().handle_request(request)


def mock_transport() -> httpx.MockTransport:
    """Answers from a handler that reaches the network by other means."""
    inner = Urllib3Transport()
    return httpx.MockTransport(inner.handle_request)


class AsyncStripping(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends with aiohttp."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, str(request.url), data=await request.aread(), headers=request.headers.multi_items(),
                allow_redirects=False, skip_auto_headers=("Content-Type",),
            ) as answer,
        ):  # fmt: skip
            return httpx.Response(answer.status, headers=list(answer.headers.items()), content=await answer.read())


class ThreadTransport(httpx.AsyncBaseTransport):
    """Sends in a thread."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        with contextlib.closing(Urllib3Transport()) as inner:
            return await asyncio.to_thread(inner.handle_request, request)


def async_mock() -> httpx.MockTransport:
    return httpx.MockTransport(ThreadTransport().handle_async_request)


SYNC_TRANSPORTS: dict[str, Callable[[], httpx.BaseTransport]] = {
    "urllib3": Urllib3Transport,
    "rebuilding": RebuildingTransport,
    "stripping": StrippingTransport,
    "retrying": RetryingTransport,
    "mock": mock_transport,
}
ASYNC_TRANSPORTS: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
    "aiohttp": AiohttpTransport,
    "async-stripping": AsyncStripping,
    "thread": ThreadTransport,
    "async-mock": async_mock,
}
Post = Any


def post_sync(transport: str, url: str, auth: HttpxAuth, **options: Any) -> httpx.Response:
    with httpx.Client(transport=SYNC_TRANSPORTS[transport](), follow_redirects=True, **options) as client:
        return client.post(url, content=b"{}", headers=ACTION, auth=auth)


def post_async(transport: str, url: str, auth: HttpxAuth, **options: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        made = ASYNC_TRANSPORTS[transport]()
        async with httpx.AsyncClient(transport=made, follow_redirects=True, **options) as client:
            return await client.post(url, content=b"{}", headers=ACTION, auth=auth)

    return asyncio.run(send())


def post(transport: str, url: str, auth: HttpxAuth, **options: Any) -> httpx.Response:
    call = post_sync if transport in SYNC_TRANSPORTS else post_async
    return call(transport, url, auth, **options)


EVERY_TRANSPORT = pytest.mark.parametrize("transport", [*SYNC_TRANSPORTS, *ASYNC_TRANSPORTS])


@EVERY_TRANSPORT
@pytest.mark.parametrize("status", [302, 307])
def test_httpx_takes_no_token_to_another_host(
    transport: str, status: int, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=status)

    post(transport, cloud.url + "/old", HttpxAuth(signer, hosts=f"127.0.0.1:{cloud.port}"))

    assert_unsigned(stranger)
    assert all(one.header("authorization") for one in cloud.requests)


@pytest.mark.parametrize("transport", sorted({*SYNC_TRANSPORTS, *ASYNC_TRANSPORTS} - {"retrying"}))
def test_httpx_signs_a_hop_within_the_host_after_it_was_rejected(
    transport: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new", status=307)

    answer = post(transport, cloud.url + "/old", HttpxAuth(signer))

    assert answer.status_code == 200, answer.text
    assert [one.path for one in cloud.requests][-1] == "/new"
    assert cloud.requests[-1].request.body == b"{}"


@pytest.mark.parametrize("hooked", ["replaced", "mutated"])
@pytest.mark.parametrize("transport", ["urllib3", "aiohttp"])
def test_httpx_takes_no_token_to_another_host_behind_an_event_hook(
    transport: str, hooked: str, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    """A hook that rewrites a request must not give its redirects the signature back."""
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=307)

    def hook(request: httpx.Request) -> None:
        if hooked == "replaced":
            request.url = httpx.URL(str(request.url))
            request.headers = httpx.Headers({**request.headers, "X-Hooked": "yes"})
        else:
            request.headers["X-Hooked"] = "yes"

    async def async_hook(request: httpx.Request) -> None:
        hook(request)

    hooks = {"request": [hook if transport in SYNC_TRANSPORTS else async_hook]}
    post(transport, cloud.url + "/old", HttpxAuth(signer), event_hooks=hooks)

    assert cloud.requests[0].header("x-hooked") == "yes"
    assert_unsigned(stranger)


@pytest.mark.parametrize("transport", ["urllib3", "aiohttp"])
def test_httpx_signs_nothing_that_a_hook_sends_elsewhere(
    transport: str, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    def hook(request: httpx.Request) -> None:
        request.url = httpx.URL(stranger.url + "/")

    async def async_hook(request: httpx.Request) -> None:
        hook(request)

    hooks = {"request": [hook if transport in SYNC_TRANSPORTS else async_hook]}
    post(transport, cloud.url + "/", HttpxAuth(signer), event_hooks=hooks)

    assert_unsigned(stranger)


def test_httpx_sends_no_token_in_a_form_that_a_hook_sends_elsewhere(
    cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    def hook(request: httpx.Request) -> None:
        request.url = httpx.URL(stranger.url + "/")

    auth = HttpxAuth(signing.Signer(provider, signing.RPC(), clock=cloud.clock))
    form = {"Action": "DescribeRegions", "Version": "2014-05-26"}
    with httpx.Client(transport=Urllib3Transport(), event_hooks={"request": [hook]}) as client:
        client.post(cloud.url + "/", data=form, auth=auth)
    (arrived,) = stranger.requests
    assert arrived.request.body == b"Action=DescribeRegions&Version=2014-05-26"


def test_httpx_keeps_the_signature_in_what_it_shows_of_a_sent_request(cloud: FakeCloud, signer: signing.Signer) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.get(cloud.url + "/", headers=ACTION, auth=HttpxAuth(signer))
    assert answer.request.headers["authorization"] == cloud.requests[0].header("authorization")


def test_httpx_builds_the_next_request_unsigned_where_redirects_are_not_followed(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("GET /old", "redirect", location=f"{stranger.url}/new", status=302)
    with httpx.Client(trust_env=False) as client:
        answer = client.get(cloud.url + "/old", headers=ACTION, auth=HttpxAuth(signer))
        assert answer.status_code == 302
        assert answer.next_request is not None
        client.send(answer.next_request)
    assert_unsigned(stranger)


def test_httpx_of_another_build_that_keeps_the_signature_is_refused(
    signer: signing.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An httpx that built a hop in another way would be noticed before anything is signed."""
    from ramrole_creds.integrations._httpx_request import require_withdrawal

    def build(_: Any, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        return httpx.Request(request.method, response.headers["Location"], headers=request.headers)

    monkeypatch.setattr(httpx.Client, "_build_redirect_request", build)
    require_withdrawal.cache_clear()  # as in a new process
    sent: list[httpx.Request] = []
    transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))  # type: ignore[func-returns-value]  # a list's
    with (
        httpx.Client(transport=transport) as client,
        pytest.raises(Exception, match="would send signature and token on"),
    ):
        client.get("http://h/", headers=ACTION, auth=HttpxAuth(signer))
    require_withdrawal.cache_clear()  # for the tests that follow
    assert not sent


# --- requests --------------------------------------------------------------------------------------------------------


class RebuildingAdapter(HTTPAdapter):
    """Sends a request of its own."""

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        rebuilt = requests.PreparedRequest()
        rebuilt.prepare(request.method, request.url, dict(request.headers), data=request.body)
        return super().send(rebuilt, *args, **options)


class CopyingAdapter(HTTPAdapter):
    """Sends a copy."""

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        return super().send(request.copy(), *args, **options)


class Urllib3Adapter(BaseAdapter):
    """Knows nothing of the HTTPAdapter of requests, and leaves no connection on the response."""

    def send(self, request: Any, *_: Any, **__: Any) -> Any:
        with urllib3.PoolManager() as pool:
            answer = pool.urlopen(
                request.method, request.url, body=request.body, headers=dict(request.headers),
                redirect=False, retries=False, preload_content=True,
            )  # fmt: skip
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status, request.url, request
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.data)
        return response

    def close(self) -> None:
        pass


class RetryingAdapter(HTTPAdapter):
    """Sends every request twice."""

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        super().send(request, *args, **options).close()
        return super().send(request, *args, **options)


ADAPTERS: dict[str, Callable[[], BaseAdapter]] = {
    "plain": HTTPAdapter,
    "rebuilding": RebuildingAdapter,
    "copying": CopyingAdapter,
    "urllib3": Urllib3Adapter,
    "retrying": RetryingAdapter,
}


def replacing(response: requests.Response, **_: Any) -> requests.Response:
    """A response hook that passes on a copy, as one that decompresses or decrypts might."""
    copied = requests.Response()
    copied.__dict__.update(response.__dict__)
    return copied


def session_with(adapter: str) -> requests.Session:
    session = requests.Session()
    session.mount("http://", ADAPTERS[adapter]())
    return session


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("hooks", [{}, {"response": replacing}], ids=["no-hook", "replacing-hook"])
@pytest.mark.parametrize("status", [302, 307])
def test_requests_takes_no_token_to_another_host(
    adapter: str, hooks: Any, status: int, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=status)
    with session_with(adapter) as session:
        auth = RequestsAuth(signer, hosts=f"127.0.0.1:{cloud.port}")
        session.post(cloud.url + "/old", b"{}", headers=ACTION, auth=auth, hooks=hooks, timeout=10)
    assert_unsigned(stranger)
    assert cloud.requests[0].header("authorization")


@pytest.mark.parametrize("adapter", ["rebuilding", "copying", "urllib3"])
def test_requests_signs_a_hop_within_the_host_through_any_adapter(
    adapter: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new", status=307)
    with session_with(adapter) as session:
        answer = session.post(cloud.url + "/old", b"{}", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code == 200, answer.text
    assert [one.path for one in cloud.requests] == ["/old", "/new"]


@pytest.mark.parametrize("status", [307, 308])
def test_requests_takes_no_token_in_a_form_to_another_host(
    status: int, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    """RPC has token and signature in the form, which a session sends again after a 307."""
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=status)
    form = {"Action": "DescribeRegions", "Version": "2014-05-26"}
    with FollowingSession() as session:
        session.post(cloud.url + "/old", form, auth=RequestsAuth(signer), timeout=10)
    assert provider.current.security_token
    (arrived,) = stranger.requests
    assert arrived.request.body == b"Action=DescribeRegions&Version=2014-05-26"


class FollowingSession(requests.Session):
    """Follows whatever has a Location, as sessions of some test tools and scrapers do."""

    def get_redirect_target(self, resp: Any) -> Any:
        return resp.headers.get("location")


def test_requests_takes_no_token_to_another_host_in_a_session_that_follows_everything(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("GET /old", "redirect", location=f"{stranger.url}/new", status=302)
    with FollowingSession() as session:
        session.get(cloud.url + "/old", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert len(stranger.requests) == 1
    assert_unsigned(stranger)


def test_requests_signs_nothing_that_an_adapter_sends_elsewhere(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    class Mapping(HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            request.url = request.url.replace(cloud.url, stranger.url)
            return super().send(request, *args, **options)

    with requests.Session() as session:
        session.mount("http://", Mapping())
        session.get(cloud.url + "/", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert len(stranger.requests) == 1
    assert_unsigned(stranger)


# --- aiohttp ---------------------------------------------------------------------------------------------------------


async def in_a_task(request: Any, handler: Any) -> Any:
    return await asyncio.create_task(handler(request))


async def shielded(request: Any, handler: Any) -> Any:
    return await asyncio.shield(handler(request))


async def with_a_timeout(request: Any, handler: Any) -> Any:
    return await asyncio.wait_for(handler(request), 10)


async def gathered(request: Any, handler: Any) -> Any:
    return (await asyncio.gather(handler(request)))[0]


async def retrying(request: Any, handler: Any) -> Any:
    (await handler(request)).release()
    return await handler(request)


async def copying_the_context(request: Any, handler: Any) -> Any:
    import contextvars

    return await contextvars.Context().run(asyncio.ensure_future, handler(request))


MIDDLEWARES: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "task": in_a_task,
    "shield": shielded,
    "timeout": with_a_timeout,
    "gather": gathered,
    "retrying": retrying,
    "empty-context": copying_the_context,
}
EVERY_MIDDLEWARE = pytest.mark.parametrize("middleware", MIDDLEWARES)


@EVERY_MIDDLEWARE
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
async def test_aiohttp_takes_no_token_to_another_host(
    middleware: str, inside: bool, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=307)
    both: Any = [MIDDLEWARES[middleware], AiohttpAuth(signer)]
    async with aiohttp.ClientSession(middlewares=both[:: -1 if inside else 1]) as session:
        with pytest.raises(SigningError, match="redirects to another host"):
            await session.post(cloud.url + "/old", data=b"{}", headers=ACTION)
    assert len(stranger.requests) == 0


@EVERY_MIDDLEWARE
async def test_aiohttp_signs_a_hop_within_the_host_behind_any_middleware(
    middleware: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new", status=307)
    both: Any = (MIDDLEWARES[middleware], AiohttpAuth(signer))
    async with (
        aiohttp.ClientSession(middlewares=both) as session,
        session.post(cloud.url + "/old", data=b"{}", headers=ACTION) as answer,
    ):
        assert answer.status == 200, await answer.text()
    assert cloud.requests[-1].path == "/new"


@EVERY_MIDDLEWARE
async def test_one_call_of_aiohttp_never_answers_for_another(
    middleware: str, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    """Alice's call ends with a redirect that she does not follow. Bob then calls its target as himself."""
    alice = signing.Signer(provider, signing.ACS3(), clock=cloud.clock)
    theirs = type(provider)(stranger)
    bob = signing.Signer(theirs, signing.ACS3(), clock=stranger.clock)
    cloud.faults.add("GET /old", "redirect", location=f"{stranger.url}/new", status=302)
    outer: Any = MIDDLEWARES[middleware]
    async with aiohttp.ClientSession() as session:
        await session.get(
            cloud.url + "/old", headers=ACTION, allow_redirects=False, middlewares=(outer, AiohttpAuth(alice))
        )
        async with session.get(
            stranger.url + "/new", headers=ACTION, middlewares=(outer, AiohttpAuth(bob))
        ) as answer:  # fmt: skip
            assert answer.status == 200, await answer.text()
    assert {one.access_key_id for one in stranger.requests} == {theirs.current.access_key_id}


async def test_two_auths_of_one_call_of_aiohttp_are_kept_apart(
    cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    """Each keeps to the host of the call: the second must not sign a hop that the first would refuse."""
    one = AiohttpAuth(signing.Signer(provider, signing.ACS3(), clock=cloud.clock))
    other = AiohttpAuth(signing.Signer(provider, signing.ROA(), clock=cloud.clock))
    cloud.faults.add("GET /old", "redirect", location=f"{stranger.url}/new", status=302)
    async with aiohttp.ClientSession(middlewares=(in_a_task, one, other)) as session:
        with pytest.raises(SigningError, match="redirects to another host"):
            await session.get(cloud.url + "/old", headers=ACTION)
    assert len(stranger.requests) == 0


async def test_an_aiohttp_whose_requests_cannot_be_linked_is_refused(cloud: FakeCloud, signer: signing.Signer) -> None:
    async def unlink(request: Any, handler: Any) -> Any:
        del request._traces  # noqa: SLF001  # as a later version may
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(unlink, AiohttpAuth(signer))) as session:
        with pytest.raises(Exception, match=r"ClientRequest has no attribute _traces.*pin aiohttp=="):
            await session.get(cloud.url + "/", headers=ACTION)
    assert len(cloud.requests) == 0


# --- urllib3 ---------------------------------------------------------------------------------------------------------


class InsistentPool(urllib3.PoolManager):
    """Follows redirects, whatever it is asked to do."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> Any:  # type: ignore[override]  # the pool's
        del redirect
        return super().urlopen(method, url, redirect=True, **options)


class WrappedPool:
    """Sends through a pool that it holds."""

    def __init__(self) -> None:
        self._inner = urllib3.PoolManager(retries=urllib3.Retry(5))

    def urlopen(self, *args: Any, **options: Any) -> Any:
        return self._inner.urlopen(*args, **options)


class RetryingPool(urllib3.PoolManager):
    """Sends every request twice."""

    def urlopen(self, *args: Any, **options: Any) -> Any:
        super().urlopen(*args, **options).drain_conn()
        return super().urlopen(*args, **options)


POOLS: dict[str, Callable[[], Any]] = {
    "plain": urllib3.PoolManager,
    "insistent": InsistentPool,
    "wrapped": WrappedPool,
    "retrying": RetryingPool,
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("status", [303, 307])
def test_urllib3_takes_no_token_to_another_host(
    pool: str, status: int, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location=f"{stranger.url}/new", status=status)
    signing_pool = SigningPool(signer, POOLS[pool](), hosts=f"127.0.0.1:{cloud.port}")

    answer = signing_pool.request("POST", cloud.url + "/old", b"{}", ACTION)

    assert answer.status == status
    assert len(stranger.requests) == 0


@pytest.mark.parametrize("pool", ["plain", "insistent", "wrapped"])
def test_urllib3_signs_a_hop_within_the_host_through_any_pool(
    pool: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new", status=307)

    answer = SigningPool(signer, POOLS[pool]()).request("POST", cloud.url + "/old", b"{}", ACTION)

    assert answer.status == 200, answer.data
    assert cloud.requests[-1].path == "/new"


def assert_unsigned(cloud: FakeCloud) -> None:
    for one in cloud.requests:
        assert not [name for name in SIGNATURE_HEADERS if one.header(name)]
