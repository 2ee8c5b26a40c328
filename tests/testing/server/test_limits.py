"""The fake cloud is a server too: nothing that a stranger sends fills, ends or crashes it."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SystemClock
from ramrole_creds.testing import FakeCloud, RequestLog, TickingClock, VirtualClock, WireRequest, WireResponse
from ramrole_creds.testing.request_log import MAX_LOG_BYTES, RecordedRequest
from ramrole_creds.testing.server.control import answer_control
from ramrole_creds.testing.server.http_server import HttpServer
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from ramrole_creds.testing.server.connection import Connection
    from tests.testing.conftest import Ask


def test_uploads_do_not_fill_the_request_log() -> None:
    log = RequestLog()
    for number in range(12):
        log.begin(RecordedRequest(WireRequest("PUT", f"/upload/{number}", body=bytes(50 * 1024 * 1024))))
    assert sum(one.size for one in log) <= MAX_LOG_BYTES
    assert len(log.to("PUT /upload/*")) == 12, "the requests themselves are still there"
    assert [one.body_dropped for one in log] == [*[True] * 11, False]


def test_heads_do_not_fill_it_either() -> None:
    log = RequestLog()
    for _ in range(2000):
        log.begin(RecordedRequest(WireRequest("GET", "/", (("X", "y" * 100_000),))))
    assert sum(one.size for one in log) <= MAX_LOG_BYTES
    assert len(log) > 300
    assert log[-1].number == 2000


def test_a_cleared_log_has_room_again() -> None:
    log = RequestLog()
    for _ in range(2):
        log.begin(RecordedRequest(WireRequest("PUT", "/", body=bytes(40 * 1024 * 1024))))
        log.clear()
    log.begin(RecordedRequest(WireRequest("PUT", "/", body=bytes(40 * 1024 * 1024))))
    assert not log[0].body_dropped


def test_the_oldest_requests_leave_the_log_with_their_large_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ramrole_creds.testing.request_log.MAX_ENTRIES", 5)
    log = RequestLog()
    for number in range(12):
        log.begin(RecordedRequest(WireRequest("PUT", f"/{number}", body=bytes(20 * 1024 * 1024 if number < 3 else 1))))
    assert [one.request.path for one in log][-1] == "/11"
    log.begin(RecordedRequest(WireRequest("PUT", "/large", body=bytes(60 * 1024 * 1024))))
    log.begin(RecordedRequest(WireRequest("PUT", "/larger", body=bytes(60 * 1024 * 1024))))
    assert [one.request.path for one in log if one.body_dropped] == ["/large"]


def test_a_dropped_body_was_still_answered(ask: Ask, cloud: FakeCloud) -> None:
    answer = ask("/nothing", "PUT", body=bytes(MAX_LOG_BYTES + 1))
    assert answer.status == 404
    assert cloud.requests[-1].body_dropped
    assert cloud.requests[-1].header("Content-Length") == str(MAX_LOG_BYTES + 1)


def test_a_thread_that_cannot_be_started_does_not_end_the_server(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    refused: list[threading.Thread] = []

    def refusing(self: threading.Thread) -> None:
        if self.name.endswith("-client") and not refused:
            refused.append(self)
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        ask("/")
    assert refused
    assert ask("/").status == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"Content-Length: " + b"9" * 5000, 413, id="digits"),
        pytest.param(b"Content-Length: \xb2", 400, id="superscript"),
        pytest.param(b"Transfer-Encoding: chunked", 413, id="chunk"),
    ],
)
def test_an_absurd_length_is_refused(cloud: FakeCloud, head: bytes, status: int) -> None:
    with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
        sock.sendall(b"PUT /x HTTP/1.1\r\n" + head + b"\r\n\r\n" + b"f" * 5000 + b"\r\n")
        assert sock.recv(100).split(b" ")[1] == str(status).encode()
    cloud.check()


class Echo:
    """A service that repeats what it was sent."""

    name = "echo"

    def recognizes(self, request: WireRequest) -> bool:
        return request.path == "/echo"

    def handle(self, request: WireRequest) -> WireResponse:
        text = dict(request.query).get("text", "")
        if request.method == "POST":
            return WireResponse(200, body="\ud800".encode())
        return WireResponse(200, (("X-Echo", text),))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        pytest.param("GET", "/echo?text=%ff%fe", b"200", id="bytes"),
        pytest.param("GET", "/echo?text=a%0d%0aX-Evil:%201", b"200", id="line-end"),
        pytest.param("POST", "/echo", b"400", id="surrogate"),
    ],
)
def test_a_service_that_repeats_a_request_breaks_nothing(method: str, target: str, status: bytes) -> None:
    with FakeCloud(services=[Echo()]) as cloud, socket.create_connection((cloud.host, cloud.port)) as sock:
        sock.sendall(f"{method} {target} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer.split(b" ")[1] == status
    assert b"\r\nX-Evil" not in answer


def test_a_header_that_cannot_be_encoded_is_sent_without_what_cannot() -> None:
    class Surrogate(Echo):
        def handle(self, request: WireRequest) -> WireResponse:
            return WireResponse(200, (("X-Echo", "a\ud800b"),))

    with FakeCloud(services=[Surrogate()]) as cloud:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
        connection.request("GET", "/echo")
        assert connection.getresponse().getheader("X-Echo") == "a?b"
        connection.close()


def test_an_idle_connection_is_closed() -> None:
    def application(request: WireRequest, connection: Connection) -> bool:
        assert request.path == "/"
        return connection.respond(WireResponse(204), date=None, keep=True)

    server = HttpServer(application, "127.0.0.1", 0, time.time, max_idle=0.05)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as silent:
            assert silent.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as served:
            served.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert served.recv(1000).startswith(b"HTTP/1.1 204")
            assert served.recv(1) == b""
    finally:
        server.stop()


def control(cloud: FakeCloud, path: str, body: bytes) -> WireResponse:
    return answer_control(cloud, WireRequest("POST", f"/_fake/{path}", (("X-Fake-Key", "key"),), body))


def test_the_control_api_reads_no_file(tmp_path: Any) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"where": "role", "what": 503}]', encoding="utf-8")
    cloud = FakeCloud(control_key="key")
    answer = control(cloud, "faults", f'{{"faults": "{script}"}}'.encode())
    assert answer.status == 400
    assert b"must be a list of faults, not str" in answer.body
    assert len(cloud.faults) == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("clock/advance", b'{"hours": 1e400}', id="infinity"),
        pytest.param("clock/advance", b'{"hours": NaN}', id="nan"),
        pytest.param("quirks", b'{"tokenless_status": "abc"}', id="quirk-status"),
        pytest.param("quirks", b'{"token_ttl_echo": 3}', id="quirk-switch"),
        pytest.param("endpoint", b'{"endpoint": "disabled", "how": "99999"}', id="endpoint"),
        pytest.param("endpoint", b'{"endpoint": "off"}', id="endpoint-word"),
        pytest.param("mode", b'{"mode": []}', id="mode"),
        pytest.param("role/attach", b'{"name": 5}', id="name"),
        pytest.param("role/attach", b'{"name": null}', id="null"),
        pytest.param("role/replace", b'{"name": null}', id="null-replaced"),
        pytest.param("role/delete", b'{"name": null}', id="null-deleted"),
        pytest.param("role/policies", b'{"name": null, "policies": []}', id="null-policies"),
        pytest.param("faults", b"[" * 100_000, id="deep"),
        pytest.param("faults", b'{"where": "role", "what": 503, "times": ' + b"9" * 5000 + b"}", id="digits"),
        pytest.param("state", b"\xff", id="bytes"),
    ],
)
@pytest.mark.parametrize("clock", [VirtualClock, TickingClock])
def test_the_control_api_refuses_what_would_break_the_cloud(clock: Any, path: str, body: bytes) -> None:
    cloud = FakeCloud(clock=clock(1_800_000_000), control_key="key")
    answer = control(cloud, path, body)
    assert answer.status in {400, 404}, answer.body
    assert 1_799_999_000 < cloud.clock.time() < 1_800_001_000


def test_a_cloud_on_the_real_clock_says_that_it_cannot_be_advanced() -> None:
    cloud = FakeCloud(clock=SystemClock(), control_key="key")
    answer = control(cloud, "clock/advance", b'{"hours": 1}')
    assert answer.status == 400
    assert b"runs on the real clock, which cannot be advanced" in answer.body


def test_a_service_may_refuse_a_request_by_its_own_error() -> None:
    class Refusing:
        name = "refusing"

        def recognizes(self, request: WireRequest) -> bool:
            return request.path == "/refused"

        def handle(self, request: WireRequest) -> WireResponse:
            raise ServiceError("Forbidden", f"{request.path} is closed.", 403)

    with FakeCloud(services=[Refusing()]) as cloud:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)
        connection.request("GET", "/refused")
        answer = connection.getresponse()
        assert (answer.status, b"is closed" in answer.read()) == (403, True)
        connection.close()
        cloud.check()


def test_an_answer_may_say_itself_what_becomes_of_the_connection(ask: Ask, cloud: FakeCloud) -> None:
    cloud.faults.add("role", 503, headers={"Connection": "close"})
    assert ask("/latest/meta-data/ram/security-credentials/").headers["Connection"] == "close"


def test_a_key_that_is_not_ascii_is_just_a_wrong_key() -> None:
    cloud = FakeCloud(control_key="key")
    assert answer_control(cloud, WireRequest("GET", "/_fake/state", (("X-Fake-Key", "\ud800é"),))).status == 401
