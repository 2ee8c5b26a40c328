"""A fake cloud starts fast, takes a crowd, and leaves nothing behind."""

from __future__ import annotations

import gc
import http.client
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import FakeCloud, FakeCloudDefect, VirtualClock, WireRequest, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.testing.conftest import Answer

    Ask = Callable[..., Answer]

DOCUMENT = "/latest/meta-data/ram/security-credentials/web"


def test_it_starts_in_less_than_fifty_milliseconds() -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        cloud = FakeCloud().start()
        times.append(time.perf_counter() - began)
        cloud.stop()
    assert min(times) < 0.05


def test_the_lifetime_of_credentials_may_be_a_timedelta() -> None:
    assert FakeCloud(credential_lifetime=timedelta(hours=2)).instance.credential_lifetime == 7200
    with pytest.raises(ValueError, match="must be at least 2 seconds, not 1"):
        FakeCloud(credential_lifetime=timedelta(seconds=1))


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    def sockets() -> list[socket.socket]:
        gc.collect()
        return [one for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0]

    before = sockets()
    with FakeCloud(clock=VirtualClock(0)) as cloud:
        cloud.faults.add("item", "hang")
        idle = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)  # kept alive beyond the stop
        idle.request("GET", DOCUMENT)
        idle.getresponse().read()
        hung = socket.create_connection((cloud.host, cloud.port))
        hung.sendall(b"GET / HTTP/1.1\r\n\r\n")
        half = socket.create_connection((cloud.host, cloud.port))
        half.sendall(b"GET /latest HTTP/1.1\r\nHost:")
        cloud.faults.add("*", "refuse", between=(100, 200))
    for one in (hung, half, idle):
        one.close()
    assert [one for one in sockets() if not any(one is other for other in before)] == []
    # Other threads come and go: the official client's scheduler, where a test before this one used it.
    assert [one.name for one in threading.enumerate() if one.name.startswith("fake-cloud")] == []


def test_a_hundred_clients_at_once_are_all_served(cloud: FakeCloud, ask: Ask) -> None:
    together = threading.Barrier(100)

    def client(_: int) -> bytes:
        together.wait(10)
        return ask(DOCUMENT).body

    with ThreadPoolExecutor(100) as pool:
        bodies = set(pool.map(client, range(100)))
    assert len(bodies) == 1
    assert len(cloud.assert_called("credentials", 100, status=200)) == 100


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no limit on descriptors to raise")
def test_descriptors_above_a_thousand_are_served(cloud: FakeCloud, ask: Ask) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2100:
        pytest.skip("this process may not open two thousand descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2100), hard))
    fillers = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        assert ask(DOCUMENT).status == 200
        cloud.faults.add("credentials", "latency", seconds=0.01)
        cloud.faults.add("*", "refuse", between=(0, 1))
        cloud.clock.advance(1)
        assert ask(DOCUMENT).status == 200
    finally:
        for number in fillers:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_serves_many_requests(cloud: FakeCloud) -> None:
    connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
    for _ in range(3):
        connection.request("GET", DOCUMENT)
        assert connection.getresponse().read()
    connection.close()
    assert {one.connection for one in cloud.requests} == {1}


def test_pipelined_requests_are_answered_in_order(cloud: FakeCloud) -> None:
    with socket.create_connection((cloud.host, cloud.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\nGET /latest/meta-data/mac HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received.index(b"2016-01-01") < received.index(b"00:16:3e")


def test_chunked_bodies_and_continue_are_understood(cloud: FakeCloud) -> None:
    with socket.create_connection((cloud.host, cloud.port)) as sock:
        sock.sendall(
            b"PUT /x HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 404 ")
    assert cloud.requests[0].request.body == b"abcde"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9 x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_no_http_is_answered_and_cut(cloud: FakeCloud, sent: bytes, status: bytes) -> None:
    with socket.create_connection((cloud.host, cloud.port)) as sock:
        sock.sendall(sent)
        assert sock.recv(100).split(b" ")[1] == status


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
    ids=["of a length", "in a chunk"],
)
def test_a_request_whose_client_leaves_inside_its_body_is_dropped(cloud: FakeCloud, head: bytes) -> None:
    with socket.create_connection((cloud.host, cloud.port), timeout=10) as sock:
        sock.sendall(b"PUT /x HTTP/1.1\r\n" + head)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""
    assert list(cloud.requests) == []
    cloud.check()


def test_two_clouds_are_two_clouds() -> None:
    with FakeCloud("one") as first, FakeCloud("two") as second:
        assert first.port != second.port
        assert first.instance.attached() == ["one"]
        assert second.instance.attached() == ["two"]


def test_a_taken_port_is_an_error(cloud: FakeCloud) -> None:
    other = FakeCloud(port=cloud.port)
    with pytest.raises(OSError, match=r"in use|only one usage"):
        other.start()


def test_stopping_twice_and_starting_again_work() -> None:
    cloud = FakeCloud()
    for _ in range(2):
        with cloud:
            connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            connection.close()
        cloud.stop()


async def test_it_is_an_async_context_manager_too() -> None:
    async with FakeCloud() as cloud:
        assert cloud.port


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_child_does_not_hold_the_port(cloud: FakeCloud, ask: Ask) -> None:
    ask("/")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        held = 1
        try:
            os.close(reader)
            mine = {one.fileno() for one in gc.get_objects() if isinstance(one, socket.socket)} - {-1}
            held = int(any(_is_listener(number, cloud.port) for number in mine))
        finally:
            os.write(writer, bytes([held]))
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1)
    os.close(reader)
    os.waitpid(child, 0)
    assert answer == b"\0"
    assert ask("/").status == 200


def _is_listener(number: int, port: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as sock:
        return bool(sock.family == socket.AF_INET and sock.getsockname()[1] == port)


class Broken:
    name = "broken"

    def recognizes(self, request: WireRequest) -> bool:
        return request.path == "/broken"

    def handle(self, request: WireRequest) -> WireResponse:
        raise ZeroDivisionError(request.path)


def test_a_defect_of_the_fake_itself_fails_the_test() -> None:
    cloud = FakeCloud(services=[Broken()]).start()
    connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)
    connection.request("GET", "/broken")
    assert connection.getresponse().status == 500
    connection.close()
    with pytest.raises(FakeCloudDefect, match="ZeroDivisionError"):
        cloud.__exit__(None, None, None)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_it_listens_on_ipv6() -> None:
    try:
        cloud = FakeCloud(host="::1").start()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with cloud:
        assert cloud.url == f"http://[::1]:{cloud.port}"
        connection = http.client.HTTPConnection("::1", cloud.port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


def test_the_toolkit_costs_nothing_until_it_is_used() -> None:
    import subprocess

    code = (
        "import sys, ramrole_creds.testing.pytest_plugin, ramrole_creds.testing\n"
        "loaded = [m for m in sys.modules if m.startswith('ramrole_creds.testing.')]\n"
        "assert loaded == ['ramrole_creds.testing.pytest_plugin'], loaded\n"
        "assert not {'requests', 'asyncio', 'yaml', 'cryptography'} & set(sys.modules) - before\n"
    )
    before = "import pytest, sys\nbefore = set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", before + code], check=True)
