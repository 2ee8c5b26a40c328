"""Nothing grows without bound: threads that hang, fetches that fall due at once, modules that are loaded late."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import textwrap
import threading
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from operator import contains
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    FetchContext,
    FetchError,
    FetchTimeout,
    FunctionProvider,
    RefreshPolicy,
)
from ramrole_creds._cache.backoff import FREE_HANGING_FETCHES
from ramrole_creds._cache.refresher import MAX_BACKGROUND_FETCHES, ThreadRefresher
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing.clocks import TickingClock
from tests.cachesim.upstream import Upstream
from tests.cachesim.world import World
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.clock import Pending

MAX_SECONDS = 20.0
KEY = Credentials("LTAI5tkey", "secret")


def test_a_source_that_never_returns_holds_few_threads_and_the_error_says_that_they_hang() -> None:
    go = threading.Event()

    def hang() -> Credentials:
        go.wait(MAX_SECONDS * 3)
        raise FetchError("too late")

    before = threading.active_count()
    policy = RefreshPolicy(fetch_timeout=0.01, retry_initial=0.001, retry_max=0.001)
    provider = FunctionProvider(hang, policy=policy)
    errors = []
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        with pytest.raises(FetchError) as caught:
            provider.get_credentials()
        errors.append(caught.value)
        with pytest.raises(FetchError):
            provider.refresh()
    assert threading.active_count() - before <= FREE_HANGING_FETCHES + 3
    assert "hang" in str(errors[-1])
    assert isinstance(errors[0], FetchTimeout)
    go.set()
    assert eventually(lambda: threading.active_count() <= before + 1)


def test_a_source_that_hung_works_again_once_what_hung_returns() -> None:
    world = World()
    upstream = Upstream(world)
    from ramrole_creds._cache.credential_cache import CredentialCache

    cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world, name="upstream")
    upstream.answers = "hangs"
    for _ in range(FREE_HANGING_FETCHES):
        world.call(cache.get)
        world.advance(20)
    assert len(upstream.requests) == FREE_HANGING_FETCHES
    assert isinstance(world.call(cache.get).error, FetchTimeout)
    assert len(upstream.requests) == FREE_HANGING_FETCHES, "the delay is a minute by now"
    upstream.answers, upstream.unblocked = "fresh", True
    world.advance(5)
    assert world.call(cache.get).error is None
    world.close()


class Due:
    """Something whose fetch ends when it is received."""

    running = 0
    most = 0

    def __init__(self, ends: float, started: list[float]) -> None:
        self.ends = ends
        self._started = started
        self._done = threading.Event()

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def has_leapt(self) -> bool:
        return False

    def expires_at(self) -> float:
        return self.ends

    def on_due(self) -> Pending | None:
        self._started.append(self.ends)
        return self._done

    def finish(self, refresher: ThreadRefresher) -> None:
        self._done.set()
        refresher.schedule(self, self.monotonic() + 3600)


def test_of_many_that_fall_due_at_once_a_few_fetch_at_a_time_and_the_neediest_first() -> None:
    refresher, started = ThreadRefresher(), list[float]()
    moment = SYSTEM_CLOCK.monotonic() + 0.2
    due = {float(number): Due(float(number), started) for number in range(40)}
    for one in due.values():
        assert refresher.schedule(one, moment)
    assert eventually(lambda: len(started) == MAX_BACKGROUND_FETCHES)
    assert sorted(started) == [float(number) for number in range(MAX_BACKGROUND_FETCHES)]
    for number in range(40):
        assert eventually(partial(contains, started, float(number)))
        assert len(started) <= number + MAX_BACKGROUND_FETCHES
        due[float(number)].finish(refresher)
    assert started == sorted(started)
    for one in due.values():
        refresher.forget(one)


def test_three_hundred_providers_due_at_one_moment_need_few_threads() -> None:
    clock = TickingClock()
    entered, go, rotated = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def fetch(calls: list[int]) -> Credentials:
        calls.append(1)
        if len(calls) > 1:
            entered.release()
            assert go.wait(MAX_SECONDS)
            rotated.release()
        return Credentials(f"STS.NT{len(calls)}", "secret", "token", clock.now() + timedelta(hours=1))

    policy = RefreshPolicy(fetch_timeout=MAX_SECONDS)
    providers = [FunctionProvider(partial(fetch, []), clock=clock, policy=policy) for _ in range(300)]
    for provider in providers:
        provider.get_credentials()
    clock.advance(minutes=50)
    for provider in providers:
        assert provider.get_credentials().access_key_id == "STS.NT1"
    for _ in range(MAX_BACKGROUND_FETCHES):
        assert entered.acquire(timeout=MAX_SECONDS)
    assert not entered.acquire(timeout=0.2), "the others wait for one of the eight to end"
    go.set()
    for _ in range(300):
        assert rotated.acquire(timeout=MAX_SECONDS)
    for provider in providers:
        provider.close()


@pytest.mark.parametrize("seconds", [1e10, 86401.0])
def test_a_fetch_timeout_beyond_a_day_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="fetch_timeout must be at most 86400 s"):
        RefreshPolicy(fetch_timeout=seconds)


NOT_SECONDS = [math.nan, -1, -math.inf, 10**400, True, "1", b"1", [], 1j, timedelta(seconds=1)]


def wait_at_most(seconds: Any) -> object:
    return FunctionProvider(lambda: KEY).get_credentials(timeout=seconds)


def wish_for(seconds: Any) -> object:
    return FunctionProvider(lambda: KEY).get_credentials(valid_for=seconds)


async def wait_in_a_coroutine(seconds: Any) -> object:
    return await FunctionProvider(lambda: KEY).get_credentials_async(timeout=seconds)


@pytest.mark.parametrize("seconds", NOT_SECONDS, ids=lambda value: f"{value!r:.12}")
@pytest.mark.parametrize(
    "use",
    [
        wait_at_most,
        wish_for,
        lambda seconds: asyncio.run(wait_in_a_coroutine(seconds)),
        lambda seconds: FunctionProvider(lambda: KEY).wait_ready(seconds),
        FetchContext.create,
        lambda seconds: FetchContext.create(1.0, valid_for=seconds),
        lambda seconds: FetchContext.create(1.0).limited_to(seconds),
        lambda seconds: FetchContext.create(1.0).record_server_time(seconds),
        lambda seconds: FetchContext.create(1.0).recheck_after(seconds),
    ],
    ids=["timeout", "valid_for", "async", "wait_ready", "create", "wish", "limited_to", "server time", "recheck"],
)
def test_what_is_not_a_number_of_seconds_is_refused(use: Callable[[Any], object], seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a number of seconds.*, not "):
        use(seconds)


@pytest.mark.parametrize("seconds", [Decimal("1.5"), Fraction(3, 2), 1e300, math.inf], ids=repr)
def test_any_kind_of_number_is_taken(seconds: Any) -> None:
    assert wait_at_most(seconds) is wish_for(Decimal(0)) is KEY
    assert FetchContext.create(seconds).remaining() > 1


def test_patience_without_end_waits() -> None:
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    with FunctionProvider(lambda: Credentials("STS.NT1", "secret", "token", ends)) as provider:
        assert provider.get_credentials(timeout=float("inf")).access_key_id == "STS.NT1"
        assert provider.get_credentials(timeout=1e300).access_key_id == "STS.NT1"


def test_a_release_directory_that_is_replaced_after_the_first_fetch_changes_nothing() -> None:
    """No module of the library is loaded after it: what is found there then may be of another version."""
    program = """
        import builtins, sys
        from ramrole_creds import EcsRamRoleProvider, FetchError
        from ramrole_creds.testing import FakeCloud
        with FakeCloud() as cloud:
            events = []
            provider = EcsRamRoleProvider(endpoint=cloud.metadata_endpoint, on_event=events.append)
            provider.get_credentials()
            before = {name for name in sys.modules if name.startswith("ramrole_creds")}
            provider.status().as_dict()
            provider.refresh()
            cloud.detach_role()
            try:
                provider.refresh()
            except Exception as error:
                print(type(error).__name__)
            provider.close()
            after = {name for name in sys.modules if name.startswith("ramrole_creds")}
            print(sorted(name for name in after - before if not name.startswith("ramrole_creds.testing")))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["RoleNotAttached", "[]"]
