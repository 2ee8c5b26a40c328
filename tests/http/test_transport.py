"""The one place that opens connections: what it sends, how long it waits, and what it reports without an answer."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import ramrole_creds._http.connection  # noqa: F401  # ahead of time: loading it would use up the short time limits
from ramrole_creds._http.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    HttpError,
    ReadTimeout,
    TimeLimitExceeded,
)
from ramrole_creds._http.transport import HttpResponse, HttpTransport, safe_url
from ramrole_creds.errors import ConfigurationError, FetchError
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = 1793880000.0  # Thu, 05 Nov 2026 12:00:00 GMT
ITEM = "/latest/meta-data/region-id"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud


def transport(waits: list[float] | None = None, **options: Any) -> HttpTransport:
    return HttpTransport(sleep=(waits if waits is not None else []).append, **options)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"date": "Thu, 05 Nov 2026 12:00:00 GMT"}, NOON),
        ({"date": "Thu, 05 Nov 2026 12:00:00 GMT", "age": "60"}, NOON + 60),
        ({"date": "Thu, 05 Nov 2026 12:00:00 GMT", "age": " 0 "}, NOON),
        ({"date": "Thursday, 05-Nov-26 12:00:00 GMT"}, NOON),
        ({"date": "Thu, 05 Nov 2026 12:00:00 -0000"}, NOON),
        ({"date": "Thu, 05 Nov 2026 12:00:00"}, NOON),
        ({"date": "Thu, 05 Nov 2026 20:00:00 +0800"}, NOON),
        ({}, None),
        ({"date": ""}, None),
        ({"date": "soon"}, None),
        ({"date": "Thu, 99 Nov 2026 12:00:00 GMT"}, None),
        ({"age": "60"}, None),
        *(
            ({"date": "Thu, 05 Nov 2026 12:00:00 GMT", "age": age}, None)
            for age in ("-1", "x", "1.5", "86401", "9" * 99, "1_0")
        ),
    ],
)
def test_the_servers_time_is_date_and_age_where_both_make_sense(headers: dict[str, str], seconds: float | None) -> None:
    assert HttpResponse(200, headers, b"").server_time() == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Thu, 05 Nov 2026 12:00:09 GMT", 9.0),
        ("Thu, 05 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    headers = {"date": "Thu, 05 Nov 2026 12:00:00 GMT", "retry-after": value}
    assert HttpResponse(429, headers, b"").retry_after() == seconds


@given(st.dictionaries(st.sampled_from(["date", "age", "retry-after"]), st.text()))
def test_no_header_makes_reading_it_fail(headers: dict[str, str]) -> None:
    response = HttpResponse(200, headers, b"")
    response.server_time()
    response.retry_after()


def test_a_response_shows_neither_headers_nor_body() -> None:
    assert repr(HttpResponse(200, {"a": "secret"}, b"secret")) == "HttpResponse(status=200)"


def test_headers_are_looked_up_whatever_their_case(cloud: FakeCloud) -> None:
    cloud.faults.add("item", 200, headers={"X-CuSToM": "yes"})
    response = transport().request("GET", cloud.url + ITEM, time_limit=5)
    assert response.header("x-custom") == response.header("X-Custom") == "yes"
    assert response.header("absent") == ""


def test_an_answer_of_any_status_is_an_answer(cloud: FakeCloud) -> None:
    for status in (200, 204, 302, 400, 404, 407, 500):
        cloud.faults.add("item", status, times=3 if status == 500 else 1)
        assert transport().request("GET", cloud.url + ITEM, time_limit=5).status == status


@pytest.mark.parametrize("what", [429, 500, 502, 503, 504, "reset", "close", "truncate"])
def test_a_failure_of_the_server_is_retried(cloud: FakeCloud, what: int | str) -> None:
    cloud.faults.add("item", what, times=2)
    assert transport().request("GET", cloud.url + ITEM, time_limit=5).status == 200
    cloud.assert_called("item", 3)


@pytest.mark.parametrize("what", [429, 503, "reset"])
def test_what_must_be_sent_once_is_sent_once(cloud: FakeCloud, what: int | str) -> None:
    cloud.faults.add("item", what)
    try:
        transport().request("GET", cloud.url + ITEM, time_limit=5, retry=False)
    except HttpError as error:
        assert error.connected  # noqa: PT017  # an answer is as good here
    cloud.assert_called("item", 1)


def test_the_number_of_tries_is_the_transports(cloud: FakeCloud) -> None:
    cloud.faults.add("item", 503)
    assert transport(attempts=5).request("GET", cloud.url + ITEM, time_limit=5).status == 503
    assert transport(attempts=1).request("GET", cloud.url + ITEM, time_limit=5).status == 503
    cloud.assert_called("item", 6)


def test_pauses_between_tries_are_short_and_never_longer_than_what_is_left(cloud: FakeCloud) -> None:
    cloud.faults.add("item", 503)
    waits: list[float] = []
    transport(waits, attempts=6).request("GET", cloud.url + ITEM, time_limit=5)
    assert len(waits) == 5
    assert all(0 <= wait <= 1 for wait in waits)


@pytest.mark.parametrize(
    ("what", "options", "limit", "kind"),
    [
        ("hang", {}, 9.0, ReadTimeout),
        ("reset", {}, 9.0, ConnectionBroken),
        ("oversize", {}, 9.0, BodyTooLarge),
        ("drip", {"interval": 0.02, "part": "head"}, 0.5, TimeLimitExceeded),
    ],
)
def test_each_failure_has_its_kind_and_says_what_was_asked(
    cloud: FakeCloud, what: str, options: dict[str, Any], limit: float, kind: type[HttpError]
) -> None:
    cloud.faults.add("item", what, **options)
    begun = time.monotonic()
    with pytest.raises(kind) as raised:
        transport(read_timeout=0.1).request("GET", f"{cloud.url}{ITEM}?secret=hunter2hunter2", time_limit=limit)
    assert time.monotonic() - begun < limit + 2
    assert isinstance(raised.value, FetchError)
    assert f"GET {cloud.url}{ITEM}:" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_body_is_read_up_to_the_cap_and_no_further(cloud: FakeCloud) -> None:
    cloud.items["big"] = "x" * 1000
    url = cloud.url + "/latest/meta-data/big"
    assert len(transport(max_body=1000).request("GET", url, time_limit=5).body) == 1000
    with pytest.raises(BodyTooLarge):
        transport(max_body=999).request("GET", url, time_limit=5)


def test_no_request_is_sent_after_the_time_limit(cloud: FakeCloud) -> None:
    with pytest.raises(TimeLimitExceeded, match="passed before the request was sent"):
        transport().request("GET", cloud.url + ITEM, time_limit=0)
    cloud.assert_not_called()


@pytest.mark.parametrize(
    "url", ["http://", "http:///x", "nonsense", "http://[::1", "file:///etc/passwd", "http://a" + "b" * 300]
)
def test_a_malformed_url_is_a_typed_error(url: str) -> None:
    with pytest.raises((ConnectFailed, ConnectionBroken)):
        transport().request("GET", url, time_limit=5)


def test_a_server_without_tls_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                sock.recv(65536)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectFailed, match="TLS failed") as raised:
            transport().request("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/", time_limit=5)
        thread.join(5)
    assert raised.value.connected
    assert not raised.value.retriable


def test_a_missing_ca_bundle_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed, match="CA bundle does not exist"):
        transport(verify=str(tmp_path / "none.pem")).request("GET", "https://127.0.0.1:9/", time_limit=5)


def test_the_environments_proxy_is_used_only_where_it_is_asked_for(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = "http://127.0.0.1:9"  # where nothing listens
    with FakeCloud() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        transport().request("GET", cloud.url + ITEM, time_limit=5)
        proxy.assert_not_called()
        transport(use_environment=True).request("GET", f"{direct}/x", time_limit=5)
        assert len(proxy.requests) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(ConnectFailed):
            transport(use_environment=True).request("GET", f"{direct}/x", time_limit=5)
        assert len(proxy.requests) == 1


def test_netrc_is_never_used_not_even_with_the_environment(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("no_proxy", "*")
    transport(use_environment=True).request("POST", cloud.url + ITEM, body=b"x", time_limit=5)
    assert cloud.requests[0].header("Authorization") is None
    assert cloud.requests[0].request.body == b"x"


def test_a_url_is_shown_without_user_query_and_fragment() -> None:
    assert safe_url("https://u:p@h:1/p/q?a=b#c") == "https://h:1/p/q"
    assert safe_url("http://[::1?secret") == "a malformed URL"


@pytest.mark.parametrize("options", [{"connect_timeout": 0}, {"read_timeout": -1}, {"connect_timeout": "1"}])
def test_timeouts_are_numbers_above_zero(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="number of seconds above 0"):
        HttpTransport(**options)


def test_a_query_shows_in_no_log_of_urllib3(caplog: pytest.LogCaptureFixture) -> None:
    """A credentials URI may have its secret there. Some SDKs raise the level of that logger when they are imported."""
    with FakeCloud() as cloud, caplog.at_level("DEBUG", logger="urllib3"):
        HttpTransport().request("GET", f"{cloud.url}/latest/meta-data/region-id?key=marker", time_limit=5)
    assert "/latest/meta-data/region-id" in caplog.text
    assert "marker" not in caplog.text


def test_the_log_of_others_that_use_urllib3_is_not_changed(caplog: pytest.LogCaptureFixture) -> None:
    with FakeCloud() as cloud, caplog.at_level("DEBUG", logger="urllib3"):
        HttpTransport().request("GET", cloud.url + ITEM, time_limit=5)
        requests.get(f"{cloud.url}{ITEM}?key=theirs", timeout=5)
    assert "key=theirs" in caplog.text


def test_a_compressed_body_that_grows_beyond_the_cap_is_refused(cloud: FakeCloud) -> None:
    packed = gzip.compress(b"x" * 100_000)
    cloud.faults.add("item", 200, headers={"Content-Encoding": "gzip"}, body=packed)
    assert len(packed) < 1000
    with pytest.raises(BodyTooLarge):
        transport(max_body=1000).request("GET", cloud.url + ITEM, time_limit=5)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://user:marker@[::1", "the address of the proxy is not valid. Correct HTTPS_PROXY"),
        ("ftp://127.0.0.1", "the address of the proxy is not valid. Correct HTTPS_PROXY"),
        ("http://127.0.0.1:99999", "the address of the proxy is not valid. Correct HTTPS_PROXY"),
        (
            "http://user:marker@127.0.0.1:9",
            "the environment names could not be used (connection refused)",
        ),
    ],
    ids=["bracket", "scheme", "port", "refused"],
)
def test_an_unusable_proxy_is_reported_as_such(monkeypatch: pytest.MonkeyPatch, proxy: str, said: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ConnectFailed) as raised:
        transport(use_environment=True).request("GET", "https://sts.example.invalid/", time_limit=5)
    assert said in str(raised.value)
    assert "marker" not in str(raised.value)


def test_a_socks_proxy_without_its_package_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_arguments: object, **_more: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setenv("https_proxy", "socks5h://127.0.0.1:9")
    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", unsupported)
    with pytest.raises(ConnectFailed, match="SOCKS proxy, which needs the package PySocks"):
        transport(use_environment=True).request("GET", "https://sts.example.invalid/", time_limit=5)


Resolved = list[tuple[Any, ...]]


def resolve_to(monkeypatch: pytest.MonkeyPatch, resolve: Callable[[], Resolved]) -> None:
    """Let the name `service.example` resolve so, and everything else as always."""
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **more: Any) -> Any:
        return resolve() if host == "service.example" else real(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_one_time_limit_holds_for_all_addresses_of_a_name(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight addresses that drop packets."""
    cloud.disable_endpoint("blackhole")
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", cloud.port))
    resolve_to(monkeypatch, lambda: [address] * 8)
    begun = time.monotonic()
    with pytest.raises(ConnectTimeout):
        transport(connect_timeout=0.4).request("GET", f"http://service.example:{cloud.port}/", time_limit=10)
    assert time.monotonic() - begun < 0.4 * 3


