"""The status of a provider, as probes and dashboards use it."""

from __future__ import annotations

import json
import pickle
from contextlib import suppress
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    FetchError,
    FunctionProvider,
    ProviderChain,
    PushProvider,
    StaticProvider,
    default_provider,
    provider_from_url,
    shared_provider,
)
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable


def pushed() -> PushProvider:
    provider = PushProvider()
    provider.update(Credentials("STS.NT0123456789", "s3cret", "t0ken"))
    return provider


ANSWER = Credentials("LTAI5tkey1234567", "s3cret")
PROVIDERS: dict[str, Callable[[], CredentialProvider]] = {
    "static": lambda: StaticProvider("LTAI5tkey1234567", "s3cret"),
    "static with an end": lambda: StaticProvider(
        "STS.NT0", "s3cret", "t0ken", datetime.max.replace(tzinfo=timezone.utc)
    ),
    "function": lambda: FunctionProvider(lambda: ANSWER),
    "chain": lambda: ProviderChain(FunctionProvider(lambda: ANSWER)),
    "metadata": EcsRamRoleProvider,
    "default": default_provider,
    "shared": shared_provider,
    "url": lambda: provider_from_url("ecs-ram-role://"),
    "push": pushed,
}

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_status_is_usable_exactly_while_a_call_would_return_credentials() -> None:
    clock = VirtualClock(START)
    fail = [False]

    def fetch() -> Credentials:
        if fail[0]:
            raise FetchError("out of order")
        return Credentials("STS.NT0123456789", "s3cret", "t0ken", clock.now() + timedelta(hours=1), "test", "web")

    with FunctionProvider(fetch, clock=clock) as provider:
        assert not provider.status().usable
        provider.get_credentials()
        fail[0] = True
        seen = []
        for minutes in (0, 50, 7, 4):
            clock.advance(minutes=minutes)
            seen.append((provider.status().state, provider.status().usable))
        assert seen == [("fresh", True), ("advisory", True), ("mandatory", True), ("expired", False)]


def test_status_as_a_dict_is_json_without_secrets_and_survives_a_pickle() -> None:
    clock = VirtualClock(START)
    ends = START + timedelta(hours=1)
    with FunctionProvider(lambda: Credentials("STS.NT0123456789", "s3cret", "t0ken", ends), clock=clock) as provider:
        provider.get_credentials()
        status = provider.status()
    shown = json.loads(json.dumps(status.as_dict()))
    assert shown["usable"] is True
    assert shown["state"] == "fresh"
    assert shown["expiration"] == "2026-01-01T01:00:00Z"
    assert shown["generation"] == 1
    assert shown["last_error"] is None
    assert "s3cret" not in json.dumps(shown)
    assert "t0ken" not in json.dumps(shown)
    assert pickle.loads(pickle.dumps(status)) == status


def test_status_of_a_clock_beyond_all_dates_shows_no_moments() -> None:
    clock = VirtualClock(START)
    with FunctionProvider(lambda: Credentials("LTAI5tkey", "secret"), clock=clock) as provider:
        provider.get_credentials()
        clock.step_wall(1e12)
        assert provider.status().last_fetch is None
        assert provider.status().usable


class Words(str):
    """A string of a class of a plug-in's own."""

    __slots__ = ()


def test_status_as_a_dict_can_be_written_as_utf_8_whatever_a_source_says() -> None:
    """Paths that are not UTF-8 come with halves of characters, which an encoder without `ensure_ascii` refuses."""

    def fetch() -> Credentials:
        return Credentials("STS.NT0123456789", "s3cret", identity=Words("role \udcff"), provider_name=Words("own"))

    def fail() -> Credentials:
        raise FetchError("no file /home/\udcff/key\nsecond line")

    for answer in (fetch, fail):
        provider = FunctionProvider(answer)
        with suppress(FetchError):
            provider.get_credentials()
        shown = provider.status().as_dict()
        assert json.loads(json.dumps(shown, ensure_ascii=False, allow_nan=False).encode()) == shown
        assert {type(value) for value in shown.values()} <= {str, int, bool, type(None)}
        status = provider.status()  # one reading of the clock
        assert pickle.loads(pickle.dumps(status)) == status


@pytest.mark.usefixtures("ramrole_cloud")
@pytest.mark.parametrize("make", PROVIDERS, ids=list(PROVIDERS))
def test_status_of_every_provider_is_json_and_a_pickle_from_empty_to_closed(make: str) -> None:
    provider = PROVIDERS[make]()
    usable = []
    for step in (lambda: None, provider.get_credentials, provider.close):
        step()
        status = provider.status()
        shown = status.as_dict()
        usable.append(status.usable)
        assert json.loads(json.dumps(shown, ensure_ascii=False, allow_nan=False).encode()) == shown
        assert pickle.loads(pickle.dumps(status)) == status
        assert set(shown) == {"usable", *(field.name for field in fields(status))}
        assert "s3cret" not in str(shown)
    assert usable == [False, True, False]
