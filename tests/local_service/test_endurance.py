"""A day of the local service in virtual time, and requests that nobody thought of."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramrole_creds import StaticProvider

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import LocalService, ServiceLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.testing import FakeCloud

DESCRIPTORS = Path("/proc/self/fd")
ROUNDS_OF_A_DAY = 96
FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))


def in_use() -> tuple[int, int]:
    """Open descriptors and live objects of this process."""
    gc.collect()
    return len(list(DESCRIPTORS.iterdir())), len(gc.get_objects())


@pytest.mark.slow
@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors in /proc")
def test_a_day_with_outages_leaves_no_descriptor_and_no_object_behind(
    ramrole_provider: EcsRamRoleProvider, ramrole_cloud: FakeCloud
) -> None:
    limits = ServiceLimits(requests_per_second=0)
    with LocalService(ramrole_provider, metadata=True, admin_port=0, limits=limits) as service:

        def a_quarter_of_an_hour(number: int) -> None:
            with requests.Session() as client:
                client.trust_env = False
                assert client.get(service.uri, timeout=10).status_code == 200
                assert client.get(f"{service.url}/nothing", timeout=10).status_code == 404
                assert client.get(f"{service.admin_url}/metrics", timeout=10).status_code == 200
            if number % 12 == 0:
                ramrole_cloud.faults.add("metadata", 503, times=2)
            ramrole_cloud.clock.advance(minutes=15)
            ramrole_cloud.requests.clear()

        for number in range(12):
            a_quarter_of_an_hour(number)
        descriptors, objects = in_use()
        for number in range(ROUNDS_OF_A_DAY):
            a_quarter_of_an_hour(number)
        descriptors_after, objects_after = in_use()
    assert descriptors_after <= descriptors + 2
    assert objects_after < objects * 1.05


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalService]:
    """A service whose secret no request of these tests knows."""
    limits = ServiceLimits(requests_per_second=0, request_seconds=0.3, idle_seconds=1)
    with LocalService(StaticProvider("STS.guarded", "s", "t"), metadata=True, limits=limits) as service:
        yield service


METHODS = st.sampled_from([b"GET", b"PUT", b"POST", b"HEAD", b"G\x00T", b"", b"CONNECT", b"PRI"])
PATHS = st.one_of(
    st.sampled_from(
        [
            b"/",
            b"//",
            b"/latest/api/token",
            b"/latest/meta-data/ram/security-credentials/",
            b"/latest/meta-data/ram/security-credentials/web",
            b"/latest/../latest/meta-data/ram/security-credentials/",
            b"http://127.0.0.1/latest/user-data",
            b"*",
            b"/%2e%2e/%00",
        ]
    ),
    st.binary(max_size=60),
)
HEADERS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"Host: localhost",
                b"Host: evil.example",
                b"Content-Length: 5",
                b"Content-Length: -1",
                b"Content-Length: 99999999999999999999",
                b"Transfer-Encoding: chunked",
                b"X-aliyun-ecs-metadata-token: AAAA",
                b"X-aliyun-ecs-metadata-token-ttl-seconds: 60",
                b"Connection: upgrade",
                b"Upgrade: websocket",
                b"Expect: 100-continue",
            ]
        ),
        st.binary(max_size=40),
    ),
    max_size=6,
)


def send(service: LocalService, content: bytes) -> bytes:
    """What the service answers to some bytes, after which the client is silent."""
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as client:
        received = b""
        try:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionError:
            pass
    return received


@given(method=METHODS, path=PATHS, headers=HEADERS, body=st.binary(max_size=50))
@settings(max_examples=FUZZ_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_gets_credentials_without_the_secret_and_none_ends_the_service(
    guarded: LocalService, method: bytes, path: bytes, headers: list[bytes], body: bytes
) -> None:
    request = b"\r\n".join([method + b" " + path + b" HTTP/1.1", *headers, b"", body])
    assert b"AccessKey" not in send(guarded, request)
    parts = urlsplit(guarded.uri)
    good = f"GET {parts.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    assert b"STS.guarded" in send(guarded, good)
