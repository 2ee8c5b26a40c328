"""The threads under the cache: waiting, workers, and which of them may be started.

The cache asks a *runtime* for everything that concerns threads, so that a test can control each step. Names are looked
up in `threading` when they are used, so that gevent's patches take effect whenever they are made.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from ramrole_creds._cache.in_flight import IDLE
from ramrole_creds._cache.refresher import ClockRefresher, ThreadRefresher, is_called_from, threads_are_refused
from ramrole_creds._cache.signals import OneShotSignal, Signal
from ramrole_creds._cache.state import StateCell
from ramrole_creds.clock import is_scheduling

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.runtime import Refresher
    from ramrole_creds._cache.state import CacheState
    from ramrole_creds.clock import Clock

_LOGGING = frozenset({"logging", "logging.config", "logging.handlers"})


class ThreadRuntime:
    """The real one."""

    def __init__(self) -> None:
        # Reads the system's generator each time: there is nothing to seed, so no two processes draw the same numbers.
        self.random = _system_random
        self._thread_refresher = ThreadRefresher()

    def cell(self, state: CacheState) -> StateCell:
        """A place for the latest state."""
        return StateCell(state)

    def signal(self) -> Signal:
        """A one-shot event."""
        return OneShotSignal()

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        """Run `work` on a daemon thread, which never delays the interpreter's exit.

        It runs in a copy of the caller's context: a trace shows the fetch below the call that caused it.
        """
        refusal = threads_are_refused()
        if refusal:
            raise RuntimeError(refusal)
        context = contextvars.copy_context()
        if sniffio := sys.modules.get("sniffio"):  # the worker is not a thread of the caller's event loop
            context.run(sniffio.current_async_library_cvar.set, None)
        thread = threading.Thread(target=context.run, args=(work,), name=f"ramrole-creds-{purpose}", daemon=True)
        if purpose == "fetch":
            thread.__dict__[IDLE] = True
        thread.start()

    def holds_foreign_lock(self) -> bool:
        """True within the logging package, whose locks belong to the calling thread.

        A worker that logs, as `requests` does, would wait for them: only the calling thread can then do the work.
        """
        return is_called_from(lambda module, _: module in _LOGGING)

    def process_id(self) -> int:
        """The id of the process that runs now."""
        return os.getpid()

    def monotonic(self) -> float:
        """Seconds of the clock that the operating system waits by."""
        return time.monotonic()

    def refresher(self, clock: Clock) -> Refresher:
        """The clock's own where it schedules, else the thread that serves the whole process."""
        return ClockRefresher(clock) if is_scheduling(clock) else self._thread_refresher

    def after_fork_in_child(self) -> None:
        """The thread did not come along."""
        self._thread_refresher.reset()


def _system_random() -> float:
    """As `random.SystemRandom().random()`, without the import of a module that costs milliseconds."""
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53


THREADS = ThreadRuntime()
