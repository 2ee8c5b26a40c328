"""Wherever Python may interrupt a call, the cache may be called again, and a call may be cut short.

A trace function stands for what can strike between two lines: a signal handler, a finalizer that the collector runs, an
audit hook. It strikes once, at one line of the engine after the other, so that every place is met: a state looked at,
replaced or published, a worker about to be started, started and ended, waiters released, events delivered.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import Credentials, FetchError, RamRoleError, RefreshPolicy
from ramrole_creds._cache import credential_cache
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.state import CacheState, StateCell
from ramrole_creds._cache.threads import ThreadRuntime
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

    from ramrole_creds import FetchContext, events

ENGINE = str(Path(credential_cache.__file__).parent)
LIFE_SECONDS = 3600.0
REAL_PATIENCE_SECONDS = 20.0
MAX_PLACES = 2000
EVERY_STRIKE = os.environ.get("RAMROLE_CREDS_STRIKES") == "all"
# A call that waits for itself would wait for the whole of this.
POLICY = RefreshPolicy(fetch_timeout=REAL_PATIENCE_SECONDS * 10, mandatory_wait=0.0)

# What strikes a finalizer can reach nobody: Python reports it and goes on.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Scene:
    """A cache on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.fetches = 0
        self.error: Exception | None = None
        self.received: list[events.Event] = []
        self.runtime = TracedRuntime()
        self.cache = CredentialCache(
            self._fetch, clock=self.clock, policy=POLICY, runtime=self.runtime, on_event=self.received.append
        )

    def _fetch(self, context: FetchContext) -> Credentials:
        del context
        self.fetches += 1
        if self.error is not None:
            raise self.error
        ends = self.clock.now() + timedelta(seconds=LIFE_SECONDS)
        return Credentials(f"STS.NT{self.fetches:012d}", "secret", "token", ends)


class TracedRuntime(ThreadRuntime):
    """Its workers are traced like the thread that starts them."""

    trace: Any = None

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        trace = self.trace if purpose == "fetch" else None

        def traced() -> None:
            sys.settrace(trace)
            try:
                work()
            except (KeyboardInterrupt, MemoryError):
                pass
            finally:
                sys.settrace(None)

        super().spawn(traced, purpose)


class Striker:
    """Strikes once, at the `place`-th line of the engine that runs; a line that runs again counts once.

    Args:
        place: which one, from 1.
        strike: what happens there.
        spared: functions in which it does not strike.
    """

    def __init__(self, place: int, strike: Callable[[], None], spared: Collection[str] = ()) -> None:
        self._place = place
        self._strike = strike
        self._spared = spared
        self._lock = threading.Lock()
        self._seen: set[tuple[str, int, bool]] = set()
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(ENGINE) or code.co_name in self._spared:
            return None
        if event == "line" and not self.where:
            in_worker = threading.current_thread().name.startswith("ramrole-creds")
            with self._lock:
                self._seen.add((code.co_filename, frame.f_lineno, in_worker))
                if len(self._seen) < self._place or self.where:
                    return self
                self.where = f"{Path(code.co_filename).name}:{frame.f_lineno}"
            self._strike()
        return self


def cold(scene: Scene) -> None:
    scene.cache.get()


def failing(scene: Scene) -> None:
    scene.error = FetchError("out of order")
    with contextlib.suppress(FetchError):
        scene.cache.get()
    scene.error = None
    scene.clock.advance(60)


def in_the_mandatory_window(scene: Scene) -> None:
    scene.clock.suspend(LIFE_SECONDS - 100)
    scene.cache.get()


def with_a_wish(scene: Scene) -> None:
    with contextlib.suppress(RamRoleError):
        scene.cache.get(valid_for=2 * LIFE_SECONDS)


def forced(scene: Scene) -> None:
    scene.cache.refresh()


def rejected(scene: Scene) -> None:
    scene.cache.refresh(scene.cache.snapshot.credentials)


def due(scene: Scene) -> None:
    scene.clock.advance(LIFE_SECONDS - 200)


def status(scene: Scene) -> None:
    scene.cache.status()


CALLS = {
    "cold get": (False, cold),
    "failing get": (False, failing),
    "mandatory get": (True, in_the_mandatory_window),
    "long get": (True, with_a_wish),
    "refresh": (True, forced),
    "rejected": (True, rejected),
    "due": (True, due),
    "status": (True, status),
}


def ask(scene: Scene) -> None:
    with contextlib.suppress(RamRoleError):
        scene.cache.get()


def ask_for_long(scene: Scene) -> None:
    with contextlib.suppress(RamRoleError):
        scene.cache.get(valid_for=60)


def force(scene: Scene) -> None:
    with contextlib.suppress(RamRoleError):
        scene.cache.refresh()


def look(scene: Scene) -> None:
    scene.cache.status()


def serve(scene: Scene) -> None:
    scene.cache.on_due()


INTRUDERS = {"get": ask, "get with valid_for": ask_for_long, "refresh": force, "status": look, "on_due": serve}


