"""Requests that no honest client sends, and clients that keep others out."""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
from contextlib import ExitStack
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from ramrole_creds import StaticProvider
from ramrole_creds.errors import ConfigurationError

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import History, LocalService, ServiceLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import Credentials

MANY = 40


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def service(history: History) -> Iterator[LocalService]:
    """A service with little room."""
    limits = ServiceLimits(max_connections=8, max_head_bytes=4096)
    with LocalService(StaticProvider("STS.held", "s", "t"), limits=limits, history=history) as running:
        yield running


def connect(service: LocalService) -> socket.socket:
    parts = urlsplit(service.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def answer(service: LocalService, content: bytes) -> bytes:
    """All that the service sends until it closes the connection."""
    with connect(service) as connection:
        connection.sendall(content)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def request(service: LocalService, *headers: str, target: str = "{path}", version: str = "1.1") -> bytes:
    line = f"GET {target.format(path=urlsplit(service.uri).path)} HTTP/{version}"
    return "\r\n".join([line, *headers, "Connection: close", "", ""]).encode()


LOCAL = "Host: localhost"


@pytest.mark.parametrize(
    ("headers", "target", "status"),
    [
        ([LOCAL, "Host: evil.example"], "{path}", 400),
        (["Host: evil.example", LOCAL], "{path}", 400),
        ([LOCAL, LOCAL], "{path}", 400),
        ([LOCAL], "http://evil.example{path}", 400),
        ([LOCAL], "http://localhost{path}", 400),
        ([LOCAL], "http://localhost", 400),
        ([LOCAL], "*", 400),
        ([LOCAL, f"X: {'a' * 5000}"], "{path}", 431),
        ([LOCAL, *["X: "] * 1200], "{path}", 431),
        ([LOCAL], "{path}?" + "a" * 5000, 431),
        ([LOCAL, "Connection: upgrade", "Upgrade: websocket"], "{path}", 200),
    ],
    ids=[
        "another host second",
        "another host first",
        "the same host twice",
        "absolute form elsewhere",
        "absolute form",
        "absolute form without a path",
        "asterisk",
        "one long header",
        "many short headers",
        "long query",
        "upgrade",
    ],
)
def test_an_odd_request_is_answered_by_one_status(
    service: LocalService, headers: list[str], target: str, status: int
) -> None:
    received = answer(service, request(service, *headers, target=target))
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert (b"STS.held" in received) is (status == 200)


def test_http_1_0_is_answered_where_it_names_the_host_and_refused_where_it_does_not(service: LocalService) -> None:
    assert answer(service, request(service, LOCAL, version="1.0")).startswith(b"HTTP/1.1 200 ")
    assert answer(service, request(service, version="1.0")).startswith(b"HTTP/1.1 403 ")


def test_pipelined_requests_are_answered_in_their_order(service: LocalService) -> None:
    path = urlsplit(service.uri).path
    one = f"GET %s HTTP/1.1\r\n{LOCAL}\r\n\r\n"
    received = answer(service, (one % path + one % "/other" + one % path).encode() + request(service, LOCAL, LOCAL))
    assert re.findall(rb"HTTP/1\.1 (\d+) ", received) == [b"200", b"404", b"200", b"400"]


def test_connections_that_say_nothing_do_not_keep_out_one_that_asks(service: LocalService) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(connect(service)).sendall(b"GET / HT")
        assert b"STS.held" in answer(service, request(service, LOCAL))


class ProviderThatHoldsUpTheService(StaticProvider):
    """Keeps the event loop of the service busy at the next call, once `holding` is set."""

    holding = False

    def __init__(self) -> None:
        super().__init__("STS.held", "s", "t")
        self.entered, self.released = threading.Event(), threading.Event()

    async def get_credentials_async(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        if self.holding:
            self.holding = False
            self.entered.set()
            self.released.wait(10)
        return await super().get_credentials_async(valid_for, timeout)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_request_that_has_come_is_answered_though_many_connect_after_it(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loop == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    provider = ProviderThatHoldsUpTheService()
    with LocalService(provider, limits=ServiceLimits(max_connections=8)) as service, ExitStack() as stack:
        provider.holding = True
        first, second = stack.enter_context(connect(service)), stack.enter_context(connect(service))
        first.sendall(request(service, LOCAL))
        assert provider.entered.wait(10)
        second.sendall(request(service, LOCAL))
        for _ in range(MANY):
            stack.enter_context(connect(service)).sendall(b"GET / HT")
        late = stack.enter_context(connect(service))
        late.sendall(request(service, LOCAL))
        for _ in range(MANY):
            stack.enter_context(connect(service))
        provider.released.set()  # the service sees all of them at once
        assert [one.recv(65536)[:12] for one in (first, second, late)] == [b"HTTP/1.1 200"] * 3


def test_a_connection_in_use_is_not_closed_for_a_new_one(service: LocalService) -> None:
    path = urlsplit(service.uri).path
    ask = f"GET {path} HTTP/1.1\r\n{LOCAL}\r\n\r\n".encode()
    with ExitStack() as stack:
        kept = stack.enter_context(connect(service))
        for _ in range(MANY):
            kept.sendall(ask)
            response = HTTPResponse(kept)
            response.begin()
            assert (response.status, response.read()[:1]) == (200, b"{")  # it has waited for the shortest time
            stack.enter_context(connect(service))


def test_the_connections_leave_a_process_half_of_its_descriptors() -> None:
    resource = pytest.importorskip("resource", reason="limits of Unix")
    from ramrole_creds.local_service._limits import within_descriptors

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(600, before[0]), before[1]))
    try:
        assert within_descriptors(ServiceLimits()).max_connections == min(600, before[0]) // 2
        assert within_descriptors(ServiceLimits(max_connections=8)).max_connections == 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_clients_cannot_fill_the_log(service: LocalService, history: History, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        caplog.clear()
        answer(service, b"\x16\x03\x01 hello\r\n\r\n")
        answer(service, request(service, LOCAL, "Connection: upgrade", "Upgrade: websocket"))
        answer(service, request(service, LOCAL, LOCAL))
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "ramrole_creds.local"))] == []
    assert history.requests() == {"bad_request": 2, "served": 1}


