"""Random lives of a cache, each from one seed, and what must hold in every one of them.

`explore(seed)` makes a world, a policy, an upstream, some readers and a course of events from the seed, lets them run
and raises `AssertionError` where a law is broken. The same seed does the same again.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from ramrole_creds import events
from ramrole_creds._cache.backoff import FREE_HANGING_FETCHES
from ramrole_creds._cache.clocks import LEAP_SECONDS
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.errors import LifetimeTooShort, RamRoleError, WaitTimeout
from tests.cachesim.upstream import Upstream, serial_of
from tests.cachesim.world import REFRESHER_SLICE_SECONDS, WALL_AT_ZERO, Interrupted, Stuck, Task, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds.credentials import Credentials

LIVES = (3.0, 60.0, 900.0, 3600.0, 21600.0)
POLICIES = (
    RefreshPolicy(),
    RefreshPolicy(),
    RefreshPolicy(mandatory_wait=0.0, fetch_timeout=2.0),
    RefreshPolicy(advisory_window=60.0, mandatory_window=30.0, jitter=1.0, retry_initial=0.5, retry_max=20.0),
    RefreshPolicy(advisory_window=0.0, mandatory_window=0.0),
)
ANSWERS = (
    "fresh",
    "fresh",
    "service",
    "unchanged",
    "shorter",
    "error",
    "error",
    "unrecoverable",
    "exits",
    "hangs",
    "editable",
    "dead",
    "none",
)
WALL_CLOCKS_OFF_BY = (-630720000.0, -28800.0, -3600.0, 0.0, 0.0, 3600.0, 259200.0)
EVENTS = 10
TRIES_AT_A_BOUNDARY = 0.6
NOTICED_LATE = 0.02  # a hung fetch failed when its time was over, and the refresher sees it a moment later
SLACK = 1e-6


def explore(seed: int, make_cache: Callable[..., Any] = CredentialCache) -> None:
    """One life.

    Raises:
        AssertionError: a law was broken; the message names the seed.
    """
    life = Life(seed, make_cache)
    try:
        life.live()
    except (AssertionError, Stuck) as error:
        raise AssertionError(f"seed {seed}: {error}\n{life.story()}") from error
    finally:
        life.world.close()


class Life:
    """One cache, its readers, and the laws."""

    def __init__(self, seed: int, make_cache: Callable[..., Any]) -> None:
        chance = self.chance = random.Random(seed)
        # A dawdling world lets time pass anywhere, so that only the laws which name no time can be checked in it.
        self.dawdles = chance.random() < 0.3
        self.world = World(chance.getrandbits(32), switching=0.25, dawdling=0.02 if self.dawdles else 0.0)
        self.world.interrupting = chance.choice((0.0, 0.0, 0.02))
        self.policy = chance.choice(POLICIES)
        takes, dated = chance.choice((0.0, 0.05, 0.2, 1.0)), chance.random() < 0.8
        self.upstream = Upstream(self.world, life=chance.choice(LIVES), takes=takes, dated=dated)
        self.reenters = chance.choice((0.0, 0.0, 0.2))
        """Chance that a fetch or a listener asks the cache itself."""
        self.paused_at = -math.inf
        self.watched = True
        """False in a child whose server ran no handlers: it has no refresher before its first call on the slow path."""
        self.upstream.answers = chance.choice(ANSWERS)
        self.upstream.overlap = self.upstream.life / 4
        self.cache = make_cache(
            self._fetch,
            name="upstream",
            policy=self.policy,
            clock=self.world.clock,
            runtime=self.world,
            on_event=self._hear,
        )
        self.readers: list[Task[None]] = []
        self.story_lines: list[str] = []
        self.generation = 0
        self.state: str | None = "empty"
        """The state reported last; None in a child that has reported none."""
        self.forcing = 0
        self.failed_at: float | None = None
        self.hands_free = True
        """False once no refresher may run: nobody but readers can be expected to fetch."""
        self.closed = False

    def story(self) -> str:
        """What happened, for whoever must understand a seed."""
        return "\n".join(
            [f"{self.policy}, life {self.upstream.life:g}, dawdles {self.dawdles}", *self.story_lines[-60:]]
        )

    def record(self, text: str) -> None:
        self.story_lines.append(f"{self.world.clock.seconds():12.3f}  {text}")

    def live(self) -> None:
        for _ in range(self.chance.randrange(1, 4)):
            self._add_reader()
        for _ in range(EVENTS):
            self.world.advance(self._span())
            self._something_happens()
        if self.chance.random() < 0.1:
            self._close()
        self._release_readers()
        if not self.closed:
            self._recover()

    # Readers

    def _add_reader(self) -> None:
        number = len(self.readers)
        self.readers.append(self.world.start(lambda: self._read(number), f"reader-{number}"))

    def _read(self, number: int) -> None:
        newest = 0
        for _ in range(self.chance.randrange(2, 8)):
            self.world.sleep(self._span() / 2)
            generation = self._call(number)
            assert generation >= newest or self.closed, f"reader {number} saw generation {generation} after {newest}"
            newest = generation

    def _call(self, number: int) -> int:
        ask, forced = self._ask()
        held, began = self.cache.snapshot, self.world.now
        self.forcing += forced
        try:
            credentials = ask()
        except Interrupted:
            self.record(f"reader {number}: interrupted")
        except RamRoleError as error:
            self.record(f"reader {number}: {type(error).__name__}: {error}")
            self._check_error(error, held, forced=forced, plain=ask == self.cache.get)
        else:
            self.record(f"reader {number}: {serial_of(credentials)}")
            self._check_credentials(credentials, held, began, plain=ask == self.cache.get)
        finally:
            self.forcing -= forced
        took = self.world.now - began
        most = 4 * self.policy.fetch_timeout + 2 * self.policy.retry_max
        assert self.dawdles or took <= most, f"reader {number} waited {took} s"
        generation: int = self.cache.snapshot.generation
        return generation

    def _ask(self) -> tuple[Callable[[], Credentials], bool]:
        cache, dice = self.cache, self.chance.random()
        if dice < 0.7:
            return cache.get, False
        if dice < 0.8:
            patience = self.chance.choice((0.0, 0.1, 5.0))
            return lambda: cache.get(timeout=patience), False
        if dice < 0.9:
            wish = self.chance.random() * 1.2 * self.upstream.life
            return lambda: cache.get(valid_for=wish), True
        held = cache.snapshot.credentials
        rejected = held if self.chance.random() < 0.5 else None
        return lambda: cache.refresh(rejected), True

    def _check_credentials(self, credentials: Credentials, held: Any, began: float, *, plain: bool) -> None:
        ends = self.upstream.ends[serial_of(credentials)]
        if self.dawdles:
            return
        now = self.world.clock.true_seconds()
        unnoticed = min(self.world.paused, LEAP_SECONDS)  # a pause of a few seconds is no leap
        assert ends > now - unnoticed or not self._could_know(), f"credentials {serial_of(credentials)} ended at {ends}"
        if plain and held.credentials is credentials and self.world.threads_allowed:
            took = self.world.now - began
            assert took <= self.policy.mandatory_wait + SLACK, f"held for {took} s with valid credentials at hand"

    def _could_know(self) -> bool:
        """Whether some clock told the cache when its credentials end: the server's, or its own since a host's pause.

        A pause is noticed within a minute; from then on the credentials are in doubt until upstream was asked.
        """
        noticed = self.world.now - self.paused_at > 61 and not self.cache.snapshot.doubtful
        return self.upstream.dated and noticed and self.hands_free and self.watched

    def _check_error(self, error: RamRoleError, held: Any, *, forced: bool, plain: bool) -> None:
        if self.closed:
            return
        assert not isinstance(error, WaitTimeout) or not plain
        assert not isinstance(error, LifetimeTooShort) or forced
        if not forced and not self.dawdles and self.cache.snapshot is held and held.credentials is not None:
            assert held.expires_at <= self.world.clock.seconds(), f"{error!r} with valid credentials at hand"

    # Upstream

    def _fetch(self, context: FetchContext) -> Credentials:
        world, now = self.world, self.world.clock.seconds()
        if not world.threads_allowed:  # then its caller runs it, and it must keep to its time limit by itself
            self.upstream.takes = min(self.upstream.takes, 1.0)
            self.upstream.answers = self.upstream.answers.replace("hangs", "error")
        self.record(f"fetch {len(self.upstream.requests) + 1} ({self.upstream.answers})")
        others = [
            began for began in self.upstream.flying.values() if world.now - began < self.policy.fetch_timeout - SLACK
        ]
        assert self.dawdles or not others, self._broken("two fetches at once")
        if self.chance.random() < self.reenters:
            self._reenter("a fetch")
        asked_for = self.forcing or context.valid_for or context.rejected is not None
        if not asked_for and not self.dawdles and world.threads_allowed:
            snapshot = self.cache.snapshot
            fresh = snapshot.credentials is not None and now < snapshot.advisory_at
            assert not fresh, self._broken("a fetch while what is held is fresh")
            if self.failed_at is not None and not self.world.interrupted and not self._at_a_boundary(snapshot, now):
                assert now - self.failed_at >= self.policy.retry_initial - NOTICED_LATE, self._broken(
                    "a pause too short"
                )
        return self.upstream.fetch(context)

    def _hanging(self) -> int:
        """Fetches that have not returned, most of them abandoned."""
        return len(self.upstream.flying)

    def _broken(self, law: str) -> str:
        self.laws_broken = law
        return law

    laws_broken = ""

    def _at_a_boundary(self, snapshot: Any, now: float) -> bool:
        """The last try before the end and the one after it do not wait."""
        return snapshot.credentials is not None and abs(now - snapshot.expires_at) <= TRIES_AT_A_BOUNDARY

    # Events

    def _reenter(self, who: str) -> None:
        """Nobody waits for himself: an answer or a typed error at once."""
        began = self.world.now
        try:
            self.cache.status()
            self.cache.get()
        except RamRoleError as error:
            self.record(f"{who} asked: {type(error).__name__}")
        assert self.dawdles or self.world.now == began, self._broken(f"{who} that asks waits for itself")

    def _hear(self, event: events.Event) -> None:
        self.world.step()  # a listener takes its time
        self.record(f"  {event}")
        if isinstance(event, events.FetchFailed):
            # A pause of nothing: the fetch failed long ago, and somebody came only now to see it.
            since = max(0.0, self.policy.retry_initial - event.next_attempt_in)  # it was noticed that much later
            self.failed_at = self.world.clock.seconds() - since if event.next_attempt_in else None
            pause, left = event.next_attempt_in, event.seconds_left or 0.0
            hanging = "abandoned fetches hang" in event.message or self._hanging() >= FREE_HANGING_FETCHES
            most = math.inf if hanging else max(*(self.policy.delay_ceiling(left, n) for n in (0, event.failures)), 5.0)
            assert pause <= most + SLACK, self._broken(f"a delay of {pause} s")
        elif isinstance(event, (events.Fetched, events.FetchedUnchanged)):
            self.failed_at = None
        if isinstance(event, events.Fetched) and event.generation <= self.generation:
            self._broken(f"generation {event.generation} after {self.generation}")
        if isinstance(event, events.Fetched):
            self.generation = event.generation
        if isinstance(event, events.StateChanged):
            if event.old == event.new:
                self._broken("a change of state that is none")
            if self.state not in (None, event.old) and not self.world.interrupted:
                self._broken(f"a change from {event.old} after one to {self.state}")
            self.state = event.new

    # What happens

    def _span(self) -> float:
        scale = self.chance.choice((0.1, 1.0, 10.0, self.upstream.life / 10, self.upstream.life / 2))
        return self.chance.random() * scale

    def _something_happens(self) -> None:
        world, upstream, chance = self.world, self.upstream, self.chance
        happening = chance.choice(
            ("answers", "answers", "answers", "takes", "reader", "suspend", "pause", "wall", "fork", "machine")
        )
        if happening == "answers":
            upstream.answers = chance.choice(ANSWERS)
        elif happening == "takes":
            upstream.takes = chance.choice((0.0, 0.05, 0.2, 1.0, 5.0, 15.0))
        elif happening == "reader":
            self._add_reader()
        elif happening == "suspend":
            world.suspend(self._span())
        elif happening == "pause":
            world.pause(self._span())
            self.paused_at = world.now
        elif happening == "wall":
            world.step_wall(WALL_AT_ZERO + world.paused + chance.choice(WALL_CLOCKS_OFF_BY) - world.wall_at_zero)
        elif happening == "fork" and chance.random() < 0.5:
            self._fork()
        elif happening == "machine" and chance.random() < 0.2:
            self.hands_free = world.threads_allowed = world.refresher_allowed = False
        self.record(f"-- {happening} (answers {upstream.answers}, takes {upstream.takes:g})")

    def _fork(self) -> None:
        handlers = self.chance.random() < 0.5
        self.world.fork(self.cache, handlers=handlers)
        self.watched = self.watched and handlers
        self.readers.clear()
        self.upstream.flying.clear()
        self.forcing = 0
        self.failed_at = None
        self.state = None
        self._add_reader()

    def _close(self) -> None:
        self.closed = True
        self.record("-- close")
        self.cache.close()

    # The end

    def _release_readers(self) -> None:
        for reader in self.readers:
            self.world.join(reader, 20 * self.upstream.life + 1000.0)
            if reader.error is not None:
                raise reader.error
        assert not self.laws_broken, self.laws_broken

    def _recover(self) -> None:
        """Once upstream answers, everything is well again within the longest pause."""
        self.upstream.answers, self.upstream.takes, self.upstream.unblocked = "fresh", 0.0, True
        self.upstream.life = max(LIVES)
        self.record("-- upstream is well")
        if not self.upstream.dated:  # a clock that is ahead may find all past, and is set right at last
            self.world.step_wall(WALL_AT_ZERO + self.world.paused - self.world.wall_at_zero)
            self.world.advance(61.0)
        known = self.cache.snapshot.expires
        self.cache.status()
        self.world.advance(self.policy.retry_max + self.policy.fetch_timeout + 2.0)
        if self.world.interrupted:  # what an interrupted caller left undone, the refresher does within a minute
            self.world.advance(REFRESHER_SLICE_SECONDS + self.policy.fetch_timeout)
        if known and self.hands_free:
            state = self.cache.status().state
            assert state == "fresh", f"{state} long after upstream was well again"
        task = self.world.call(self.cache.get)
        assert task.error is None, f"{task.error!r} long after upstream was well again"
        at_once = self.dawdles or task.seconds == 0
        assert at_once or not known or not self.hands_free, "a wait for what should be there"
        assert not self.laws_broken, self.laws_broken
        self._check_threads()

    def _check_threads(self) -> None:
        names = Counter(task.name for task in self.world.tasks)
        assert names["refresher"] <= 1, names
