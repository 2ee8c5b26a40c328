"""Code with the metadata address written into it reaches the fake, in threads and on event loops."""

from __future__ import annotations

import asyncio
import http.client
import socket
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing import (
    FakeCloud,
    RealAddressError,
    cloud_in_place,
    connect_rule,
    forbid_metadata,
    forbid_network,
    redirect_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "http://100.100.100.200/latest/meta-data/region-id"


def test_http_client_is_redirected(cloud: FakeCloud) -> None:
    with redirect_metadata(cloud.url):
        connection = http.client.HTTPConnection("100.100.100.200", timeout=5)
        connection.request("GET", "/latest/meta-data/region-id")
        assert connection.getresponse().read() == b"cn-hangzhou"
        connection.close()
    assert cloud.assert_called_once("item").header("Host") == "100.100.100.200"


def test_urllib_and_requests_are_redirected(cloud: FakeCloud) -> None:
    import requests

    with redirect_metadata(cloud.url):
        with urllib.request.urlopen(URL, timeout=5) as response:
            assert response.read() == b"cn-hangzhou"
        assert requests.get(URL, timeout=5, proxies={"http": ""}).text == "cn-hangzhou"


def test_connect_ex_is_redirected(cloud: FakeCloud) -> None:
    with redirect_metadata(cloud.url), socket.socket() as sock:
        assert sock.connect_ex(("100.100.100.200", 80)) == 0
        assert sock.getpeername() == (cloud.host, cloud.port)


async def test_asyncio_is_redirected(cloud: FakeCloud) -> None:
    with redirect_metadata(cloud.url):
        reader, writer = await asyncio.open_connection("100.100.100.200", 80)
        writer.write(b"GET /latest/meta-data/region-id HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"cn-hangzhou")
        writer.close()
        await writer.wait_closed()


def test_other_addresses_stay_as_they_are(cloud: FakeCloud) -> None:
    with redirect_metadata("http://127.0.0.1:9"):
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


def test_without_a_redirect_the_metadata_address_can_be_forbidden() -> None:
    with forbid_metadata() as tried, socket.socket() as sock:
        with pytest.raises(RealAddressError, match="ramrole_cloud"):
            sock.connect(("100.100.100.200", 80))
        assert len(tried) == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.invalid"])
def test_everything_but_loopback_can_be_forbidden(host: str) -> None:
    address = (host, 80)
    with forbid_network() as tried, socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        with pytest.raises(RealAddressError, match="only loopback"):
            sock.connect(address)
        assert len(tried) == 1


def test_sockets_of_this_machine_stay_allowed(cloud: FakeCloud, tmp_path: Path) -> None:
    with forbid_network() as tried, socket.socket() as sock, socket.socket(socket.AF_UNIX) as local:
        sock.connect(("localhost", cloud.port))
        with pytest.raises(FileNotFoundError):
            local.connect(str(tmp_path / "nobody"))
    assert tried == []


def test_an_address_that_is_not_a_pair_is_refused_by_the_socket_itself() -> None:
    wrong: Any = "127.0.0.1:80"
    with forbid_network() as tried, socket.socket() as sock, pytest.raises(TypeError):
        sock.connect(wrong)
    assert tried == []


def test_the_newest_rule_is_asked_first_and_all_are_undone() -> None:
    seen: list[str] = []

    def rule(name: str) -> Callable[[Any], Any]:
        def noted(address: Any) -> Any:
            seen.append(name)
            return address

        return noted

    with connect_rule(rule("outer")), connect_rule(rule("inner")), socket.socket() as sock:
        sock.connect_ex(("127.0.0.1", 9))
    assert seen == ["inner", "outer"]
    with socket.socket() as sock:
        sock.connect_ex(("127.0.0.1", 9))
    assert seen == ["inner", "outer"]


@pytest.mark.parametrize("name", ["project.127.0.0.1", "bucket.localhost", "A.B.LocalHost"])
def test_a_name_below_this_machine_reaches_the_cloud(ramrole_cloud: FakeCloud, name: str) -> None:
    """Clients of SLS and OSS put the project or the bucket before the endpoint."""
    connection = http.client.HTTPConnection(name, ramrole_cloud.port, timeout=5)
    connection.request("GET", "/latest/meta-data/region-id")
    assert connection.getresponse().read() == b"cn-hangzhou"
    connection.close()


def test_a_name_below_this_machine_is_known_to_asyncio_and_to_requests(ramrole_cloud: FakeCloud) -> None:
    import requests

    async def fetch() -> bytes:
        reader, writer = await asyncio.open_connection("project.localhost", ramrole_cloud.port)
        writer.write(b"GET /latest/meta-data/region-id HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    assert asyncio.run(fetch()).endswith(b"cn-hangzhou")
    url = f"http://project.127.0.0.1:{ramrole_cloud.port}/latest/meta-data/region-id"
    assert requests.get(url, timeout=5).text == "cn-hangzhou"


def test_names_are_resolved_as_before_when_the_cloud_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    before = socket.getaddrinfo
    with FakeCloud() as cloud, cloud_in_place(cloud):
        kept = socket.getaddrinfo
        socket.getaddrinfo("project.localhost", 80)
        socket.getaddrinfo("localhost.example", 80)
        socket.getaddrinfo(None, 80)
    assert socket.getaddrinfo is before
    kept("project.localhost", 80)  # by code that imported the function
    assert asked == ["127.0.0.1", "localhost.example", None, "project.localhost"]


def test_a_patch_by_somebody_else_that_was_taken_back_meanwhile_stays_so(cloud: FakeCloud) -> None:
    with connect_rule(lambda address: address):
        del socket.socket.connect  # as a tool does that restores what it found at its start
    with socket.socket() as sock:
        sock.connect((cloud.host, cloud.port))
        assert sock.getpeername() == (cloud.host, cloud.port)
