"""What a waiter waits on."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Protocol


class Signal(Protocol):
    """What a waiter waits on; set once."""

    def set(self) -> None:
        """Release all waiters, now and later."""

    def is_set(self) -> bool:
        """True once it was set."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; True once it was set."""


class OneShotSignal:
    """An event that is set once.

    `threading.Event` has a lock that is not re-entrant: a signal handler that interrupts `wait` or `set` and waits for
    the same event would wait for itself. Here each waiter has its own lock, and all steps are atomic.
    """

    __slots__ = ("_set", "_waiters")

    def __init__(self) -> None:
        self._set = False
        self._waiters: deque[threading.Lock] = deque()

    def set(self) -> None:
        """Release all waiters, now and later."""
        self._set = True
        while self._waiters:
            with suppress(IndexError):  # another thread took the last
                self._waiters.popleft().release()

    def is_set(self) -> bool:
        """True once it was set."""
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; True where it is set."""
        if self._set:
            return True
        mine = threading.Lock()
        mine.acquire()
        self._waiters.append(mine)
        if not self._set:  # set before the append was seen: nobody else would release it
            mine.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX))
            with suppress(ValueError):
                self._waiters.remove(mine)
        return self._set
