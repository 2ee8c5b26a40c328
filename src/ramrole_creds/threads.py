"""The threads under the cache: locks, waiting, workers and the one background refresher of a process.

The cache asks a *runtime* for everything that has to do with threads, so that a test can own each step. Names are
looked up in `threading` when they are used, so that gevent's patches take effect whenever they are made.
"""

from __future__ import annotations

import heapq
import logging
import os
import queue
import sys
import threading
import time
import weakref
from itertools import count
from typing import TYPE_CHECKING, Protocol

from ramrole_creds.clock import SYSTEM_CLOCK, Clock, SchedulingClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ramrole_creds.clock import Cancellable, Pending

_log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 60.0
MOST_STALE_ENTRIES = 64


class Signal(Protocol):
    """What a waiter waits on; `threading.Event` is one."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Wakeable(Protocol):
    """What a refresher serves: told when its time has come, it starts what is due and never blocks."""

    def on_due(self) -> Pending | None: ...
    def monotonic(self) -> float: ...


class Refresher(Protocol):
    """Calls `on_due` of caches at their time, holding them by weak reference only."""

    def schedule(self, cache: Wakeable, when: float) -> bool:
        """Call `cache.on_due()` at `when` of its clock, in place of what was scheduled; False where none runs."""

    def forget(self, cache: Wakeable) -> None:
        """Do not call it again."""


class Runtime(Protocol):
    """Everything that the cache needs of threads, processes and chance."""

    def lock(self) -> AbstractContextManager[object]: ...
    def signal(self) -> Signal: ...
    def spawn(self, work: Callable[[], None]) -> None:
        """Run `work` on a short-lived daemon worker; RuntimeError where no thread can be started."""

    def process_id(self) -> int: ...
    def monotonic(self) -> float:
        """Seconds by which patience and time limits are measured."""

    def random(self) -> float: ...
    def refresher(self, clock: Clock) -> Refresher: ...


class ThreadRuntime:
    """The real thing."""

    def __init__(self) -> None:
        # Reads the system's generator each time: nothing to seed, so no two processes ever draw alike.
        self.random = _system_random
        self._thread_refresher = ThreadRefresher()

    def lock(self) -> AbstractContextManager[object]:
        """A plain lock."""
        return threading.Lock()

    def signal(self) -> Signal:
        """A one-shot event."""
        return threading.Event()

    def spawn(self, work: Callable[[], None]) -> None:
        """Run `work` on a daemon thread, which never delays the interpreter's exit."""
        if _is_uwsgi_master():
            raise RuntimeError("the master of uWSGI may have no threads")
        threading.Thread(target=work, name="ramrole-creds-fetch", daemon=True).start()

    def process_id(self) -> int:
        """The id of the process that runs now."""
        return os.getpid()

    def monotonic(self) -> float:
        """Seconds of the clock that the operating system waits by."""
        return time.monotonic()

    def refresher(self, clock: Clock) -> Refresher:
        """The clock's own where it schedules, else the thread that serves the whole process."""
        return ClockRefresher(clock) if isinstance(clock, SchedulingClock) else self._thread_refresher

    def after_fork_in_child(self) -> None:
        """The thread did not come along, and its lock may be held for ever."""
        self._thread_refresher.reset()


