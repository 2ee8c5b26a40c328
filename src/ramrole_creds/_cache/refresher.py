"""The one background refresher of a process: the thread that starts what is due.

Names are looked up in `threading` when they are used, so that gevent's patches take effect whenever they are made.
"""

from __future__ import annotations

import atexit
import contextvars
import heapq
import importlib
import logging
import os
import queue
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from ramrole_creds.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.runtime import Refreshable
    from ramrole_creds.clock import Cancellable, Pending, SchedulingClock

    _Reference = weakref.ref[Refreshable]
    _Message = tuple[_Reference, float | None]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 60.0
MAX_STALE_ENTRIES = 64
WAITING_POLL_SECONDS = 0.05
MAX_BACKGROUND_FETCHES = 8
MAX_EXIT_WAIT_SECONDS = 0.2
_LOCKED_CALLS = frozenset({"start", "enumerate", "active_count", "current_thread", "_shutdown", "_stop", "_delete"})
"""Functions of `threading` that hold a lock which the start of a thread needs."""


class ThreadRefresher:
    """One daemon thread for all caches of a process: started with the first, gone with the last.

    A process is known by its id, so that a child whose server ran no fork handlers starts its own thread.
    """

    def __init__(self) -> None:
        self._threads: dict[int, _RefresherThread] = {}

    def reset(self) -> None:
        """Forget what the parent had; every cache schedules itself again."""
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
    from a weak reference's callback or a signal handler at any moment. There is no lock: one token says whether the
    thread runs, and whoever takes it starts the thread.
    """

    def __init__(self) -> None:
        self._mailbox: queue.SimpleQueue[_Message | None] = queue.SimpleQueue()
        self._vacant = deque([True])
        """Holds the token while no thread runs."""
        self._thread: threading.Thread | None = None
        _refreshers.add(self)

    def schedule(self, cache: Refreshable, due: float) -> bool:
        mailbox = self._mailbox
        reference = weakref.ref(cache, lambda gone: mailbox.put((gone, None)))
        hash(reference)  # while the cache lives: the schedule looks it up by its hash, and a dead reference has no hash
        mailbox.put((reference, due))
        return self._ensure_running()

    def forget(self, cache: Refreshable) -> None:
        reference = weakref.ref(cache)
        hash(reference)
        if not self._vacant:
            self._mailbox.put((reference, None))

    def stop(self) -> None:
        """End the thread, because the interpreter ends."""
        if not self._vacant:
            self._mailbox.put(None)
            if self._thread is not None:
                self._thread.join(MAX_EXIT_WAIT_SECONDS)

    def _ensure_running(self) -> bool:
        """Start the thread where it does not run; False where none can be started."""
        try:
            self._vacant.pop()
        except IndexError:
            return True
        try:
            if not threads_are_refused():
                # An empty context, also where threads inherit one: the thread outlives whoever happens to start it.
                run = contextvars.Context().run
                thread = threading.Thread(target=run, args=(self.serve,), name="ramrole-creds-refresh", daemon=True)
                thread.start()
                self._thread = thread
                return True
        except RuntimeError:  # no more threads, or the interpreter is ending
            pass
        except BaseException:
            self._vacant.append(True)
            raise
        self._vacant.append(True)
        with suppress(queue.Empty):  # what nobody will read must not pile up
            while True:
                self._mailbox.get_nowait()
        return False

    def serve(self) -> None:
        schedule, mailbox = _Schedule(), self._mailbox
        while True:
            with suppress(queue.Empty):
                # Slices: a machine that was suspended wakes up with its timers late by the time it slept.
                message = mailbox.get(timeout=min(MAX_WAIT_SECONDS, schedule.seconds_to_next()))
                while message is not None:
                    schedule.apply(message)
                    message = mailbox.get_nowait()
                return  # the interpreter ends
            schedule.start_due()
            if schedule.is_clear():
                self._vacant.append(True)
                if mailbox.empty():
                    return
                try:  # somebody scheduled meanwhile, and may have started another thread
                    self._vacant.pop()
                except IndexError:
                    return


class _Schedule:
    """What is due when; used by the refresher's thread alone."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Reference]] = []
        self._latest: dict[_Reference, int] = {}
        self._numbers = count()
        self._waiting: dict[_Reference, None] = {}
        """Due, while as many fetches run in the background as may."""
        self._running: dict[_Reference, Pending] = {}
        self._checked_at = SYSTEM_CLOCK.monotonic()

    def apply(self, message: _Message) -> None:
        reference, due = message
        self._waiting.pop(reference, None)
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
        # A fetch that ends leaves a message before its events are delivered, and none when they are.
        longest = WAITING_POLL_SECONDS if self._waiting else MAX_WAIT_SECONDS
        return min(longest, max(0.0, self._heap[0][0] - SYSTEM_CLOCK.monotonic())) if self._heap else longest

    def start_due(self) -> None:
        """Call on what is due: first on what ends first, and on no more than may fetch at the same time."""
        self._running = {key: pending for key, pending in self._running.items() if not pending.wait(0)}
        self._waiting.update(dict.fromkeys(self._pop_due()))
        self._waiting.update(dict.fromkeys(self._pop_leapt()))
        due = [(cache.expires_at(), key, cache) for key in self._waiting if (cache := key()) is not None]
        self._waiting = {}
        for _, reference, cache in sorted(due, key=itemgetter(0)):
            if reference not in self._running and len(self._running) >= MAX_BACKGROUND_FETCHES:
                self._waiting[reference] = None
                continue
            pending = _guarded(cache.on_due)
            if pending is not None and not pending.wait(0):
                self._running[reference] = pending

    def _pop_due(self) -> list[_Reference]:
        due = []
        now = SYSTEM_CLOCK.monotonic()
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            reference = heapq.heappop(self._heap)[2]
            self._latest.pop(reference, None)
            due.append(reference)
            self._drop_stale()
        return due

    def _pop_leapt(self) -> list[_Reference]:
        """Once a minute: the caches whose wall clock moved."""
        now = SYSTEM_CLOCK.monotonic()
        if now - self._checked_at < MAX_WAIT_SECONDS / 2:
            return []
        self._checked_at = now
        return [key for key in list(self._latest) if (cache := key()) is not None and _guarded(cache.has_leapt)]

    def is_clear(self) -> bool:
        return not self._latest and not self._waiting

    def _drop_stale(self) -> None:
        while self._heap and self._latest.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)


