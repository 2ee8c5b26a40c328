"""Everything that a cache reports: events, log records, status, and the errors of a source that is too slow."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    Credentials,
    CredentialsExpired,
    FetchError,
    FunctionProvider,
    LifetimeTooShort,
    NoCredentialsError,
    ProviderChain,
    ProviderUnavailable,
    RefreshPolicy,
    events,
)
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.threads import ThreadRuntime
from ramrole_creds.errors import message_of
from tests.cachesim.upstream import Upstream
from tests.cachesim.world import WALL_AT_ZERO, World, WorldSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds import FetchContext

WALL_AHEAD = 3600.0
LIFE = 21600.0
POLICY = RefreshPolicy(fetch_timeout=20.0)


class Stage:
    """A cache named "source" in a world whose wall clock is an hour fast."""

    def __init__(self) -> None:
        self.world = World()
        self.world.random_fraction = 0.5
        self.world.step_wall(WALL_AHEAD)
        self.upstream = Upstream(self.world, life=LIFE)
        self.received: list[events.Event] = []
        self.cache = CredentialCache(
            self.upstream.fetch,
            name="source",
            policy=POLICY,
            clock=self.world.clock,
            on_event=self.received.append,
            runtime=self.world,
        )

    def get(self) -> Credentials:
        task = self.world.call(self.cache.get)
        assert task.result is not None, task.error
        return task.result

    def refresh(self, rejected: Credentials | None = None) -> None:
        self.world.call(lambda: self.cache.refresh(rejected))

    def wall(self, seconds: float) -> float:
        return WALL_AT_ZERO + WALL_AHEAD + seconds


def own_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "ramrole_creds._cache.credential_cache"]


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.world.close()


@pytest.mark.parametrize(
    ("answers", "ended"), [("fresh", events.Fetched), ("error", events.FetchFailed)], ids=["fetched", "failed"]
)
def test_the_calls_that_waited_for_a_fetch_are_counted(stage: Stage, answers: str, ended: type[events.Fetched]) -> None:
    stage.upstream.takes, stage.upstream.answers = 2.0, answers
    tasks = [stage.world.start(stage.cache.get) for _ in range(3)]
    for task in tasks:
        stage.world.join(task)
    assert [event.waiters for event in stage.received if isinstance(event, ended)] == [3]


def test_a_fetch_in_the_background_has_no_waiters(stage: Stage) -> None:
    stage.get()
    stage.world.advance(LIFE)
    assert [event.waiters for event in stage.received if isinstance(event, events.Fetched)] == [1, 0]


def test_new_credentials_are_reported(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.world.advance(100)
    stage.upstream.takes = 2.0
    held = stage.get()
    wall = stage.wall(102)
    fetched = events.Fetched("source", wall, 1, "STS.NT00…0001", None, held.expiration, 2.0)
    assert stage.received == [fetched, events.StateChanged("source", wall, "empty", "fresh")]
    shown, change = own_records(caplog)
    values = ("source", "STS.NT00…0001", "an unknown identity", "upstream", held.expiration, 0)
    assert (shown.levelno, shown.args) == (logging.INFO, values)
    assert (change.levelno, change.args) == (logging.INFO, ("source", "fresh", "empty"))


def test_the_same_credentials_again_are_reported(stage: Stage) -> None:
    stage.get()
    stage.upstream.answers = "unchanged"
    stage.received.clear()
    opens = LIFE - 1500 * 1.05
    stage.world.advance(opens + 10)
    unchanged = [event for event in stage.received if isinstance(event, events.FetchedUnchanged)]
    assert [event.provider for event in unchanged] == ["source"]
    assert unchanged[0].at == pytest.approx(stage.wall(opens), abs=1.1)
    left = LIFE - opens - 1.0  # the clock was an hour wrong: the server's whole second, and one more to be safe
    assert unchanged[0].next_attempt_in == pytest.approx(0.75 * left / 10, abs=1.0)


def test_a_failure_is_reported(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.world.advance(100)
    stage.get()
    stage.upstream.answers = "error"
    stage.received.clear()
    caplog.clear()
    stage.world.advance(1000)
    stage.refresh()
    stage.world.advance(10)
    stage.refresh()
    wall = stage.wall(1100)
    first, second = (event for event in stage.received if isinstance(event, events.FetchFailed))
    text = "upstream is out of order"
    assert (first.provider, first.at, first.error, first.message, first.failures) == (
        *("source", wall, "FetchError", text),
        1,
    )
    assert first.next_attempt_in == pytest.approx(1.0)
    assert first.seconds_left == pytest.approx(LIFE - 1000, abs=1.1)
    assert second.failures == 2
    assert second.next_attempt_in == pytest.approx(2.0)
    warning, repeated = own_records(caplog)
    assert (warning.levelno, repeated.levelno) == (logging.WARNING, logging.DEBUG)
    assert isinstance(warning.args, tuple)
    name, delay, error = warning.args
    assert (name, str(error)) == ("source", text)
    assert delay == pytest.approx(1.0)


def test_a_delay_shorter_than_a_second_is_reported_as_it_is() -> None:
    world, received = World(), list[events.Event]()
    upstream = Upstream(world)
    upstream.answers = "error"
    world.random_fraction = 0.0
    cache = CredentialCache(
        upstream.fetch,
        policy=RefreshPolicy(retry_initial=0.1),
        clock=world.clock,
        on_event=received.append,
        runtime=world,
    )
    world.call(cache.get)
    world.close()
    (failed,) = (event for event in received if isinstance(event, events.FetchFailed))
    assert failed.next_attempt_in == pytest.approx(0.1)


def test_a_failure_of_a_cold_source_reports_no_life(stage: Stage) -> None:
    stage.upstream.answers = "error"
    stage.world.call(stage.cache.get)
    (failed,) = (event for event in stage.received if isinstance(event, events.FetchFailed))
    assert failed.seconds_left is None
    assert stage.cache.status().next_attempt is None, "nobody asks for it before somebody calls"


def test_a_forced_refresh_is_reported_and_whether_a_service_caused_it(stage: Stage) -> None:
    held = stage.get()
    stage.world.advance(5)
    stage.refresh()
    stage.refresh(rejected=held)
    forced = [event for event in stage.received if isinstance(event, events.RefreshForced)]
    wall = stage.wall(5)
    assert forced == [events.RefreshForced("source", wall, False), events.RefreshForced("source", wall, True)]


def test_a_change_of_identity_is_reported_with_both(caplog: pytest.LogCaptureFixture) -> None:
    world, received = World(), list[events.Event]()
    ends = datetime.fromtimestamp(WALL_AT_ZERO, timezone.utc)
    given = [
        Credentials("STS.NT1", "secret", "token", ends + timedelta(hours=1), "ram", "web"),
        Credentials("STS.NT2", "secret", "token", ends + timedelta(hours=2), "ram", "other"),
        Credentials("STS.NT3", "secret", "token", ends + timedelta(hours=3), "file", "other"),
        Credentials("STS.NT4", "secret", "token", ends + timedelta(hours=4), "file", "other"),
    ]
    cache = CredentialCache(
        lambda _: given.pop(0), name="source", clock=world.clock, on_event=received.append, runtime=world
    )
    for _ in range(4):
        world.call(cache.refresh)
        world.advance(1)
    world.close()
    changes = [event for event in received if isinstance(event, events.IdentityChanged)]
    assert changes == [
        events.IdentityChanged("source", WALL_AT_ZERO + 1, "web", "other", "ram", "ram"),
        events.IdentityChanged("source", WALL_AT_ZERO + 2, "other", "other", "ram", "file"),
    ]
    assert [event.identity for event in received if isinstance(event, events.Fetched)] == [
        "web",
        "other",
        "other",
        "other",
    ]
    warnings = [record.args for record in own_records(caplog) if record.levelno == logging.WARNING]
    assert warnings == [("source", "web", "other", "ram", "ram"), ("source", "other", "other", "ram", "file")]


def test_a_listener_that_raises_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def listen(event: events.Event) -> None:
        raise LookupError(event)

    world = World()
    upstream = Upstream(world)
    cache = CredentialCache(upstream.fetch, name="source", clock=world.clock, on_event=listen, runtime=world)
    world.call(cache.get)
    world.close()
    errors = [record for record in own_records(caplog) if record.levelno == logging.ERROR]
    assert [(record.args, record.exc_info is not None) for record in errors] == [(("source",), True)] * 2


def test_the_status_counts_from_now(stage: Stage) -> None:
    assert stage.cache.status().last_fetch is None
    assert stage.cache.status().access_key_id is None
    stage.world.advance(100)
    stage.get()
    assert stage.cache.status().fetches == 1
    stage.world.advance(50)
    status = stage.cache.status()
    assert status.access_key_id == "STS.NT00…0001"
    assert status.last_error is None
    assert status.last_fetch == datetime.fromtimestamp(stage.wall(100), timezone.utc)
    assert status.next_attempt is not None
    assert status.next_attempt.timestamp() == pytest.approx(stage.wall(100 + LIFE - 1575), abs=1.1)
    stage.refresh()
    assert stage.cache.status().fetches == 2


def test_a_fetch_knows_what_is_wanted_and_how_long_it_may_take(stage: Stage) -> None:
    asked_for: list[tuple[float, float]] = []

    def fetch(context: FetchContext) -> Credentials:
        asked_for.append((context.valid_for, context.remaining()))
        return stage.upstream.fetch(context)

    stage.world.advance(100)
    cache = CredentialCache(fetch, policy=POLICY, clock=stage.world.clock, runtime=stage.world)
    stage.world.call(cache.get)
    stage.world.call(lambda: cache.get(valid_for=LIFE + 60))
    stage.world.call(cache.refresh)
    assert asked_for == [(0.0, 19.0), (LIFE + 60, 19.0), (0.0, 19.0)]


@pytest.mark.parametrize("given", ["text", 7])
def test_a_result_that_is_not_credentials_is_named(stage: Stage, given: Any) -> None:
    cache = CredentialCache(lambda _: given, clock=stage.world.clock, runtime=stage.world)
    error = stage.world.call(cache.get).error
    assert message_of(error) == f"fetch of the source must return Credentials, not {type(given).__name__}."


def test_credentials_that_are_dead_on_arrival_are_no_use(stage: Stage) -> None:
    stage.upstream.answers = "dead"
    error = stage.world.call(stage.cache.get).error
    assert message_of(error) == (
        "source returned credentials that had expired 2 s before. Get new credentials from their source, "
        "or correct this machine's clock."
    )


def test_closing_amid_a_forced_refresh_leaves_nothing_held() -> None:
    world = World()
    upstream = Upstream(world)
    caches: list[CredentialCache] = []

    def listen(event: events.Event) -> None:
        if isinstance(event, events.RefreshForced):
            caches[0].close()

    caches.append(CredentialCache(upstream.fetch, clock=world.clock, on_event=listen, runtime=world))
    error = world.call(caches[0].refresh).error
    assert "closed" in str(error)
    assert caches[0].snapshot.credentials is None
    world.close()


@pytest.mark.parametrize("name", ["valid_for", "timeout"])
def test_an_argument_that_is_not_a_number_of_seconds_is_named(stage: Stage, name: str) -> None:
    nonsense: dict[str, Any] = {name: -1}
    error = stage.world.call(lambda: stage.cache.get(**nonsense)).error
    assert message_of(error) == f"{name} must be a number of seconds, 0 or more, not -1."


class HastySignal(WorldSignal):
    """Its timers fire long before their time, as some do."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else timeout / 2)


