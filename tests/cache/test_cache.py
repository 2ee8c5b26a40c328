"""What a caller sees of the cache beyond the scenarios: events, status, logs, errors, policies."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    CredentialsExpired,
    EnvironmentProvider,
    FetchContext,
    FetchError,
    FunctionProvider,
    RefreshPolicy,
    StaticProvider,
    events,
)
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds.testing.clocks import VirtualClock
from tests.cachesim.upstream import Upstream
from tests.cachesim.world import World


class Source:
    """Six-hour credentials of a virtual clock, or an error."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.count = 0
        self.error: BaseException | None = None
        self.identity = "web"

    def __call__(self) -> Credentials:
        self.count += 1
        if self.error is not None:
            raise self.error
        ends = self.clock.now() + timedelta(hours=6)
        return Credentials(f"STS.NT{self.count:012d}", "s3cret", "t0ken", ends, "test", self.identity)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_800_000_000)


@pytest.fixture
def source(clock: VirtualClock) -> Source:
    return Source(clock)


@pytest.fixture
def received() -> list[events.Event]:
    return []


@pytest.fixture
def provider(source: Source, clock: VirtualClock, received: list[events.Event]) -> FunctionProvider:
    return FunctionProvider(source, clock=clock, on_event=received.append)


def test_a_day_of_rotations_reports_each_once(
    provider: FunctionProvider, clock: VirtualClock, received: list[events.Event]
) -> None:
    provider.get_credentials()
    for _ in range(24):
        clock.advance(hours=1)
        for _ in range(10):
            provider.get_credentials()
    fetched = [event.generation for event in received if isinstance(event, events.Fetched)]
    assert fetched == list(range(1, len(fetched) + 1)) == [1, 2, 3, 4, 5]
    changes = [(event.old, event.new) for event in received if isinstance(event, events.StateChanged)]
    assert changes == [("empty", "fresh")] + [("fresh", "advisory"), ("advisory", "fresh")] * 4


def test_an_outage_is_logged_as_a_warning_once_and_then_its_worse_states(
    provider: FunctionProvider, source: Source, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider.get_credentials()
    source.error = FetchError("out of order")
    clock.advance(hours=6, minutes=10)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.split(":")[0] for text in warnings] == ["function"] * 3
    assert "out of order" in warnings[0]
    assert "mandatory" in warnings[1]
    assert "expired" in warnings[2]


def test_status_reports_what_is_held_and_what_comes(
    provider: FunctionProvider, source: Source, clock: VirtualClock
) -> None:
    assert provider.status().state == "empty"
    assert provider.status().next_attempt is None
    held = provider.get_credentials()
    status = provider.status()
    assert (status.state, status.generation, status.fetches, status.failures) == ("fresh", 1, 1, 0)
    assert (status.identity, status.provider_name, status.expiration) == ("web", "test", held.expiration)
    assert status.last_fetch == clock.now()
    assert held.expiration is not None
    assert status.next_attempt is not None
    assert timedelta(minutes=25) <= held.expiration - status.next_attempt <= timedelta(minutes=27.5)
    source.error = FetchError("out of order")
    clock.advance(hours=5, minutes=40)
    status = provider.status()
    assert status.last_error == "FetchError: out of order"
    assert status.failures > 0
    assert "s3cret" not in repr(status)
    assert "t0ken" not in repr(status)


