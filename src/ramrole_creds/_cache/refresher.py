"""The one background refresher of a process: the thread that starts what is due.

Names are looked up in `threading` when they are used, so that gevent's patches take effect whenever they are made.
"""

from __future__ import annotations

import heapq
import logging
import os
import queue
import sys
import threading
import weakref
from itertools import count
from typing import TYPE_CHECKING

from ramrole_creds.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from ramrole_creds._cache.runtime import Refreshable
    from ramrole_creds.clock import Cancellable, Pending, SchedulingClock

    _Message = tuple[weakref.ref[Refreshable], float | None]

_log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 60.0
MAX_STALE_ENTRIES = 64


class ThreadRefresher:
    """One daemon thread for all caches of a process: started with the first, gone with the last.

    A process is known by its id, so that a child whose server ran no fork handlers starts a thread of its own.
    """

    def __init__(self) -> None:
        self._threads: dict[int, _RefresherThread] = {}

    def reset(self) -> None:
        """Forget what the parent had; every cache schedules itself anew."""
        self._threads = {}

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """See `Refresher`; starts the thread where it does not run."""
        return self._here().schedule(cache, SYSTEM_CLOCK.monotonic() + when - cache.monotonic())

    def forget(self, cache: Refreshable) -> None:
        """See `Refresher`."""
        self._here().forget(cache)

    def _here(self) -> _RefresherThread:
        process_id = os.getpid()
        # `setdefault` lets exactly one of several threads make it.
        return self._threads.get(process_id) or self._threads.setdefault(process_id, _RefresherThread())


class _RefresherThread:
    """The thread, and how it is reached.

    The schedule belongs to the thread alone; everything reaches it through a `SimpleQueue`, whose `put` may be called
    from a weak reference's callback at any moment.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _runs; while it is held the thread cannot end
        self._runs = False
        self._mailbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()

    def schedule(self, cache: Refreshable, due: float) -> bool:
        mailbox = self._mailbox
        reference = weakref.ref(cache, lambda gone: mailbox.put((gone, None)))
        hash(reference)  # while the cache lives: the schedule looks it up by its hash, and a dead reference has no hash
        with self._lock:
            if not self._runs:
                self._runs = self._start()
            if self._runs:
                mailbox.put((reference, due))
            return self._runs

    def forget(self, cache: Refreshable) -> None:
        reference = weakref.ref(cache)
        hash(reference)
        with self._lock:
            if self._runs:
                self._mailbox.put((reference, None))

    def _start(self) -> bool:
        if is_uwsgi_master():
            return False
        try:
            threading.Thread(target=self._serve, name="ramrole-creds-refresh", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter is on its way out
            return False
        return True

    def _serve(self) -> None:
        schedule, mailbox = _Schedule(), self._mailbox
        while True:
            try:
                # Slices: a machine that was suspended wakes up with its timers late by the time it slept.
                schedule.apply(mailbox.get(timeout=min(MAX_WAIT_SECONDS, schedule.seconds_to_next())))
                while not mailbox.empty():
                    schedule.apply(mailbox.get())
            except queue.Empty:
                pass
            for cache in schedule.pop_due():
                try:
                    cache.on_due()
                except BaseException:  # noqa: BLE001  # the one thread of all providers must outlive anything a single one does
                    _log.exception("The refresher goes on after an unexpected error")
                del cache
            if schedule.is_clear():
                with self._lock:
                    if mailbox.empty():
                        self._runs = False
                        return


class _Schedule:
    """What is due when; the refresher thread's own."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, weakref.ref[Refreshable]]] = []
        self._latest: dict[weakref.ref[Refreshable], int] = {}
        self._numbers = count()

    def apply(self, message: _Message) -> None:
        reference, due = message
        if due is None:
            self._latest.pop(reference, None)
            return
        number = next(self._numbers)
        self._latest[reference] = number
        heapq.heappush(self._heap, (due, number, reference))
        if len(self._heap) > MAX_STALE_ENTRIES + 2 * len(self._latest):
            self._heap = [entry for entry in self._heap if self._latest.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def seconds_to_next(self) -> float:
        self._drop_stale()
        return max(0.0, self._heap[0][0] - SYSTEM_CLOCK.monotonic()) if self._heap else MAX_WAIT_SECONDS

    def pop_due(self) -> list[Refreshable]:
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

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """See `Refresher`."""
        self.forget(cache)
        reference = weakref.ref(cache)

        def call() -> Pending | None:
            alive = reference()
            return None if alive is None else alive.on_due()

        self._scheduled = self._clock.call_at(when, call)
        return True

    def forget(self, cache: Refreshable) -> None:
        """See `Refresher`."""
        del cache
        scheduled, self._scheduled = self._scheduled, None
        if scheduled is not None:
            scheduled.cancel()


def is_uwsgi_master() -> bool:
    """True in a process that will split in C, behind Python's back.

    A thread that asks for the interpreter's lock at that moment, as every thread does where uWSGI runs without
    threads, leaves a lock to the workers in which they hang.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and getattr(uwsgi, "masterpid", int)() == os.getpid()
