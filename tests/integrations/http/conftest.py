"""One driver for each HTTP client, so that one suite holds for all of them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from ramrole_creds import signing
from ramrole_creds.credentials import Credentials
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.account.credential_store import Identity

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials

TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


Send = Callable[..., Answer]


class Rotating:
    """A provider whose tokens the cloud knows; a new one for each refresh."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud
        self.refreshed: list[Credentials] = []
        self.can_refresh = True
        self.current = self._issue()

    def get_credentials(self, valid_for: float = 0.0) -> Credentials:
        del valid_for
        return self.current

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        self.refreshed.append(rejected or self.current)
        if self.can_refresh:
            self.current = self._issue()
        return self.current

    def _issue(self) -> Credentials:
        now = self._cloud.clock.time()
        issued: IssuedCredentials = self._cloud.credential_store.issue(
            Identity("acs:ram::1:assumed-role/web/s"), now=now, lifetime=TOKEN_LIFE.total_seconds()
        )
        return Credentials(issued.access_key_id, issued.access_key_secret, issued.security_token)


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as fake:
        yield fake


@pytest.fixture
def stranger() -> Iterator[FakeCloud]:
    with FakeCloud() as fake:
        yield fake


@pytest.fixture
def provider(cloud: FakeCloud) -> Rotating:
    return Rotating(cloud)


@pytest.fixture
def signer(cloud: FakeCloud, provider: Rotating) -> signing.Signer:
    return signing.Signer(provider, signing.ACS3(), clock=cloud.clock)


def with_requests(signer: signing.Signer, method: str, url: str, *, hosts: Any = None, **call: Any) -> Answer:
    import requests

    from ramrole_creds.integrations.requests import RequestsAuth

    with requests.Session() as session:
        answer = session.request(
            method,
            url,
            data=call.get("body"),
            headers=call.get("headers"),
            params=call.get("params"),
            allow_redirects=call.get("follow", True),
            auth=RequestsAuth(signer, hosts),
            timeout=10,
        )
        return Answer(answer.status_code, answer.content, answer.headers)


def with_httpx(signer: signing.Signer, method: str, url: str, *, hosts: Any = None, **call: Any) -> Answer:
    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    with httpx.Client(follow_redirects=call.get("follow", True), trust_env=False) as client:
        answer = client.request(
            method,
            url,
            content=call.get("body"),
            headers=call.get("headers"),
            params=call.get("params"),
            auth=HttpxAuth(signer, hosts),
        )
        return Answer(answer.status_code, answer.content, answer.headers)


def with_httpx_async(signer: signing.Signer, method: str, url: str, *, hosts: Any = None, **call: Any) -> Answer:
    import httpx

    from ramrole_creds.integrations.httpx import HttpxAuth

    async def send() -> Answer:
        async with httpx.AsyncClient(follow_redirects=call.get("follow", True), trust_env=False) as client:
            answer = await client.request(
                method,
                url,
                content=_async_body(call.get("body")),
                headers=call.get("headers"),
                params=call.get("params"),
                auth=HttpxAuth(signer, hosts),
            )
            return Answer(answer.status_code, answer.content, answer.headers)

    return asyncio.run(send())


def with_aiohttp(signer: signing.Signer, method: str, url: str, *, hosts: Any = None, **call: Any) -> Answer:
    import aiohttp

    from ramrole_creds.integrations.aiohttp import AiohttpAuth

    async def send() -> Answer:
        async with (
            aiohttp.ClientSession(middlewares=(AiohttpAuth(signer, hosts),)) as session,
            session.request(
                method,
                url,
                data=_async_body(call.get("body")),
                headers=call.get("headers"),
                params=call.get("params"),
                allow_redirects=call.get("follow", True),
            ) as answer,
        ):
            return Answer(answer.status, await answer.read(), answer.headers)

    return asyncio.run(send())


def with_urllib3(signer: signing.Signer, method: str, url: str, *, hosts: Any = None, **call: Any) -> Answer:
    import urllib3

    from ramrole_creds.integrations.urllib3 import SigningPool

    if call.get("params"):
        url += ("&" if "?" in url else "?") + urlencode(call["params"])
    with urllib3.PoolManager() as pool:
        answer = SigningPool(signer, pool, hosts).request(
            method, url, call.get("body"), call.get("headers"), redirect=call.get("follow", True)
        )
        return Answer(answer.status, answer.data, answer.headers)


CLIENTS: dict[str, Send] = {
    "requests": with_requests,
    "httpx": with_httpx,
    "httpx-async": with_httpx_async,
    "aiohttp": with_aiohttp,
    "urllib3": with_urllib3,
}


@pytest.fixture(params=list(CLIENTS))
def send(request: pytest.FixtureRequest) -> Send:
    client: Send = CLIENTS[request.param]
    return client


@pytest.fixture
def client(request: pytest.FixtureRequest) -> str:
    """Name of the client in use."""
    return str(request.node.callspec.params["send"])


def _async_body(body: Any) -> Any:
    """Asynchronous clients take asynchronous iterables."""
    if body is None or isinstance(body, (str, bytes, io.IOBase)) or not isinstance(body, Iterable):
        return body

    async def chunks() -> Any:
        for chunk in body:
            yield chunk

    return chunks()