def test_a_change_of_identity_is_reported(
    provider: FunctionProvider, source: Source, received: list[events.Event], caplog: pytest.LogCaptureFixture
) -> None:
    provider.get_credentials()
    source.identity = "other"
    provider.refresh()
    (change,) = [event for event in received if isinstance(event, events.IdentityChanged)]
    assert (change.old_identity, change.new_identity) == ("web", "other")
    assert "identity changed" in caplog.text


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_what_a_listener_raises_reaches_nobody(source: Source, clock: VirtualClock, error: type[BaseException]) -> None:
    def listen(event: events.Event) -> None:
        if isinstance(event, events.Fetched):
            raise error

    provider = FunctionProvider(source, clock=clock, on_event=listen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        assert provider.get_credentials().access_key_id.endswith("1")
        clock.advance(hours=6)
    assert provider.get_credentials().access_key_id.endswith("2")


def test_a_listener_may_ask_the_provider(source: Source, clock: VirtualClock) -> None:
    """It is called outside the lock."""
    seen: list[str] = []
    asking: FunctionProvider = FunctionProvider(
        source, clock=clock, on_event=lambda _: seen.append(asking.status().state)
    )
    asking.get_credentials()
    assert "fresh" in seen


def test_closing_reports_no_failure(
    provider: FunctionProvider, received: list[events.Event], caplog: pytest.LogCaptureFixture
) -> None:
    provider.get_credentials()
    provider.close()
    with pytest.raises(ConfigurationError, match="closed"):
        provider.get_credentials()
    with pytest.raises(ConfigurationError, match="closed"):
        provider.refresh()
    assert not [event for event in received if isinstance(event, events.FetchFailed)]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


class OddError(FetchError):
    """An error whose constructor wants more, and writes the text itself."""

    def __init__(self, host: str, *, port: int) -> None:
        super().__init__(f"no answer of {host}:{port}")
        self.port = port


def test_a_third_partys_error_is_raised_as_it_is(provider: FunctionProvider, source: Source) -> None:
    source.error = OddError("example", port=80)
    for _ in range(2):
        with pytest.raises(OddError, match=r"^no answer of example:80$") as caught:
            provider.get_credentials()
        assert caught.value.port == 80
        assert caught.value is not source.error


def test_expired_credentials_say_why_there_are_no_others(
    provider: FunctionProvider, source: Source, clock: VirtualClock
) -> None:
    provider.get_credentials()
    source.error = FetchError("out of order")
    clock.advance(hours=7)
    with pytest.raises(CredentialsExpired, match="out of order") as caught:
        provider.get_credentials()
    assert isinstance(caught.value.__cause__, FetchError)


@pytest.mark.parametrize(
    "arguments", [{"valid_for": "5"}, {"valid_for": -1}, {"timeout": float("nan")}, {"timeout": -1}]
)
def test_nonsense_is_refused(provider: FunctionProvider, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="number of seconds"):
        provider.get_credentials(**arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": 5}, r"policy must be a RefreshPolicy, not int\. \(docs"),
        ({"policy": {"Version": "1"}}, "RefreshPolicy, not dict. The RAM policy of a role session is session_policy"),
        ({"policy": '{"Version": "1"}'}, "RefreshPolicy, not str. The RAM policy of a role session is session_policy"),
        ({"on_event": 3}, "on_event"),
    ],
)
def test_invalid_options_are_refused_when_a_provider_is_made(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FunctionProvider(lambda: Credentials("LTAI", "secret"), **options)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"advisory_window": -1}, "advisory_window must be"),
        ({"fetch_timeout": 0}, "fetch_timeout must be above 0"),
        ({"mandatory_wait": float("inf")}, "mandatory_wait must be"),
        ({"jitter": 2}, "jitter must be a fraction"),
        ({"jitter": True}, "jitter must be"),
        ({"retry_initial": 0}, "retry_initial must be above 0"),
        ({"retry_max": 0.5}, "shorter than retry_initial"),
        ({"advisory_window": 100, "mandatory_window": 200}, "longer than advisory_window"),
        ({"retry_max": "5"}, "retry_max must be"),
        ({"fetch_timeout": 1e10}, "fetch_timeout must be at most 86400 s"),
        ({"advisory_window": 10**400}, "advisory_window must be"),
        ({"mandatory_wait": 1e300}, "mandatory_wait must be at most"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RefreshPolicy(**fields)


@given(
    failures=st.integers(1, 10_000),
    left=st.floats(0, 1e9) | st.just(float("inf")),
    random_fraction=st.floats(0, 1, exclude_max=True),
)
def test_the_pause_keeps_its_bounds(failures: int, left: float, random_fraction: float) -> None:
    pause = RefreshPolicy().delay_after_failure(failures, left, random_fraction)
    long = failures >= 8
    longest = min(300.0, 2.0 ** min(failures, 60), max(30.0, (left - 1500) / 10) if long else max(15.0, left / 10))
    assert (longest / 2 if long else 1.0) <= pause <= max(1.0, longest)


@pytest.mark.parametrize("left", [0.0, 60.0, 600.0, 1500.0], ids=["expired", "minute", "ten-minutes", "window"])
def test_after_eight_failures_all_wait_equally_long_whatever_life_is_left(left: float) -> None:
    """Otherwise those near their end would all come back in the first seconds after an outage."""
    pauses = [RefreshPolicy().delay_after_failure(8, left, fraction) for fraction in (0.0, 0.5, 1.0)]
    assert pauses == [15.0, 22.5, 30.0]


@given(life=st.floats(0.1, 1e9), random_fraction=st.floats(0, 1, exclude_max=True))
def test_windows_are_parts_of_the_life_and_jitter_only_widens(life: float, random_fraction: float) -> None:
    policy = RefreshPolicy()
    narrowest = min(1500.0, life / 4)
    assert narrowest <= policy.advisory_left(life, random_fraction) <= 1.1 * narrowest
    assert policy.mandatory_left(life) == min(300.0, 0.08 * life) < narrowest


def test_two_processes_draw_differently() -> None:
    """Jitter comes from the system's generator: nothing that a fork could copy."""
    from ramrole_creds._cache.threads import ThreadRuntime

    assert len({ThreadRuntime().random() for _ in range(20)}) == 20


def test_a_provider_arrives_as_the_one_of_its_process_and_carries_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tpickle000000001")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s3cret")
    provider = EnvironmentProvider()
    provider.get_credentials()
    data = pickle.dumps(provider)
    assert b"s3cret" not in data
    assert b"LTAI5t" not in data
    assert pickle.loads(data) is pickle.loads(data) is provider
    assert copy.deepcopy(provider) is provider
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(StaticProvider("LTAI5tpickle000000001", "s3cret"))


def test_two_first_callers_share_one_cache_and_one_fetch() -> None:
    gate, go, count = threading.Barrier(8), threading.Event(), []

    def mint() -> Credentials:
        count.append(1)
        go.wait(20)
        return Credentials("STS.NT000000000001", "secret", "token", datetime.now(timezone.utc) + timedelta(hours=1))

    provider = FunctionProvider(mint)

    def ask() -> None:
        gate.wait()
        provider.get_credentials()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(20)
    assert len(count) == 1


def test_the_age_of_a_date_that_an_intermediary_kept_is_reckoned_with() -> None:
    """The answer tells Date plus Age; the local clock is an hour slow."""
    world = World()
    try:
        world.step_wall(-3600)
        upstream = Upstream(world, life=1000.0)
        cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world)
        assert world.call(cache.get).error is None
        assert 998 <= cache.snapshot.expires_at - world.clock.seconds() <= 1000
    finally:
        world.close()


def test_a_fetch_knows_how_much_time_it_has() -> None:
    seen: list[float] = []

    def fetch(context: FetchContext) -> Credentials:
        seen.append(context.remaining())
        return Credentials("LTAI5t0000000000001", "secret")

    CredentialCache(fetch, policy=RefreshPolicy(fetch_timeout=20)).get()
    assert 15 < seen[0] <= 19
