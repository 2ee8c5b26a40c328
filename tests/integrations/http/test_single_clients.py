"""What only one of the HTTP clients can get wrong."""

from __future__ import annotations

import asyncio
import io
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.test_utils
import aiohttp.web
import httpcore
import httpx
import pytest
import requests
import urllib3

from ramrole_creds import ConfigurationError, StaticProvider, signing
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.urllib3 import SigningPool

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.testing import FakeCloud

ACTION = {"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26"}


def test_netrc_takes_the_place_of_no_signature(
    cloud: FakeCloud, signer: signing.Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password PASSWORD\n")
    monkeypatch.setenv("NETRC", str(netrc))
    cloud.faults.add("GET /old", "redirect", location="/new", status=302)
    answer = requests.get(cloud.url + "/old", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code == 200
    assert [str(one.header("authorization"))[:4] for one in cloud.requests] == ["ACS3", "ACS3"]
    assert [one.status_code for one in answer.history] == [302]


def test_history_of_a_redirect_shows_what_was_sent(cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("GET /old", "redirect", location="/new", status=302)
    answer = requests.get(cloud.url + "/old", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert answer.history[0].request.headers["Authorization"] == cloud.requests[0].header("authorization")
    assert answer.request.headers["Authorization"] == cloud.requests[1].header("authorization")


def test_a_chain_of_redirects_is_signed_hop_by_hop(cloud: FakeCloud, signer: signing.Signer, provider: Any) -> None:
    for number in range(3):
        cloud.faults.add(f"POST /{number}", "redirect", location=f"/{number + 1}", status=307)
    cloud.clock.advance(hours=2)  # and the token has expired on the way
    answer = requests.post(cloud.url + "/0", b"{}", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code == 200
    assert [one.status for one in cloud.requests] == [307, 307, 307, 400, 200]
    assert len(provider.refreshed) == 1


def test_an_auth_on_a_session_signs_every_request_for_its_own_host(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    with requests.Session() as session:
        session.auth = RequestsAuth(signer)
        assert session.get(cloud.url + "/", headers=ACTION, timeout=10).status_code == 200
        session.get(stranger.url + "/", headers=ACTION, timeout=10)
    assert cloud.requests[0].header("host") != stranger.requests[0].header("host")
    assert cloud.requests[0].header("x-acs-signature-nonce") != stranger.requests[0].header("x-acs-signature-nonce")


def test_a_streamed_answer_is_left_unread(cloud: FakeCloud, signer: signing.Signer) -> None:
    answer = requests.get(cloud.url + "/", headers=ACTION, auth=RequestsAuth(signer), stream=True, timeout=10)
    assert b"".join(answer.iter_content(7)).startswith(b"{")


def test_urllib3_retries_are_signed_anew(cloud: FakeCloud, signer: signing.Signer) -> None:
    from urllib3 import Retry

    cloud.faults.add("*", "reset", times=1)
    cloud.faults.add("*", 503, times=1)
    retries = Retry(3, status_forcelist=[503], backoff_factor=0)
    answer = SigningPool(signer).request("GET", cloud.url + "/", headers=ACTION, retries=retries)
    assert answer.status == 200
    assert len({one.header("x-acs-signature-nonce") for one in cloud.requests}) == 3


def test_urllib3_retries_as_its_pool_says(cloud: FakeCloud, signer: signing.Signer) -> None:
    from urllib3 import PoolManager, Retry

    cloud.faults.add("*", 503, times=2)
    pool = PoolManager(retries=Retry(3, allowed_methods=None, status_forcelist=[503], backoff_factor=0))
    assert SigningPool(signer, pool).request("POST", cloud.url + "/", headers=ACTION).status == 200
    assert len({one.header("x-acs-signature-nonce") for one in cloud.requests}) == 3


def test_urllib3_gives_up_when_retries_are_used_up(cloud: FakeCloud, signer: signing.Signer) -> None:
    from urllib3 import Retry
    from urllib3.exceptions import MaxRetryError

    cloud.faults.add("GET /loop", "redirect", location="/loop", status=302)
    with pytest.raises(MaxRetryError):
        SigningPool(signer).request("GET", cloud.url + "/loop", headers=ACTION, retries=Retry(3))
    assert len(cloud.requests) == 4


@pytest.mark.may_leak  # the token of an RPC request is in its URL, which urllib3 writes into its log
def test_urllib3_fields_become_a_query_or_a_form(cloud: FakeCloud, provider: Any) -> None:
    pool = SigningPool(signing.Signer(provider, signing.RPC(), clock=cloud.clock))
    fields = {"Action": "DescribeRegions", "Version": "2014-05-26", "Name": "a b+c"}
    assert pool.request("POST", cloud.url + "/", fields=fields).status == 200
    assert dict(cloud.requests[0].request.form).items() >= fields.items()


class Slow:
    """A provider that only knows how to block."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        time.sleep(0.3)
        return self._credentials


@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
async def test_a_slow_provider_does_not_stall_the_loop(client: str, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(Slow(provider.current), signing.ACS3(), clock=cloud.clock)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    assert await _get(client, signer, cloud.url) == 200
    ticking.cancel()
    assert ticks >= 10, "the loop stood still while credentials were fetched"


@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
async def test_many_requests_at_once_are_each_of_one_fetch(client: str, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.ACS3(), clock=cloud.clock)
    cloud.clock.advance(hours=2)
    assert await asyncio.gather(*(_get(client, signer, cloud.url) for _ in range(20))) == [200] * 20


async def _get(client: str, signer: signing.Signer, url: str) -> int:
    if client == "httpx":
        import httpx

        async with httpx.AsyncClient(auth=HttpxAuth(signer), trust_env=False) as session:
            return (await session.get(url + "/", headers=ACTION)).status_code
    import aiohttp

    async with (
        aiohttp.ClientSession(middlewares=(AiohttpAuth(signer),)) as http,
        http.get(url + "/", headers=ACTION) as answer,
    ):
        return answer.status


def test_a_file_is_hashed_whole_for_the_next_hop_too(cloud: FakeCloud, signer: signing.Signer) -> None:
    cloud.faults.add("POST /old", "redirect", location="/new", status=307)
    file = io.BytesIO(b"skipped" + b"x" * 100)
    file.seek(7)
    answer = requests.post(cloud.url + "/old", file, headers=ACTION, auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code == 200, answer.text
    assert [one.request.body for one in cloud.requests] == [b"x" * 100] * 2


@pytest.mark.parametrize(("header", "userinfo"), [("Location", "user:word@"), ("URI", ""), ("URI", "user:word@")])
def test_aiohttp_signs_for_no_other_host_however_the_redirect_is_written(
    header: str, userinfo: str, stranger: FakeCloud, signer: signing.Signer
) -> None:
    location = stranger.url.replace("://", f"://{userinfo}") + "/new"

    async def redirect(_: aiohttp.web.BaseRequest) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=302, headers={header: location})

    async def call() -> None:
        async with (
            aiohttp.test_utils.RawTestServer(redirect) as server,
            aiohttp.ClientSession(middlewares=(AiohttpAuth(signer),)) as session,
        ):
            await session.get(server.make_url("/old"), headers=ACTION)

    with pytest.raises(SigningError, match="redirects to another host"):
        asyncio.run(call())
    assert len(stranger.requests) == 0


class Downgrading(httpx.BaseTransport):
    """Redirects from https to http, and reports what it is about to send, as httpx's own transport does."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        wire = httpcore.Request(request.method, str(request.url), headers=request.headers.raw)
        request.extensions["trace"]("http11.send_request_headers.started", {"request": wire})
        self.sent.append(request.url.scheme)
        return httpx.Response(302, headers={"Location": "http://api.example.com/"})


def test_httpx_signs_nothing_that_a_redirect_takes_from_https_to_http(signer: signing.Signer) -> None:
    transport = Downgrading()
    with (
        httpx.Client(transport=transport, follow_redirects=True, auth=HttpxAuth(signer)) as client,
        pytest.raises(SigningError, match="from https to http"),
    ):
        client.get("https://api.example.com/")
    assert transport.sent == ["https"]


def test_a_provider_in_place_of_a_signer_is_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"not StaticProvider: write Signer\(provider, signing\.ACS3\(\)\)"):
        RequestsAuth(StaticProvider("LTAI", "secret"))  # type: ignore[arg-type]  # a beginner's mistake


def test_a_service_that_rejects_every_token_does_not_cost_a_fetch_per_request(
    cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    unknown_here = type(provider)(stranger)
    auth = RequestsAuth(signing.Signer(unknown_here, signing.ACS3(), clock=cloud.clock))
    with requests.Session() as session:
        for _ in range(5):
            assert session.get(cloud.url + "/", headers=ACTION, auth=auth, timeout=10).status_code == 404
        assert len(unknown_here.refreshed) == 1
        cloud.clock.advance(seconds=6)
        for _ in range(5):
            session.get(cloud.url + "/", headers=ACTION, auth=auth, timeout=10)
    assert len(unknown_here.refreshed) == 2


@pytest.mark.parametrize("same", [False, True], ids=["new-tokens", "the-same-again"])
def test_a_new_auth_for_each_request_does_not_cost_a_fetch_per_request_either(
    same: bool, cloud: FakeCloud, stranger: FakeCloud, provider: Any
) -> None:
    unknown_here = type(provider)(stranger)
    unknown_here.can_refresh = not same
    signer = signing.Signer(unknown_here, signing.ACS3(), clock=cloud.clock)
    for _ in range(5):
        requests.get(cloud.url + "/", headers=ACTION, auth=RequestsAuth(signer), timeout=10)
        SigningPool(signer).request("GET", cloud.url + "/", headers=ACTION)
        httpx.get(cloud.url + "/", headers=ACTION, auth=HttpxAuth(signer))
    assert len(unknown_here.refreshed) == 1


class Repeating:
    """Sends the first request twice, as a retry below the helper does after an answer was lost."""

    def __init__(self) -> None:
        self.repeated = False

    def take(self) -> bool:
        first, self.repeated = not self.repeated, True
        return first


def repeat_with_requests(signer: signing.Signer, url: str) -> int:
    class Adapter(requests.adapters.HTTPAdapter):
        once = Repeating()

        def send(self, *args: Any, **options: Any) -> Any:
            if self.once.take():
                super().send(*args, **options).close()
            return super().send(*args, **options)

    with requests.Session() as session:
        session.mount("http://", Adapter())
        return session.post(url, b"{}", headers=ACTION, auth=RequestsAuth(signer), timeout=10).status_code


def repeat_with_httpx(signer: signing.Signer, url: str) -> int:
    class Transport(httpx.HTTPTransport):
        once = Repeating()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.once.take():
                super().handle_request(request).read()
            return super().handle_request(request)

    with httpx.Client(transport=Transport()) as client:
        return client.post(url, content=b"{}", headers=ACTION, auth=HttpxAuth(signer)).status_code


def repeat_with_aiohttp(signer: signing.Signer, url: str) -> int:
    once = Repeating()

    async def repeat(request: Any, handler: Any) -> Any:
        if once.take():
            (await handler(request)).release()
        return await handler(request)

    async def send() -> int:
        async with (
            aiohttp.ClientSession(middlewares=(AiohttpAuth(signer), repeat)) as session,
            session.post(url, data=b"{}", headers=ACTION) as answer,
        ):
            return answer.status

    return asyncio.run(send())


def repeat_with_urllib3(signer: signing.Signer, url: str) -> int:
    class Pool(urllib3.PoolManager):
        once = Repeating()

        def urlopen(self, *args: Any, **options: Any) -> Any:
            if self.once.take():
                super().urlopen(*args, **options).drain_conn()
            return super().urlopen(*args, **options)

    return SigningPool(signer, Pool()).request("POST", url, b"{}", ACTION).status


REPEATING = {
    "requests": repeat_with_requests,
    "httpx": repeat_with_httpx,
    "aiohttp": repeat_with_aiohttp,
    "urllib3": repeat_with_urllib3,
}


@pytest.mark.parametrize("name", REPEATING)
def test_a_request_that_was_sent_twice_is_signed_again_with_a_new_nonce(
    name: str, cloud: FakeCloud, signer: signing.Signer
) -> None:
    """The service would answer SignatureNonceUsed instead of the result."""
    assert REPEATING[name](signer, cloud.url + "/") == 200
    assert [one.status for one in cloud.requests] == [200, 400, 200]
    assert len({one.header("x-acs-signature-nonce") for one in cloud.requests}) == 2
    assert {one.request.body for one in cloud.requests} == {b"{}"}


def test_urllib3_returns_the_last_answer_where_it_may_not_raise(cloud: FakeCloud, signer: signing.Signer) -> None:
    from urllib3 import Retry

    cloud.faults.add("*", 503)
    once = Retry(1, status_forcelist=[503], backoff_factor=0, raise_on_status=False)
    assert SigningPool(signer).request("GET", cloud.url + "/", headers=ACTION, retries=once).status == 503
    assert len(cloud.requests) == 2


def test_urllib3_sends_no_second_half_of_an_iterator(cloud: FakeCloud, provider: Any) -> None:
    from urllib3 import Retry
    from urllib3.exceptions import HTTPError

    pool = SigningPool(signing.Signer(provider, signing.OSSV4("cn-hangzhou"), clock=cloud.clock))
    cloud.faults.add("*", "reset", times=1)
    with pytest.raises(HTTPError):
        pool.request("PUT", cloud.url + "/bucket/key", body=iter([b"a", b"b"]), retries=Retry(3))
    assert len(cloud.requests) == 1


def test_urllib3_keeps_the_content_type_that_a_form_is_given(cloud: FakeCloud, provider: Any) -> None:
    pool = SigningPool(signing.Signer(provider, signing.ACS3(), clock=cloud.clock))
    kind = "application/x-www-form-urlencoded; charset=UTF-8"
    pool.request("POST", cloud.url + "/", headers={**ACTION, "Content-Type": kind}, fields={"a": "1"})
    assert cloud.requests[0].header("Content-Type") == kind


def test_urllib3_raises_where_the_status_of_the_last_answer_is_an_error(
    cloud: FakeCloud, signer: signing.Signer
) -> None:
    from urllib3 import Retry
    from urllib3.exceptions import MaxRetryError

    cloud.faults.add("*", 503)
    with pytest.raises(MaxRetryError):
        SigningPool(signer).request(
            "GET", cloud.url + "/", headers=ACTION, retries=Retry(1, status_forcelist=[503], backoff_factor=0)
        )
    assert len(cloud.requests) == 2


def test_requests_takes_a_redirect_that_is_not_followed_for_no_redirect(cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.OSSV1(), clock=cloud.clock)
    cloud.faults.add("PUT /bkt/old", "redirect", location="/bkt/new", status=308)
    answer = requests.put(cloud.url + "/bkt/old", iter([b"one"]), auth=RequestsAuth(signer), timeout=10)
    assert answer.status_code == 308
    assert not answer.is_redirect
    assert not answer.is_permanent_redirect


def test_a_header_in_bytes_of_another_encoding_is_sent_as_it_was_signed(
    cloud: FakeCloud, signer: signing.Signer
) -> None:
    headers: dict[str, Any] = {**ACTION, "x-acs-name": "gr\xfcn".encode("latin-1")}
    assert requests.get(cloud.url + "/", headers=headers, auth=RequestsAuth(signer), timeout=10).status_code == 200


def test_httpx_through_a_forward_proxy_signs_each_hop(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    cloud.faults.add("/within", "redirect", location="/new", status=307)
    with httpx.Client(proxy=cloud.url, follow_redirects=True) as client:
        answer = client.get(f"{stranger.url}/within", headers=ACTION, auth=HttpxAuth(signer))
    assert answer.status_code == 200, answer.text
    assert [bool(one.header("authorization")) for one in cloud.requests] == [True, True]
    assert len(stranger.requests) == 0


def test_a_transport_of_httpx_may_read_a_body_that_comes_in_parts(provider: Any) -> None:
    read: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        read.append(request.content)
        return httpx.Response(200)

    auth = HttpxAuth(signing.Signer(provider, signing.OSSV1()))
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        client.put("https://bkt.oss-cn-hangzhou.aliyuncs.com/key", content=iter([b"one", b"two"]), auth=auth)
    assert read == [b"onetwo"]
