"""A fake cloud at a fixed time, and two plain ways of asking it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import StaticProvider
from ramrole_creds.signing import RPC, Request, Signer
from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing import IssuedCredentials

Ask = Callable[..., "Answer"]
START = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def cloud(clock: Clock) -> Iterator[FakeCloud]:
    with FakeCloud(clock=clock, seed=1) as running:
        yield running


@pytest.fixture
def web(cloud: FakeCloud) -> IssuedCredentials:
    """Credentials of the attached role."""
    issued = cloud.instance.credentials("web", cloud.clock.time())
    assert issued is not None
    return issued


@pytest.fixture
def ask(cloud: FakeCloud) -> Callable[..., Answer]:
    """GET a path (or another method) on a connection of its own."""

    def asked(path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.reason, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    return asked


@pytest.fixture
def token(ask: Callable[..., Answer]) -> Callable[..., Mapping[str, str]]:
    """Fetch a session token of the metadata service; gives the header that carries it."""

    def fetched(ttl: str = "21600") -> Mapping[str, str]:
        answer = ask("/latest/api/token", "PUT", {"X-aliyun-ecs-metadata-token-ttl-seconds": ttl})
        assert answer.status == 200, answer
        return {"X-aliyun-ecs-metadata-token": answer.text}

    return fetched


@pytest.fixture
def call(cloud: FakeCloud) -> Callable[..., Answer]:
    """Call an action of STS (or of another API by its version), signed RPC style by whoever is given."""

    def called(signer: IssuedCredentials | None, action: str, version: str = "2015-04-01", **parameters: str) -> Answer:
        params = {"Action": action, "Version": version, "Format": "JSON", **parameters}
        request = Request("POST", f"{cloud.sts_endpoint}/", params=params)
        if signer is not None:
            provider = StaticProvider(signer.access_key_id, signer.access_key_secret, signer.security_token)
            request = Signer(provider, RPC(), clock=cloud.clock).sign(request)
        connection = http.client.HTTPConnection(cloud.host, cloud.port, timeout=10)
        try:
            target = request.url.partition(f":{cloud.port}")[2]
            connection.request(request.method, target, request.body, dict(request.headers))
            response = connection.getresponse()
            return Answer(response.status, response.reason, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    return called
