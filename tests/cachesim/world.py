"""Time, threads and processes under a scheduler: one thread runs at a time, and every switch is the world's choice.

Each simulated thread is a real thread parked on a baton. Whatever the cache asks of its runtime (a lock, a signal, a
worker, a clock) is a point where the world may switch to another. Time stands still while any thread can run and then
jumps to the next moment somebody waits for, so hours cost nothing. All choices come from one seed.
"""

from __future__ import annotations

import math
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ramrole_creds._cache.state import StateCell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds._cache.runtime import Refreshable
    from ramrole_creds._cache.state import CacheState
    from ramrole_creds.clock import Clock

WALL_AT_ZERO = 1_800_000_000.0
REFRESHER_SLICE_SECONDS = 60.0
TICK_SECONDS = 1e-7  # timers fire a little late, never early: sums of floats are not exact
REAL_SECONDS_TO_UNWIND = 10.0
MAX_SWITCHES_WITHOUT_TIME = 5_000
MAX_SWITCHES = 100_000

T = TypeVar("T")


class Unwound(BaseException):
    """Ends a thread of a world that is no more, or of a parent process that the world left behind."""


class Interrupted(BaseException):
    """Strikes a caller as Ctrl-C does."""


class Stuck(Exception):
    """A deadlock, or threads that run in a circle."""


class Task(Generic[T]):
    """A simulated thread, and what became of it."""

    def __init__(self, world: World, work: Callable[[], T], name: str) -> None:
        self.name = name
        self.started = world.now
        self.ended: float | None = None
        self.result: T | None = None
        self.error: BaseException | None = None
        self.blocked: Callable[[], bool] | None = None
        """None while it can run, else what it waits for."""
        self.deadline: float | None = None
        self.unwinding = False
        self._world = world
        self._work = work
        self.baton = threading.Lock()
        self.baton.acquire()
        self.thread = threading.Thread(target=self._run, name=f"sim-{name}", daemon=True)
        self.ident: int | None = None

    def _run(self) -> None:
        self.ident = threading.get_ident()
        self.baton.acquire()
        try:
            if not self.unwinding:
                self.result = self._work()
        except Unwound:
            pass
        except BaseException as error:  # noqa: BLE001  # kept for the test
            self.error = error
        self._work = _nothing
        self._world.depart(self)

    @property
    def done(self) -> bool:
        return self.ended is not None

    @property
    def seconds(self) -> float:
        """How long it took, or has taken."""
        return (self._world.now if self.ended is None else self.ended) - self.started

    def ready(self, now: float) -> bool:
        return self.blocked is None or self.blocked() or (self.deadline is not None and self.deadline <= now)


