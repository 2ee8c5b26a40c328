"""How long it takes to fail: every failure ends in time, and a missing service is reported at once."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import ramrole_creds._http.connection  # noqa: F401  # ahead of time: loading it would use up the short time limits
from ramrole_creds import EcsRamRoleProvider, RefreshPolicy, default_provider
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import MetadataUnreachable, NoCredentialsError, RamRoleError
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

SLACK = 1.5
"""Seconds that a busy machine may add."""


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


@pytest.mark.parametrize("what", ["hang", "drip", "reset", "close", 503, 429, "informational", "oversize"])
@pytest.mark.parametrize("where", ["token", "role", "credentials", "metadata"])
def test_every_cold_failure_ends_within_fetch_timeout(cloud: FakeCloud, where: str, what: str | int) -> None:
    options: dict[str, Any] = {"interval": 0.5} if what == "drip" else {}
    cloud.faults.add(where, what, **options)
    policy = RefreshPolicy(fetch_timeout=0.4)
    with EcsRamRoleProvider(
        endpoint=cloud.url, token_mode="require", read_timeout=0.2, clock=cloud.clock, policy=policy
    ) as provider:
        begun = time.monotonic()
        with pytest.raises(RamRoleError) as raised:
            provider.get_credentials()
        assert time.monotonic() - begun < policy.fetch_timeout + SLACK
        assert type(raised.value) is not RamRoleError


def test_without_a_metadata_service_default_provider_fails_within_three_seconds(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("blackhole")
    provider = default_provider(endpoint=cloud.url, clock=cloud.clock)
    begun = time.monotonic()
    with pytest.raises(NoCredentialsError) as raised:
        provider.get_credentials()
    assert time.monotonic() - begun < 3
    text = str(raised.value)
    assert "ALIBABA_CLOUD_ECS_METADATA_DISABLED" in text
    assert "100.64.0.0/10" in text
    begun = time.monotonic()
    with pytest.raises(NoCredentialsError):
        provider.get_credentials()
    assert time.monotonic() - begun < 0.5, "the time-out is not paid again at once"
    provider.close()


def test_an_unanswered_attempt_to_connect_is_not_repeated(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("blackhole")
    waits: list[float] = []
    transport = HttpTransport(connect_timeout=0.1, sleep=waits.append)
    with pytest.raises(MetadataUnreachable, match="the attempt to connect was not answered") as raised:
        MetadataClient(cloud.url, transport=transport).role_names()
    assert not waits
    assert "Tailscale" in str(raised.value)


def test_a_refused_connection_is_tried_again_a_few_times_and_quickly(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("refuse")
    waits: list[float] = []
    with pytest.raises(MetadataUnreachable, match="connection refused"):
        MetadataClient(cloud.url, transport=HttpTransport(sleep=waits.append)).role_names()
    assert len(waits) == 2
    assert sum(waits) < 0.5


def test_a_name_that_does_not_resolve_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    client = MetadataClient("http://no-such-host.invalid", transport=HttpTransport(sleep=lambda _seconds: None))
    with pytest.raises(MetadataUnreachable, match=r"PUT http://no-such-host\.invalid/.*: name or service"):
        client.role_names()


def test_a_service_that_comes_up_while_it_is_asked_is_found(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("refuse")
    transport = HttpTransport(sleep=lambda _seconds: cloud.enable_endpoint())
    assert MetadataClient(cloud.url, clock=cloud.clock, transport=transport).role_names() == ("web",)


def test_retry_after_is_honoured(cloud: FakeCloud) -> None:
    cloud.faults.add("role", 429, retry_after=3, times=1)
    waits: list[float] = []
    client = MetadataClient(cloud.url, clock=cloud.clock, transport=HttpTransport(sleep=waits.append))
    assert client.role_names() == ("web",)
    assert waits == [3.0]


def test_a_service_that_asks_for_more_time_than_there_is_is_left_alone(cloud: FakeCloud) -> None:
    cloud.faults.add("role", 429, retry_after=3600)
    waits: list[float] = []
    client = MetadataClient(cloud.url, clock=cloud.clock, transport=HttpTransport(sleep=waits.append))
    with pytest.raises(RamRoleError, match="Throttled") as raised:
        client.role_names()
    assert not waits
    assert getattr(raised.value, "retry_after", None) == 3600.0
    cloud.assert_called_once("role")


async def test_threads_and_tasks_that_wait_for_a_silent_service_all_end_together(cloud: FakeCloud) -> None:
    cloud.disable_endpoint("blackhole")
    with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, connect_timeout=0.3) as provider:

        def ask() -> str:
            with pytest.raises(MetadataUnreachable) as raised:
                provider.get_credentials()
            return str(raised.value)

        async def ask_async() -> str:
            with pytest.raises(MetadataUnreachable) as raised:
                await provider.get_credentials_async()
            return str(raised.value)

        begun = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            threads = [asyncio.wrap_future(pool.submit(ask)) for _ in range(50)]
            texts = await asyncio.gather(*threads, *(ask_async() for _ in range(50)))
        assert time.monotonic() - begun < 0.3 + SLACK
        assert len(set(texts)) == 1
        assert provider.status().fetches == 1


def test_many_first_calls_cost_one_request_for_each_step(cloud: FakeCloud) -> None:
    with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider, ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda _: provider.get_credentials(), range(1000)))
    assert len({id(one) for one in found}) == 1
    assert cloud.requests.counts() == {"token": 1, "role": 1, "credentials": 1}