def test_the_secret_path_is_in_no_log_and_the_access_log_of_the_program_stays(
    history: History, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    access_log = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access_log, "propagate", True)
    with (
        caplog.at_level(logging.DEBUG),
        LocalService(StaticProvider("STS.held", "s", "t"), admin_port=0, history=history) as running,
    ):
        assert b"STS.held" in answer(running, request(running, LOCAL))
    assert urlsplit(running.uri).path not in caplog.text
    assert access_log.propagate


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"host": ""}, "host must be an address"),
        ({"port": 65536}, "port must be 0"),
        ({"port": "80"}, "port must be 0"),
        ({"admin_port": -1}, "admin_port must be 0"),
        ({"hosts": "localhost"}, "hosts must be a list"),
        ({"items": "region-id", "metadata": True}, "items must be a list"),
        ({"hosts": [5]}, "hosts must be a list"),
        ({"socket_path": 5}, "socket_path must be the path of a Unix socket, not int"),
        ({"socket_mode": "600"}, "socket_mode must be the mode of a file, such as 0o600, not '600'"),
        ({"socket_mode": 0o7777}, "socket_mode must be the mode of a file"),
        ({"limits": 5}, "limits must be ServiceLimits or None, not int"),
        ({"history": ServiceLimits}, "history must be History or None, not the class ServiceLimits"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_argument_that_makes_no_sense_is_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        LocalService(StaticProvider("STS.held", "s", "t"), **options)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("provider", [None, StaticProvider, "ecs-ram-role://"], ids=["None", "class", "text"])
def test_only_a_provider_or_rules_are_served(provider: object) -> None:
    with pytest.raises(ConfigurationError, match="takes a CredentialProvider object or ClientRules"):
        LocalService(provider)  # type: ignore[arg-type]  # on purpose