class World:
    """The runtime of the caches in it; `clock` is their clock.

    Args:
        seed: decides every choice.
        switching: chance that another thread is preferred at each point where one may be.
        dawdling: chance, at each such point, that time passes although a thread could run: a slow or busy machine.
    """

    def __init__(self, seed: int = 0, *, switching: float = 0.0, dawdling: float = 0.0) -> None:
        self.chance = random.Random(seed)
        self.switching = switching
        self.dawdling = dawdling
        self.now = 0.0
        self.asleep = 0.0
        self.paused = 0.0
        self.wall_at_zero = WALL_AT_ZERO
        self.process = 1000
        self.threads_allowed = True
        self.refresher_allowed = True
        self.interrupted = False
        """True once a caller was interrupted, who may have been about to deliver an event."""
        self.interrupting = 0.0
        """Chance that a caller is interrupted before or after a change of state or the start of a worker."""
        self.random_fraction: float | None = None
        """What every random_fraction gives, where a test wants to know."""
        self.spawned = 0
        self._restless = 0
        self._switches = 0
        self.tasks: list[Task[Any]] = []
        self._left_behind: list[Task[Any]] = []
        self._refresher = WorldRefresher(self)
        self._closed = False
        self._stuck = ""
        self.clock = WorldClock(self)
        self.driver: Task[None] = Task(self, _nothing, "driver")
        self.driver.ident = threading.get_ident()
        self.current: Task[Any] = self.driver
        self.tasks.append(self.driver)

    # What a test does

    def start(self, work: Callable[[], T], name: str = "caller") -> Task[T]:
        """Run `work` on a thread of its own, from now on."""
        task: Task[T] = Task(self, work, name)
        if not self._closed:  # a thread that unwinds, or a finalizer, may still start others
            self.tasks.append(task)
            task.thread.start()
        return task

    def call(self, work: Callable[[], T], at_most: float = 1000.0) -> Task[T]:
        """Run `work` on a thread of its own until it ends."""
        return self.join(self.start(work), at_most)

    def join(self, task: Task[T], at_most: float = 1000.0) -> Task[T]:
        """Let everything run until `task` has ended; it must within `at_most` seconds."""
        self.block(lambda: task.done, self.now + at_most)
        assert task.done, f"{task.name} still waits after {task.seconds:g} s"
        return task

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything run that can."""
        self.block(_never, self.now + seconds)
        self.settle()

    def settle(self) -> None:
        """Let everything run that can without time passing."""
        self.block(_never, self.now)

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: the cache's clock goes on, timers and patience stand still."""
        self.asleep += seconds
        self._refresher.wake()

    def step_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock. The refresher may notice within a minute."""
        self.wall_at_zero += seconds
        self._refresher.look_for_leaps_at(self.now + REFRESHER_SLICE_SECONDS)

    def pause(self, seconds: float) -> None:
        """The host pauses the machine: upstream's time and the wall clock go on, all clocks of the machine stop."""
        self.paused += seconds
        self.step_wall(seconds)

    def fork(self, *caches: Any, handlers: bool = True) -> None:
        """Go on in a child: the other threads are gone, with the locks they held; the driver lives on."""
        self.process += 1
        self._left_behind += [task for task in self.tasks if task is not self.driver]
        self.tasks = [self.driver]
        if handlers:
            self._refresher.reset()
            for cache in caches:
                cache.after_fork_in_child()

    @contextmanager
    def refresher_at_rest(self) -> Iterator[None]:
        """Nothing falls due meanwhile; what did is seen to afterwards."""
        self._refresher.at_rest = True
        try:
            yield
        finally:
            self._refresher.at_rest = False
            self._refresher.wake()

    def stop_refresher(self, *, dozes: bool) -> None:
        """It no longer wakes by itself; one that only dozes does when it is called for at once."""
        self._refresher.at_rest = True
        self._refresher.dozes = dozes

    def sleep(self, seconds: float) -> None:
        """What a fetch does while it waits for upstream."""
        self.block(_never, self.now + seconds)

    def close(self) -> None:
        """End every thread."""
        self._closed = True
        for task in [*self._left_behind, *self.tasks]:
            if task is not self.driver and not task.done:
                task.unwinding = True
                self.current = task
                task.baton.release()
                task.thread.join(REAL_SECONDS_TO_UNWIND)
                assert not task.thread.is_alive(), f"{task.name} did not unwind"
        self.current = self.driver

    # The runtime

    def cell(self, state: CacheState) -> WorldCell:
        return WorldCell(self, state)

    def signal(self) -> WorldSignal:
        return WorldSignal(self)

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        if not self.threads_allowed:
            raise RuntimeError("can't start new thread")
        self.interrupt()
        self.spawned += purpose == "fetch"
        self.start(work, "worker")
        self.step()
        self.interrupt()

    def holds_foreign_lock(self) -> bool:
        return False

    def process_id(self) -> int:
        return self.process

    def monotonic(self) -> float:
        """Seconds by which patience is measured: they stand still while the machine sleeps."""
        self.step()
        return self.now

    def random(self) -> float:
        return self.chance.random() if self.random_fraction is None else self.random_fraction

    def refresher(self, clock: Clock) -> WorldRefresher:
        return self._refresher

    # Scheduling

    def step(self) -> None:
        """A point where the world may switch to another thread."""
        if threading.get_ident() != self.current.ident:
            return  # somebody from outside, such as the garbage collector
        if self.current.unwinding:
            raise Unwound
        if self._closed:
            return
        if self.dawdling and self.chance.random() < self.dawdling:
            self.now += self.chance.expovariate(20)
        if self.switching and self.chance.random() < self.switching:
            self._switch()

    def interrupt(self) -> None:
        """A point where a caller may be interrupted; the library's own threads never are."""
        caller = self.current.name.startswith("reader") and threading.get_ident() == self.current.ident
        if self.interrupting and caller and self.chance.random() < self.interrupting:
            self.interrupted = True
            raise Interrupted

    def block(self, until: Callable[[], bool], deadline: float | None = None) -> None:
        """Let others run until `until()` holds or `deadline` comes."""
        task = self.current
        if task.unwinding:
            raise Unwound
        task.blocked, task.deadline = until, deadline
        self._switch()
        task.blocked, task.deadline = None, None

    def depart(self, task: Task[Any]) -> None:
        """A thread's last act: hand over to another."""
        task.ended = self.now
        if task in self.tasks:
            self.tasks.remove(task)
        if not task.unwinding:
            self._pick().baton.release()

    def _switch(self) -> None:
        task, chosen = self.current, self._pick()
        if chosen is not task:
            chosen.baton.release()
            task.baton.acquire()
        if task.unwinding:
            raise Unwound
        if task is self.driver and self._stuck:
            raise Stuck(self._stuck)

    def _pick(self) -> Task[Any]:
        ready = [task for task in self.tasks if task.ready(self.now)]
        self._restless += 1
        self._switches += 1
        if self._restless > MAX_SWITCHES_WITHOUT_TIME or self._switches > MAX_SWITCHES:
            self._stuck = "threads run in a circle"
            ready = [self.driver]
        if not ready:
            self._restless = 0
            moments = [task.deadline for task in self.tasks if task.deadline is not None]
            if moments:
                self.now = max(self.now, min(moments))
                ready = [task for task in self.tasks if task.ready(self.now)]
            else:
                self._stuck = "no thread can run and none waits for a moment"
                ready = [self.driver]
        if len(ready) > 1 and self.driver in ready:
            ready.remove(self.driver)  # it looks on until nobody else can run
        chosen = ready[self.chance.randrange(len(ready))] if self.switching and len(ready) > 1 else ready[0]
        self.current = chosen
        return chosen