def _is_uwsgi_master() -> bool:
    """True in a process that will split in C, behind Python's back.

    A thread that asks for the interpreter's lock at that moment, as every thread does where uWSGI runs without
    threads, leaves a lock to the workers in which they hang.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and getattr(uwsgi, "masterpid", int)() == os.getpid()


def _system_random() -> float:
    """As `random.SystemRandom().random()`, without the import of a module that costs milliseconds."""
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53


class ThreadRefresher:
    """One daemon thread for all caches of a process: started with the first, gone with the last.

    A process is known by its id, so that a child whose server ran no fork handlers starts a thread of its own.
    """

    def __init__(self) -> None:
        self._threads: dict[int, _RefresherThread] = {}

    def reset(self) -> None:
        """Forget what the parent had; every cache schedules itself anew."""
        self._threads = {}

    def schedule(self, cache: Wakeable, when: float) -> bool:
        """See `Refresher`; starts the thread where it does not run."""
        return self._here().schedule(cache, SYSTEM_CLOCK.monotonic() + when - cache.monotonic())

    def forget(self, cache: Wakeable) -> None:
        """See `Refresher`."""
        self._here().forget(cache)

    def _here(self) -> _RefresherThread:
        process_id = os.getpid()
        # `setdefault` lets exactly one of several threads make it.
        return self._threads.get(process_id) or self._threads.setdefault(process_id, _RefresherThread())


class _RefresherThread:
    """The thread, and how it is reached.

    The board belongs to the thread alone; everything reaches it through a `SimpleQueue`, whose `put` may be called
    from a weak reference's callback at any moment.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _runs; while it is held the thread cannot end
        self._runs = False
        self._mailbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()

    def schedule(self, cache: Wakeable, due: float) -> bool:
        mailbox = self._mailbox
        reference = weakref.ref(cache, lambda gone: mailbox.put((gone, None)))
        hash(reference)  # while the cache lives: the board keeps its books by it, and a dead reference has no hash
        with self._lock:
            if not self._runs:
                self._runs = self._start()
            if self._runs:
                mailbox.put((reference, due))
            return self._runs

    def forget(self, cache: Wakeable) -> None:
        reference = weakref.ref(cache)
        hash(reference)
        with self._lock:
            if self._runs:
                self._mailbox.put((reference, None))

    def _start(self) -> bool:
        if _is_uwsgi_master():
            return False
        try:
            threading.Thread(target=self._serve, name="ramrole-creds-refresh", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter is on its way out
            return False
        return True

    def _serve(self) -> None:
        board, mailbox = _Board(), self._mailbox
        while True:
            try:
                # Slices: a machine that was suspended wakes up with its timers late by the time it slept.
                board.take(mailbox.get(timeout=min(LONGEST_WAIT_SECONDS, board.seconds_to_next())))
                while not mailbox.empty():
                    board.take(mailbox.get())
            except queue.Empty:
                pass
            for cache in board.pop_due():
                try:
                    cache.on_due()
                except BaseException:  # noqa: BLE001  # the one thread of all providers must outlive anything a single one does
                    _log.exception("The refresher goes on after an unexpected error")
                del cache
            if board.is_clear():
                with self._lock:
                    if mailbox.empty():
                        self._runs = False
                        return


class _Board:
    """What is due when; the refresher thread's own."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, weakref.ref[Wakeable]]] = []
        self._latest: dict[weakref.ref[Wakeable], int] = {}
        self._numbers = count()

    def take(self, message: _Message) -> None:
        reference, due = message
        if due is None:
            self._latest.pop(reference, None)
            return
        number = next(self._numbers)
        self._latest[reference] = number
        heapq.heappush(self._heap, (due, number, reference))
        if len(self._heap) > MOST_STALE_ENTRIES + 2 * len(self._latest):
            self._heap = [entry for entry in self._heap if self._latest.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def seconds_to_next(self) -> float:
        self._drop_stale()
        return max(0.0, self._heap[0][0] - SYSTEM_CLOCK.monotonic()) if self._heap else LONGEST_WAIT_SECONDS

    def pop_due(self) -> list[Wakeable]:
        due = []
        now = SYSTEM_CLOCK.monotonic()
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            reference = heapq.heappop(self._heap)[2]
            self._latest.pop(reference, None)
            cache = reference()
            if cache is not None:
                due.append(cache)
            self._drop_stale()
        return due

    def is_clear(self) -> bool:
        return not self._latest

    def _drop_stale(self) -> None:
        while self._heap and self._latest.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)


class ClockRefresher:
    """Lets a clock that owns its time, such as the testing toolkit's, run what is due."""

    def __init__(self, clock: SchedulingClock) -> None:
        self._clock = clock
        self._scheduled: Cancellable | None = None

    def schedule(self, cache: Wakeable, when: float) -> bool:
        """See `Refresher`."""
        self.forget(cache)
        reference = weakref.ref(cache)

        def call() -> Pending | None:
            alive = reference()
            return None if alive is None else alive.on_due()

        self._scheduled = self._clock.call_at(when, call)
        return True

    def forget(self, cache: Wakeable) -> None:
        """See `Refresher`."""
        del cache
        scheduled, self._scheduled = self._scheduled, None
        if scheduled is not None:
            scheduled.cancel()


if TYPE_CHECKING:
    _Message = tuple[weakref.ref[Wakeable], float | None]

THREADS = ThreadRuntime()
