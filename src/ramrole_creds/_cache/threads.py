"""The threads under the cache: locks, waiting, workers and the one background refresher of a process.

The cache asks a *runtime* for everything that has to do with threads, so that a test can own each step. Names are
looked up in `threading` when they are used, so that gevent's patches take effect whenever they are made.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from ramrole_creds._cache.refresher import ClockRefresher, ThreadRefresher, is_uwsgi_master
from ramrole_creds.clock import SchedulingClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ramrole_creds._cache.runtime import Refresher, Signal
    from ramrole_creds.clock import Clock


class ThreadRuntime:
    """The real thing."""

    def __init__(self) -> None:
        # Reads the system's generator each time: nothing to seed, so no two processes ever random_fraction alike.
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
        if is_uwsgi_master():
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


def _system_random() -> float:
    """As `random.SystemRandom().random()`, without the import of a module that costs milliseconds."""
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53


THREADS = ThreadRuntime()
