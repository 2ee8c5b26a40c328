"""The status of a provider, as probes and dashboards use it."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone

from ramrole_creds import Credentials, FetchError, FunctionProvider
from ramrole_creds.testing.clocks import VirtualClock

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