def play(call: str, place: int, strike: Callable[[Scene], None], spared: Collection[str] = ()) -> tuple[str, list[str]]:
    """Where the strike fell, "" for nowhere any more, and what went wrong."""
    warm, act = CALLS[call]
    scene = Scene()
    if warm:
        scene.cache.get()
    striker = Striker(place, lambda: strike(scene), spared)
    scene.runtime.trace = striker
    wrong: list[str] = []

    def run() -> None:
        sys.settrace(striker)
        try:
            act(scene)
        except (KeyboardInterrupt, MemoryError, RamRoleError):
            pass
        except BaseException as error:  # noqa: BLE001  # reported below
            wrong.append(f"{error!r}")
        finally:
            sys.settrace(None)

    for work in (run, lambda: wrong.extend(failures_afterwards(scene))):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(REAL_PATIENCE_SECONDS)
        if thread.is_alive():
            return striker.where, ["a call hangs"]
    scene.cache.close()
    return striker.where, wrong


def failures_afterwards(scene: Scene) -> list[str]:
    """What keeps the cache from working again; a worker that the interrupt left behind may still bring its failure."""
    scene.runtime.trace = None
    scene.error = None
    failures: list[str] = []
    for _ in range(3):
        scene.clock.advance(60)  # past any delay
        try:
            scene.cache.get()
            scene.cache.refresh()
        except RamRoleError as error:
            failures.append(f"afterwards {error!r}")
        else:
            return []
    return failures


def strike_everywhere(call: str, strikes: list[Callable[[Scene], None]], spared: Collection[str] = ()) -> int:
    """How many places there are; raises where a strike at one of them breaks something.

    In most runs every third place meets one of the strikes, others in each run; `RAMROLE_CREDS_STRIKES=all`, as
    `tox run -e sim` sets it, has every place meet all.
    """
    for place in range(1 if EVERY_STRIKE else random.randint(1, 3), MAX_PLACES, 1 if EVERY_STRIKE else 3):
        chosen = strikes if EVERY_STRIKE else [random.choice(strikes)]
        where = ""
        for strike in chosen:
            where, wrong = play(call, place, strike, spared)
            assert not wrong, f"{call}, {strike} at {where} ({place}): {wrong}"
        if not where:
            return place
    raise AssertionError("there is no end of places")


def interrupt_with(error: type[BaseException]) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        del scene
        raise error

    return strike


@pytest.mark.parametrize("call", CALLS)
def test_the_cache_may_be_called_again_from_any_line_of_it(call: str) -> None:
    assert strike_everywhere(call, list(INTRUDERS.values())) > 10


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_at_any_line_leaves_nobody_waiting_for_what_no_thread_does(call: str) -> None:
    """A worker's very first line is spared: no interrupt reaches a worker, and there it allocates nothing."""
    strikes = [interrupt_with(error) for error in (KeyboardInterrupt, MemoryError)]
    assert strike_everywhere(call, strikes, spared=("_work",)) > 10


class InterruptedCell(StateCell):
    """An interrupt strikes once, just before or just after a change that `strikes` chooses."""

    __slots__ = ("after", "strikes")

    def __init__(self, state: CacheState, strikes: Callable[[CacheState, CacheState], bool], *, after: bool) -> None:
        super().__init__(state)
        self.strikes: Callable[[CacheState, CacheState], bool] | None = strikes
        self.after = after

    def swap(self, old: CacheState, new: CacheState) -> bool:
        strikes = self.strikes is not None and self.strikes(old, new)
        if strikes:
            self.strikes = None
        if strikes and not self.after:
            raise KeyboardInterrupt
        swapped = super().swap(old, new)
        if strikes:
            raise KeyboardInterrupt
        return swapped


class InterruptedRuntime(ThreadRuntime):
    """Its cells are interrupted; without threads the caller does all the work, whom an interrupt reaches."""

    def __init__(
        self, strikes: Callable[[CacheState, CacheState], bool], *, after: bool = False, threads: bool = True
    ) -> None:
        super().__init__()
        self._strikes = strikes
        self._after = after
        self._threads_allowed = threads

    def cell(self, state: CacheState) -> StateCell:
        return InterruptedCell(state, self._strikes, after=self._after)

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        if not self._threads_allowed:
            raise RuntimeError("can't start new thread")
        super().spawn(work, purpose)


def test_a_fetch_whose_abandoning_was_interrupted_is_abandoned_by_the_next_call() -> None:
    clock, go, fetches = VirtualClock(), threading.Event(), list[int]()

    def fetch(context: FetchContext) -> Credentials:
        del context
        fetches.append(1)
        if len(fetches) == 1:
            go.wait(REAL_PATIENCE_SECONDS)
        return Credentials("STS.NT1", "secret", "token", clock.now() + timedelta(hours=1))

    runtime = InterruptedRuntime(lambda old, new: len(new.hanging) > len(old.hanging))
    cache = CredentialCache(fetch, clock=clock, policy=RefreshPolicy(fetch_timeout=0.05), runtime=runtime)
    with pytest.raises(KeyboardInterrupt):
        cache.get()
    with pytest.raises(FetchError):
        cache.get()
    clock.advance(60)
    assert cache.get().access_key_id == "STS.NT1"
    assert len(fetches) == 2
    go.set()
    cache.close()


def test_an_interrupt_between_a_change_and_its_publication_leaves_no_older_credentials() -> None:
    clock = VirtualClock()
    runtime = InterruptedRuntime(lambda old, new: new.snapshot is not old.snapshot, after=True, threads=False)
    ends = clock.now() + timedelta(hours=1)
    cache = CredentialCache(
        lambda _: Credentials("STS.NT1", "secret", "token", ends), clock=clock, policy=POLICY, runtime=runtime
    )
    with pytest.raises(KeyboardInterrupt):
        cache.get()
    assert cache.snapshot.generation == cache.status().generation == 1
    cache.close()