def _guarded(call: Callable[[], _T]) -> _T | None:
    """What it returns; None, with a log line, where it raises: the thread of all providers must survive any one."""
    try:
        return call()
    except BaseException:  # noqa: BLE001  # SystemExit and the like would end the thread too
        _log.exception("The refresher continues after an unexpected error")
        return None


class ClockRefresher:
    """Lets a clock that controls its own time, such as the testing toolkit's, run what is due."""

    def __init__(self, clock: SchedulingClock) -> None:
        self._clock = clock
        self._scheduled: Cancellable | None = None

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """See `Refresher`."""
        self.forget(cache)
        reference = weakref.ref(cache)

        def call() -> Pending | None:
            alive = reference()
            if alive is None:
                return None
            if alive.monotonic() >= when or alive.has_leapt():
                return alive.on_due()
            self._scheduled = self._clock.call_at(min(when, alive.monotonic() + MAX_WAIT_SECONDS), call)
            return None

        self._scheduled = self._clock.call_at(min(when, cache.monotonic() + MAX_WAIT_SECONDS), call)
        return True

    def forget(self, cache: Refreshable) -> None:
        """See `Refresher`."""
        del cache
        scheduled, self._scheduled = self._scheduled, None
        if scheduled is not None:
            scheduled.cancel()


_exiting: list[bool] = []


def threads_are_refused() -> str:
    """Why no thread may be started now; empty where one may."""
    if is_uwsgi_master():
        return "the master of uWSGI may have no threads"
    if _exiting or sys.is_finalizing():
        return "the interpreter is ending"
    if _is_subinterpreter():
        return "a sub-interpreter that ends while a daemon thread runs aborts the process"
    if is_called_from(lambda module, function: module == "threading" and function in _LOCKED_CALLS):
        return "the start of another thread was interrupted"
    return ""


def is_called_from(matches: Callable[[object, str], bool]) -> bool:
    """True where a function with this module and name is among the callers."""
    frame = sys._getframe(1) if hasattr(sys, "_getframe") else None  # noqa: SLF001  # inspect does the same
    while frame is not None:
        if matches(frame.f_globals.get("__name__"), frame.f_code.co_name):
            return True
        frame = frame.f_back
    return False


def is_uwsgi_master() -> bool:
    """True in a process that will split in C, without Python's knowledge.

    A thread that asks for the interpreter's lock at that moment, as every thread does where uWSGI runs without
    threads, leaves a lock to the workers in which they hang.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and getattr(uwsgi, "masterpid", int)() == os.getpid()


_subinterpreter: list[bool] = []


def _is_subinterpreter() -> bool:
    if not _subinterpreter:
        found = False
        for name in ("_interpreters", "_xxsubinterpreters"):  # CPython's, by version
            with suppress(ImportError, AttributeError, Warning):  # a warning may be turned into an error
                module = importlib.import_module(name)
                found = module.get_current() != module.get_main()
                break
        _subinterpreter.append(found)
    return _subinterpreter[0]


_refreshers: weakref.WeakSet[_RefresherThread] = weakref.WeakSet()


@atexit.register
def _stop_refreshers() -> None:
    _exiting.append(True)
    for refresher in list(_refreshers):
        refresher.stop()