def test_an_address_that_drops_packets_leaves_time_for_the_next(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeCloud() as other:
        cloud.disable_endpoint("blackhole")
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (cloud.port, other.port)
        ]
        resolve_to(monkeypatch, lambda: addresses)
        transport(connect_timeout=2.0).request("GET", f"http://service.example{ITEM}", time_limit=10)
        assert len(other.requests) == 1


def test_the_time_limit_holds_for_name_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def hang() -> Resolved:
        gate.wait(10)
        return []

    resolve_to(monkeypatch, hang)
    begun = time.monotonic()
    with pytest.raises(ConnectTimeout, match="not resolved in time"):
        transport(connect_timeout=0.1).request("GET", "http://service.example/", time_limit=10)
    assert time.monotonic() - begun < 3
    for _ in range(40):  # a resolver that hangs does not cost a thread for each request
        with pytest.raises(HttpError):
            transport(connect_timeout=0.001).request("GET", "http://service.example/", time_limit=10)
    assert sum(thread.name == "ramrole-creds-lookup" for thread in threading.enumerate()) <= 16
    with pytest.raises(ConnectFailed, match="was not resolved, because earlier lookups have not ended"):
        transport(connect_timeout=0.1).request("GET", "http://service.example/", time_limit=10)
    gate.set()


def test_a_name_without_an_address_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, list)
    with pytest.raises(ConnectFailed, match=r"GET http://service\.example/: "):
        transport().request("GET", "http://service.example/", time_limit=5)


def test_where_no_thread_can_resolve_a_name_the_machine_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(ConnectFailed, match="no thread could be started") as raised:
        transport().request("GET", "http://service.example/", time_limit=5)
    assert raised.value.local
