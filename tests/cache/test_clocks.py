"""Wrong and leaping clocks, as a user of a provider meets them; time is the clock's, and nothing sleeps."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from ramrole_creds import (
    Credentials,
    CredentialsExpired,
    EcsRamRoleProvider,
    FetchError,
    FetchTimeout,
    FunctionProvider,
    RefreshPolicy,
)
from ramrole_creds._cache.clocks import MAX_READS, ClockPair
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import VirtualClock

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
YEARS = timedelta(days=20 * 365)


class HourlySource:
    """Sessions of one hour by the issuer's true time, whatever the local clock says."""

    def __init__(self, clock: VirtualClock, life: timedelta = timedelta(hours=1)) -> None:
        self._clock = clock
        self._life = life
        self.error: Exception | None = None
        self.fetches = 0

    def true_now(self) -> datetime:
        return START + timedelta(seconds=self._clock.monotonic())

    def __call__(self) -> Credentials:
        self.fetches += 1
        if self.error is not None:
            raise self.error
        ends = self.true_now() + self._life
        return Credentials(f"STS.NT{self.fetches:012d}", "secret", "token", ends)

    def is_alive(self, credentials: Credentials) -> bool:
        assert credentials.expiration is not None
        return credentials.expiration > self.true_now()


def test_a_clock_eight_hours_behind_during_one_fetch_costs_a_minute_and_not_half_a_day() -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock)
    with FunctionProvider(source, clock=clock) as provider:
        clock.step_wall(-8 * 3600)
        provider.get_credentials()
        clock.step_wall(8 * 3600)
        clock.advance(61)
        expired = 0
        for _ in range(600):
            clock.advance(60)
            expired += not source.is_alive(provider.get_credentials())
        assert expired == 0
        assert source.fetches <= 16


def test_a_clock_that_falls_eight_hours_behind_amid_a_life_throws_no_good_credentials_away() -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock)
    with FunctionProvider(source, clock=clock) as provider:
        provider.get_credentials()
        clock.step_wall(-8 * 3600)
        clock.advance(minutes=50)
        clock.step_wall(8 * 3600)
        for _ in range(120):
            clock.advance(60)
            assert source.is_alive(provider.get_credentials())


@pytest.mark.parametrize("life", [timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6)], ids=str)
@pytest.mark.parametrize("leap", [-8 * 3600, -YEARS.total_seconds(), 50 * 60, 8 * 3600, 3 * 86400], ids=int)
def test_a_leap_that_stays_costs_fetches_and_serves_nothing_dead(life: timedelta, leap: float) -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock, life)
    with FunctionProvider(source, clock=clock) as provider:
        provider.get_credentials()
        clock.advance(life.total_seconds() / 3)
        clock.step_wall(leap)
        clock.advance(61)
        for _ in range(12 * 60):
            clock.advance(60)
            assert source.is_alive(provider.get_credentials())
        assert source.fetches <= 12 * 14, "one in four and a half minutes is the most"


@pytest.mark.parametrize("ahead", [8 * 3600, 3 * 86400], ids=int)
def test_a_clock_that_is_ahead_keeps_nothing_from_a_source_that_issues_at_each_call(ahead: float) -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock)
    clock.step_wall(ahead)
    with FunctionProvider(source, clock=clock) as provider:
        assert source.is_alive(provider.get_credentials())
        assert provider.status().state == "mandatory"
        assert source.fetches == 2
        for _ in range(12 * 60):
            clock.advance(60)
            assert source.is_alive(provider.get_credentials())
        assert source.fetches <= 12 * 14


def test_a_source_that_repeats_ended_credentials_is_asked_twice_and_not_believed() -> None:
    clock = VirtualClock(START)
    old = Credentials("STS.NTold", "secret", "token", START - timedelta(hours=1))
    asked: list[int] = []

    def fetch() -> Credentials:
        asked.append(1)
        return old

    with FunctionProvider(fetch, clock=clock) as provider:
        with pytest.raises(FetchError, match=r"had expired 3600 s before\. Get new credentials"):
            provider.get_credentials()
        assert len(asked) == 2


def test_a_fetch_that_was_abandoned_is_not_asked_twice() -> None:
    clock = VirtualClock(START)
    go, returned, asked = threading.Event(), threading.Event(), list[int]()

    def fetch() -> Credentials:
        asked.append(1)
        assert go.wait(20)
        returned.set()
        return Credentials("STS.NTold", "secret", "token", START - timedelta(hours=1))

    with FunctionProvider(fetch, clock=clock, policy=RefreshPolicy(fetch_timeout=0.05)) as provider:
        with pytest.raises(FetchTimeout):
            provider.get_credentials()
        go.set()
        assert returned.wait(20)
        deadline = time.monotonic() + 20
        while any(thread.name == "ramrole-creds-fetch" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert len(asked) == 1


def test_credentials_that_ended_a_moment_ago_are_not_asked_for_twice() -> None:
    clock = VirtualClock(START)
    asked: list[int] = []

    def fetch() -> Credentials:
        asked.append(1)
        return Credentials(f"STS.NT{len(asked)}", "secret", "token", START - timedelta(seconds=10))

    with FunctionProvider(fetch, clock=clock) as provider:
        with pytest.raises(FetchError, match="had expired 10 s before"):
            provider.get_credentials()
        assert len(asked) == 1


@pytest.mark.parametrize("life", [timedelta(minutes=15), timedelta(hours=1)], ids=str)
def test_a_clock_that_stays_twenty_years_behind_serves_nothing_dead(life: timedelta) -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock, life)
    clock.step_wall(-YEARS.total_seconds())
    with FunctionProvider(source, clock=clock) as provider:
        for _ in range(12 * 60):
            assert source.is_alive(provider.get_credentials())
            clock.advance(60)


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", None], ids=["1970", "no date", "none"])
@pytest.mark.parametrize("leap", [-8 * 3600, 3 * 86400], ids=int)
def test_a_metadata_service_that_does_not_know_the_time_serves_nothing_dead(date: str | None, leap: float) -> None:
    clock, local = VirtualClock(START), VirtualClock(START)
    with FakeCloud(clock=clock) as cloud, EcsRamRoleProvider(endpoint=cloud.metadata_endpoint, clock=local) as provider:
        if date is None:
            cloud.faults.add("*", "no-date")
        else:
            cloud.faults.add("*", "date", value=date)
        provider.get_credentials()
        for minute in range(9 * 12):
            if minute == 30:
                local.step_wall(leap)
            clock.advance(minutes=5)
            local.advance(minutes=5)
            held = provider.get_credentials()
            assert held.expiration is not None
            assert held.expiration > clock.now()


