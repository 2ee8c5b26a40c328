"""The fake cloud is a server too: nothing that a stranger sends fills, ends or crashes it."""

from __future__ import annotations

import http.client
import os
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SystemClock
from ramrole_creds.testing import (
    FakeCloud,
    FakeCloudDefect,
    RequestLog,
    TickingClock,
    VirtualClock,
    WireRequest,
    WireResponse,
)
from ramrole_creds.testing.request_log import MAX_LOG_BYTES, RecordedRequest
from ramrole_creds.testing.server.control import answer_control
from ramrole_creds.testing.server.http_server import HttpServer
from ramrole_creds.testing.services.service import ServiceError
from tests.eventually import eventually

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


def test_a_connection_beyond_the_limit_is_closed_while_all_others_are_served() -> None:
    go_on = threading.Event()
    served = threading.Semaphore(0)

    def application(request: WireRequest, connection: Connection) -> bool:
        assert request.path == "/"
        served.release()
        assert go_on.wait(20)
        return connection.respond(WireResponse(204), date=None, keep=False)

    server = HttpServer(application, "127.0.0.1", 0, time.time, max_connections=2)
    server.start()
    try:
        busy = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(2)]
        for sock in busy:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert served.acquire(timeout=10)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as third:
            assert third.recv(1) == b""
        go_on.set()
        assert [sock.recv(12) for sock in busy] == [b"HTTP/1.1 204"] * 2
        for sock in busy:
            sock.close()
    finally:
        go_on.set()
        server.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no limit on descriptors to lower")
def test_a_client_that_comes_while_no_descriptor_is_left_is_served_when_one_is(cloud: FakeCloud) -> None:
    import resource

    with socket.socket() as client:
        client.settimeout(10)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        fillers = []
        try:
            with suppress(OSError):
                while True:
                    fillers.append(os.open(os.devnull, os.O_RDONLY))
            client.connect((cloud.host, cloud.port))
            client.sendall(b"GET /latest/meta-data/region-id HTTP/1.1\r\nConnection: close\r\n\r\n")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
        finally:
            for number in fillers:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.settimeout(10)
        assert client.recv(12) == b"HTTP/1.1 200"
    cloud.check()


def test_a_system_without_poll_as_windows_is_served_with_select(
    ask: Ask, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "poll", raising=False)
    cloud.faults.add("role", "latency", seconds=0.05)
    for _ in range(2):
        assert ask("/latest/meta-data/ram/security-credentials/").text == "web"


def test_a_service_that_stops_its_own_cloud_does_not_wait_for_itself() -> None:
    class Stopping(Echo):
        def handle(self, request: WireRequest) -> WireResponse:
            cloud.stop()
            return WireResponse(200)

    cloud = FakeCloud(services=[Stopping()]).start()
    with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
        sock.sendall(b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert sock.recv(12) in {b"", b"HTTP/1.1 200"}
    cloud.check()


class Broken(Echo):
    """A service with a mistake in it."""

    def recognizes(self, request: WireRequest) -> bool:
        if request.path == "/nobodys":
            raise OSError("a file is missing")
        return request.path == "/echo"

    def handle(self, request: WireRequest) -> WireResponse:
        raise ValueError("a mistake")


@pytest.mark.parametrize(("path", "answer"), [("/echo", b"HTTP/1.1 500"), ("/nobodys", b"")])
def test_the_mistakes_of_a_service_are_kept_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch, path: str, answer: bytes
) -> None:
    monkeypatch.setattr("ramrole_creds.testing.server.gateway.MAX_DEFECTS", 2)
    cloud = FakeCloud(services=[Broken()]).start()
    for _ in range(4):
        with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            assert sock.recv(12) == answer
    with pytest.raises(FakeCloudDefect) as found:
        cloud.check()
    cloud.stop()
    assert str(found.value).count("Traceback") == 2


@pytest.mark.parametrize("leaves", [True, False], ids=["leaves", "asks on"])
def test_a_client_may_leave_or_ask_on_while_its_answer_is_delayed(cloud: FakeCloud, leaves: bool) -> None:
    cloud.faults.add("item", "latency", seconds=0.3 if not leaves else 20)
    with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
        sock.sendall(b"GET /latest/meta-data/region-id HTTP/1.1\r\n\r\n")
        assert eventually(lambda: len(cloud.requests) == 1)
        if not leaves:
            sock.sendall(b"GET /latest/meta-data/mac HTTP/1.1\r\nConnection: close\r\n\r\n")
            received = b"".join(iter(lambda: sock.recv(4096), b""))
            assert received.index(b"cn-hangzhou") < received.index(b"00:16:3e")
    assert eventually(lambda: cloud.requests[0].over), "a client that has left is not waited for"
    assert cloud.requests[0].status == (None if leaves else 200)


def test_a_request_that_hangs_goes_on_hanging(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ramrole_creds.testing.server.connection.HANG_SECONDS", 0.01)
    cloud.faults.add("item", "hang")
    with socket.create_connection((cloud.host, cloud.port), timeout=0.3) as sock:
        sock.sendall(b"GET /latest/meta-data/region-id HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)