class HastyWorld(World):
    def signal(self) -> WorldSignal:
        return HastySignal(self)


def test_a_timer_that_fires_early_cuts_no_patience_short() -> None:
    world = HastyWorld()
    world.advance(100)
    upstream = Upstream(world, takes=2.0)
    cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world)
    task = world.call(lambda: cache.get(timeout=3.0))
    assert task.result is not None, task.error
    assert task.seconds == pytest.approx(2.0)
    world.close()


class LateSignal(WorldSignal):
    """Whoever waited for it wakes up late, as on a busy machine."""

    def wait(self, timeout: float | None = None) -> bool:
        came = super().wait(timeout)
        self._world.sleep(1.0)
        return came


class LateWorld(World):
    def signal(self) -> WorldSignal:
        return LateSignal(self)


def asked(attempt: Callable[[CredentialCache], Credentials]) -> tuple[BaseException | None, int]:
    """What comes of it where credentials live shorter than it takes to hand them over, and how often it asked."""
    world = LateWorld()
    world.refresher_allowed = False
    upstream = Upstream(world, life=0.5, dated=False)
    cache = CredentialCache(upstream.fetch, name="source", clock=world.clock, runtime=world)
    task = world.call(lambda: attempt(cache))
    world.close()
    return task.error, cache.status().fetches