class WorldClock:
    """By which credentials live."""

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        """Unix seconds by the local wall clock."""
        return self._world.wall_at_zero + self.seconds()

    def true_time(self) -> float:
        """Unix seconds by a clock that nobody sets wrong: the server's."""
        return WALL_AT_ZERO + self.true_seconds()

    def true_seconds(self) -> float:
        """Seconds that also count while the host pauses the machine."""
        return self.seconds() + self._world.paused

    def monotonic(self) -> float:
        """Seconds that count through suspend."""
        self._world.step()
        return self.seconds()

    def seconds(self) -> float:
        """The same, for a test: no point where threads may switch."""
        return self._world.now + self._world.asleep


class WorldCell(StateCell):
    """Where the latest state is held; between a look and a change others may run."""

    __slots__ = ("_world",)

    def __init__(self, world: World, state: CacheState) -> None:
        super().__init__(state)
        self._world = world

    def swap(self, old: CacheState, new: CacheState) -> bool:
        self._world.step()
        self._world.interrupt()
        swapped = super().swap(old, new)
        self._world.step()
        self._world.interrupt()
        return swapped


class WorldSignal:
    """An event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False

    def set(self) -> None:
        self._world.step()
        self._set = True
        self._world.step()

    def is_set(self) -> bool:
        self._world.step()
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        world = self._world
        world.step()
        if not self._set:
            world.block(lambda: self._set, None if timeout is None else world.now + timeout + TICK_SECONDS)
        return self._set


class WorldRefresher:
    """The refresher of each process, on a thread of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.at_rest = False
        self.dozes = False
        self.reset()

    def reset(self) -> None:
        self._due: dict[int, dict[Refreshable, float]] = {}
        self._threads: dict[int, Task[None]] = {}
        self._called = False
        self._leaps_at = math.inf

    def schedule(self, cache: Refreshable, when: float) -> bool:
        world, process = self._world, self._world.process
        if not world.refresher_allowed:
            return False
        self._due.setdefault(process, {})[cache] = when
        if self.dozes and when <= world.now + world.asleep:
            self.dozes = self.at_rest = False  # called for at once, it wakes
        if process not in self._threads:
            self._threads[process] = world.start(lambda: self._serve(process), "refresher")
        self.wake()
        return True

    def forget(self, cache: Refreshable) -> None:
        self._due.get(self._world.process, {}).pop(cache, None)

    def wake(self) -> None:
        self._called = True

    def scheduled_for(self, cache: Refreshable) -> float | None:
        """When it will call on the cache; None where it will not."""
        return self._due.get(self._world.process, {}).get(cache)

    def look_for_leaps_at(self, when: float) -> None:
        self._leaps_at = min(self._leaps_at, when)
        self.wake()

    def _serve(self, process: int) -> None:
        world = self._world
        due = self._due[process]
        while True:
            self._called = False
            now = world.now + world.asleep
            looks = self._leaps_at <= world.now
            if looks:
                self._leaps_at = math.inf
            for cache, when in list(due.items()):
                if not self.at_rest and (when <= now or (looks and cache.has_leapt())):
                    due.pop(cache, None)
                    cache.on_due()
            if not self._called:
                moments = [min(due.values()) - world.asleep + TICK_SECONDS] if due and not self.at_rest else []
                moments += [self._leaps_at] if self._leaps_at < math.inf else []
                world.block(lambda: self._called, min(moments, default=None))


def _nothing() -> Any:
    return None


def _never() -> bool:
    return False
