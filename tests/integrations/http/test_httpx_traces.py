"""A trace of the user's own is called beside the one that signs the hops of a redirect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import EcsRamRoleProvider, Signer, signing

httpx = pytest.importorskip("httpx", reason="the extra httpx")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud

HEADERS = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}


@pytest.fixture
def auth(ramrole_cloud: FakeCloud) -> Iterator[Any]:
    from ramrole_creds.integrations.httpx import HttpxAuth

    with EcsRamRoleProvider(endpoint=ramrole_cloud.url, clock=ramrole_cloud.clock) as provider:
        yield HttpxAuth(Signer(provider, signing.ACS3(), clock=ramrole_cloud.clock))


@pytest.mark.parametrize("follow", [True, False])
def test_a_trace_of_a_client_is_called(auth: Any, ramrole_cloud: FakeCloud, follow: bool) -> None:
    seen: list[str] = []
    with httpx.Client(auth=auth, follow_redirects=follow, trust_env=False) as client:
        response = client.post(
            ramrole_cloud.url, headers=HEADERS, extensions={"trace": lambda event, _: seen.append(event)}
        )
    assert response.json()["IdentityType"] == "AssumedRoleUser"
    assert "http11.send_request_headers.started" in seen


def test_a_trace_of_an_asynchronous_client_is_called(auth: Any, ramrole_cloud: FakeCloud) -> None:
    seen: list[str] = []

    async def trace(event: str, _: object) -> None:
        seen.append(event)

    async def call() -> Any:
        async with httpx.AsyncClient(auth=auth, follow_redirects=True, trust_env=False) as client:
            return await client.post(ramrole_cloud.url, headers=HEADERS, extensions={"trace": trace})

    assert asyncio.run(call()).json()["IdentityType"] == "AssumedRoleUser"
    assert "http11.send_request_headers.started" in seen


def test_a_trace_is_called_for_each_hop_of_a_redirect(auth: Any, ramrole_cloud: FakeCloud) -> None:
    ramrole_cloud.faults.add("POST /old", "redirect", location="/new", status=307)
    seen: list[str] = []
    with httpx.Client(auth=auth, follow_redirects=True, trust_env=False) as client:
        response = client.post(
            f"{ramrole_cloud.url}/old", headers=HEADERS, extensions={"trace": lambda event, _: seen.append(event)}
        )
    assert response.json()["IdentityType"] == "AssumedRoleUser"
    assert seen.count("http11.send_request_headers.started") == 2


def test_an_asynchronous_trace_is_called_for_each_hop_of_a_redirect(auth: Any, ramrole_cloud: FakeCloud) -> None:
    ramrole_cloud.faults.add("POST /old", "redirect", location="/new", status=307)
    seen: list[str] = []

    async def trace(event: str, _: object) -> None:
        seen.append(event)

    async def call() -> Any:
        async with httpx.AsyncClient(auth=auth, follow_redirects=True, trust_env=False) as client:
            return await client.post(f"{ramrole_cloud.url}/old", headers=HEADERS, extensions={"trace": trace})

    assert asyncio.run(call()).json()["IdentityType"] == "AssumedRoleUser"
    assert seen.count("http11.send_request_headers.started") == 2


def test_requests_are_signed_under_trio_too(auth: Any, ramrole_cloud: FakeCloud) -> None:
    trio = pytest.importorskip("trio", reason="trio")

    async def call() -> Any:
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            return await client.post(ramrole_cloud.url, headers=HEADERS)

    assert trio.run(call).json()["IdentityType"] == "AssumedRoleUser"


class Rebuilding(httpx.BaseTransport):  # type: ignore[name-defined]  # httpx may be missing
    """Sends a request of its own, with the extensions of the signed one."""

    def handle_request(self, request: Any) -> Any:
        with httpx.HTTPTransport() as inner:
            answer = inner.handle_request(rebuilt(request))
            return httpx.Response(answer.status_code, content=answer.read())


class AsyncRebuilding(httpx.AsyncBaseTransport):  # type: ignore[name-defined]  # as above
    """The same for asynchronous clients."""

    async def handle_async_request(self, request: Any) -> Any:
        async with httpx.AsyncHTTPTransport() as inner:
            answer = await inner.handle_async_request(rebuilt(request))
            return httpx.Response(answer.status_code, content=await answer.aread())


def rebuilt(request: Any) -> Any:
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=request.stream, extensions=request.extensions
    )


def test_a_trace_is_called_by_a_transport_that_passes_it_on(auth: Any, ramrole_cloud: FakeCloud) -> None:
    seen: list[str] = []
    with httpx.Client(auth=auth, transport=Rebuilding()) as client:
        answer = client.post(
            ramrole_cloud.url, headers=HEADERS, extensions={"trace": lambda event, _: seen.append(event)}
        )
    assert answer.json()["IdentityType"] == "AssumedRoleUser"
    assert "http11.send_request_headers.started" in seen


@pytest.mark.parametrize("traced", [True, False])
def test_an_asynchronous_trace_is_called_by_a_transport_that_passes_it_on(
    traced: bool, auth: Any, ramrole_cloud: FakeCloud
) -> None:
    seen: list[str] = []

    async def trace(event: str, _: object) -> None:
        seen.append(event)

    async def call() -> Any:
        async with httpx.AsyncClient(auth=auth, transport=AsyncRebuilding()) as client:
            return await client.post(ramrole_cloud.url, headers=HEADERS, extensions={"trace": trace} if traced else {})

    assert asyncio.run(call()).json()["IdentityType"] == "AssumedRoleUser"
    assert ("http11.send_request_headers.started" in seen) is traced