def test_credentials_that_end_before_they_can_be_used_are_asked_for_three_times() -> None:
    error, fetches = asked(lambda cache: cache.get())
    assert isinstance(error, CredentialsExpired), error
    assert message_of(error) == (
        "source returned credentials that had already expired, 3 times. Check the lifetime that it sets."
    )
    assert fetches == 3


def test_a_forced_refresh_says_so_too() -> None:
    error, _ = asked(lambda cache: cache.refresh())
    assert isinstance(error, CredentialsExpired), error
    assert str(error).startswith("The credentials of source expired at 20")
    assert message_of(error).endswith("could not be replaced: they had expired before they could be used")


class NoThreads(ThreadRuntime):
    """A machine that can start none."""

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        raise RuntimeError("can't start new thread")


async def test_where_no_thread_can_be_started_a_coroutine_gets_an_error_and_is_never_blocked_by_the_fetch() -> None:
    asked_for: list[float] = []

    def fetch(context: FetchContext) -> Credentials:
        asked_for.append(context.remaining())
        return Credentials("STS.NT1", "secret", "token")

    cache = CredentialCache(fetch, name="source", runtime=NoThreads())
    with pytest.raises(FetchError, match="No thread could be started to fetch credentials: can't start new thread"):
        await cache.get_async()
    assert not asked_for
    assert cache.refresh().access_key_id == "STS.NT1"