def test_a_clock_twenty_years_behind_for_the_first_minute_keeps_no_dead_keys() -> None:
    clock = VirtualClock(START)
    local = VirtualClock(START - YEARS)
    with FakeCloud(clock=clock) as cloud, EcsRamRoleProvider(endpoint=cloud.metadata_endpoint, clock=local) as provider:
        provider.get_credentials()
        clock.advance(60)
        local.advance(60)
        local.step_wall(YEARS.total_seconds())
        for _ in range(24):
            clock.advance(hours=1)
            local.advance(hours=1)
            held = provider.get_credentials()
            assert held.expiration is not None
            assert held.expiration > clock.now()


def test_a_clock_three_days_ahead_still_gets_credentials_where_date_and_expiration_agree() -> None:
    clock = VirtualClock(START)
    local = VirtualClock(START + timedelta(days=3))
    with FakeCloud(clock=clock) as cloud, EcsRamRoleProvider(endpoint=cloud.metadata_endpoint, clock=local) as provider:
        held = provider.get_credentials()
        assert held.expiration is not None
        assert held.expiration > clock.now()
        assert provider.status().state == "fresh"


def test_a_machine_that_its_host_paused_for_eight_hours_serves_ended_keys_for_a_minute_at_most() -> None:
    clock = VirtualClock(START)
    fetches: list[int] = []

    def fetch() -> Credentials:
        fetches.append(1)
        return Credentials(f"STS.NT{len(fetches):012d}", "secret", "token", clock.now() + timedelta(hours=6))

    with FunctionProvider(fetch, clock=clock) as provider:
        provider.get_credentials()
        clock.advance(hours=1)
        clock.step_wall(8 * 3600)  # all clocks of the machine stood still, and the wall clock is set from outside
        clock.advance(61)
        held = provider.get_credentials()
        assert held.expiration is not None
        assert held.expiration > clock.now()
        assert len(fetches) == 2


def test_a_leap_kills_nothing_while_upstream_fails() -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock)
    with FunctionProvider(source, clock=clock) as provider:
        held = provider.get_credentials()
        source.error = FetchError("out of order")
        clock.step_wall(86400)
        clock.advance(minutes=50)
        assert provider.get_credentials() is held
        assert provider.status().state == "mandatory"
        clock.advance(minutes=11)
        with pytest.raises(CredentialsExpired):
            provider.get_credentials()


def test_a_month_of_a_steady_clock_costs_no_fetch_more() -> None:
    clock = VirtualClock(START)
    source = HourlySource(clock)
    with FunctionProvider(source, clock=clock) as provider:
        provider.get_credentials()
        clock.advance(days=30)
        assert source.fetches <= 30 * 24 * 60 / 43.5 + 1


def test_a_boot_clock_that_the_kernel_refuses_is_replaced_once_with_a_log_line() -> None:
    program = """
        import logging, time
        logging.basicConfig(format="%(name)s %(levelname)s")
        time.CLOCK_BOOTTIME = 99
        from ramrole_creds.clock import SYSTEM_CLOCK
        print(abs(SYSTEM_CLOCK.monotonic() - time.monotonic()) < 1)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
    assert done.stderr.split() == ["ramrole_creds.clock", "WARNING"]


def test_without_a_boot_clock_the_monotonic_one_is_used_without_a_word() -> None:
    program = "import time; del time.CLOCK_BOOTTIME; from ramrole_creds.clock import SYSTEM_CLOCK as c; "
    program += "print(abs(c.monotonic() - time.monotonic()) < 1)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_the_system_clock_counts_on() -> None:
    from ramrole_creds.clock import SYSTEM_CLOCK

    first = SYSTEM_CLOCK.monotonic()
    assert first <= SYSTEM_CLOCK.monotonic()
    assert abs(SYSTEM_CLOCK.time() - time.time()) < 5


class LosesTheProcessor:
    """A clock whose reader loses the processor after the first so many reads of `monotonic`, for ten seconds each."""

    def __init__(self, losses: int) -> None:
        self.now = 0.0
        self.losses = losses

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        wall = self.now + 1_000_000.0
        if self.losses > 0:
            self.losses -= 1
            self.now += 10.0
        return wall


@pytest.mark.parametrize("losses", [0, 1, 3, 9])
def test_both_clocks_are_read_again_where_the_thread_lost_the_processor(losses: int) -> None:
    now, wall = ClockPair(LosesTheProcessor(losses)).read()
    assert now == 10.0 * min(losses, MAX_READS), "a machine that is always busy is not waited for"
    assert wall - now == 1_000_000.0
