"""A SOCKS proxy: STS is asked through it, by name, and within the time limit."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.testing import FakeCloud

pytest.importorskip("socks", reason="PySocks")

if TYPE_CHECKING:
    from collections.abc import Iterator


class SocksServer:
    """SOCKS 5 without a password: every name leads to one port of this machine. Silent, it answers nothing."""

    def __init__(self, port: int, *, silent: bool = False) -> None:
        self.asked: list[tuple[str, int]] = []
        self._port = port
        self._silent = silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5h://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        held = []
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                held.append(client)
                if not self._silent:
                    threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        for client in held:
            client.close()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as cloud:
            client.recv(2 + client.recv(2)[1])  # the methods
            client.sendall(b"\x05\x00")
            assert client.recv(4) == b"\x05\x01\x00\x03"  # connect to a name
            name = client.recv(client.recv(1)[0]).decode()
            self.asked.append((name, struct.unpack(">H", client.recv(2))[0]))
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            while True:
                for source in select.select([client, cloud], [], [])[0]:
                    data = source.recv(65536)
                    (cloud if source is client else client).sendall(data)
                    if not data:
                        return


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as running:
        yield running


def test_a_service_is_asked_through_a_socks_proxy_by_its_name(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = SocksServer(cloud.port)
    monkeypatch.setenv("http_proxy", proxy.url)
    url = "http://sts.example.aliyuncs.com/latest/meta-data/region-id"
    transport = HttpTransport(use_environment=True)
    assert transport.request("GET", url, time_limit=10).body == b"cn-hangzhou"
    assert proxy.asked == [("sts.example.aliyuncs.com", 80)]
    proxy.close()


def test_a_socks_proxy_that_does_not_answer_costs_no_more_than_its_time(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = SocksServer(cloud.port, silent=True)
    monkeypatch.setenv("http_proxy", proxy.url)
    begun = time.monotonic()
    with pytest.raises(HttpError):
        HttpTransport(use_environment=True).request("GET", "http://sts.example.aliyuncs.com/", time_limit=0.5)
    assert time.monotonic() - begun < 10
    proxy.close()