class WarningsAreErrors(ThreadRuntime):
    """A program that turns warnings into errors, one of which the start of a worker meets."""

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        raise ImportWarning("can't resolve package from __spec__")


@pytest.mark.parametrize("asynchronous", [True, False])
def test_what_keeps_a_fetch_from_starting_is_named_and_is_not_a_want_of_threads(asynchronous: bool) -> None:
    cache = CredentialCache(lambda _: Credentials("STS.NT1", "secret"), name="source", runtime=WarningsAreErrors())
    reason = "The fetch of credentials could not be started: ImportWarning: can't resolve package from __spec__"
    with pytest.raises(FetchError, match=reason):
        asyncio.run(cache.get_async()) if asynchronous else cache.get()


async def test_a_coroutine_asks_for_as_long_a_life_as_it_needs() -> None:
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    cache = CredentialCache(lambda _: Credentials("STS.NT1", "secret", "token", ends), name="source")
    assert await cache.get_async() is await cache.get_async(valid_for=60)
    with pytest.raises(LifetimeTooShort):
        await cache.get_async(valid_for=7200)
    cache.close()


def test_a_record_is_one_line_whatever_a_source_says(caplog: pytest.LogCaptureFixture) -> None:
    """A line that a source can break could look like a record of something else."""
    caplog.set_level(logging.DEBUG, logger="ramrole_creds")
    answers: list[Credentials | Exception] = [
        Credentials("STS.NT0123456789", "s3cret", "t0ken", provider_name="a\nb", identity="c\rd"),
        FetchError("first\n  second\u2028third \x1b[31m \udcff"),
    ]

    def fetch() -> Credentials:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    provider = FunctionProvider(fetch, name="x\ny")
    held = provider.get_credentials()
    with pytest.raises(FetchError):
        provider.refresh(rejected=held)
    lines = [record.getMessage() for record in own_records(caplog)]
    assert [line for line in lines if len(line.splitlines()) > 1 or not line.isprintable()] == []
    assert all(line.startswith("x y: ") for line in lines)
    assert any("of c d" in line for line in lines if "new credentials STS" in line)
    assert any("no new credentials of" in line and r"first second third \x1b[31m \udcff" in line for line in lines)


def test_a_chain_that_finds_nothing_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def nothing() -> Credentials:
        raise ProviderUnavailable("nothing is here")

    with pytest.raises(NoCredentialsError):
        ProviderChain(FunctionProvider(nothing), FunctionProvider(nothing, name="other")).get_credentials()
    (line,) = [record.getMessage() for record in own_records(caplog)]
    assert "Each source in turn: function: nothing is here" in line
    assert len(line.splitlines()) == 1
