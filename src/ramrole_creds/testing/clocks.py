"""Clocks that a test moves: hours pass in milliseconds, and everything due has run when they have passed."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds._pickling import BoundToProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.clock import Pending

REAL_WAIT_SECONDS = 30.0
MAX_CALLS_PER_MOMENT = 100_000
MAX_ADVANCE_SECONDS = 100 * 366 * 86400.0


class VirtualClock(BoundToProcess):
    """A clock that stands still until it is advanced.

    It is a `ramrole_creds.clock.SchedulingClock`: providers built with `clock=` this one schedule their refreshes on
    it, and `advance` stops at each of them, runs it and waits for the fetch it started before time moves on.

    Args:
        start: where wall time begins: a datetime (a naive one counts as UTC), Unix seconds, or None for the real
            time now in whole seconds.
    """

    _instead = "only this process moves it. Send a provider or signer that was made without it."

    def __init__(self, start: datetime | float | None = None) -> None:
        self._wall_at_zero = _unix(start)
        self._monotonic = 0.0
        self._calls: list[tuple[float, int, ScheduledCall]] = []
        self._watchers: tuple[Callable[[float], object], ...] = ()
        self._numbers = itertools.count()
        self._lock = threading.Lock()  # guards all of the above
        self._moving = threading.RLock()  # one mover at a time; a callback may move the clock itself

    def time(self) -> float:
        """Unix seconds by the wall clock."""
        return self._wall_at_zero + self._monotonic

    def monotonic(self) -> float:
        """Seconds since the clock was made; `step_wall` leaves them alone."""
        return self._monotonic

    def now(self) -> datetime:
        """The wall time as an aware datetime."""
        return datetime.fromtimestamp(self.time(), timezone.utc)

    def call_at(self, when: float, callback: Callable[[], Pending | None]) -> ScheduledCall:
        """Run `callback` when `monotonic()` reaches `when`.

        The callback runs on the thread that moves the clock. Where the moment has passed already, it runs at the next
        move, `advance(0)` included. If it returns an object with `wait(timeout)`, the clock waits for it before time
        moves on.

        Returns:
            A handle whose `cancel()` removes the call.
        """
        call = ScheduledCall(callback)
        with self._lock:
            heapq.heappush(self._calls, (when, next(self._numbers), call))
        return call

    @contextlib.contextmanager
    def watched(self, watcher: Callable[[float], object]) -> Iterator[None]:
        """Call `watcher` with the Unix time after each move of the clock, while the context lasts."""
        self._watchers += (watcher,)
        try:
            yield
        finally:
            self._watchers = tuple(one for one in self._watchers if one is not watcher)

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Let time pass, and stop at everything that falls due, in order.

        Raises:
            ValueError: the span is negative; see `step_wall`.
            TimeoutError: a due call did not end within 30 real seconds.
        """
        span = _span(seconds, minutes, hours, days)
        with self._moving:
            target = self._monotonic + span
            calls, moment = 0, self._monotonic
            while calls < MAX_CALLS_PER_MOMENT:
                call = self._next_due(target)
                self._report_move()
                if call is None:
                    return
                calls, moment = (calls + 1 if self._monotonic == moment else 0), self._monotonic
                _finish(call)
            raise RuntimeError(
                f"{MAX_CALLS_PER_MOMENT} calls fell due at one moment. Does a callback reschedule itself?"
            )

    def suspend(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Let time pass as on a sleeping machine: nothing runs until the end, then everything that fell due runs."""
        with self._moving:
            with self._lock:
                self._monotonic += _span(seconds, minutes, hours, days)
            self.advance(0)

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; `monotonic` stays as it is."""
        with self._lock:
            self._wall_at_zero += seconds
        self._report_move()

    def _report_move(self) -> None:
        for watcher in self._watchers:
            watcher(self.time())

    def _next_due(self, target: float) -> ScheduledCall | None:
        """Move to the first call that is due by `target` and remove it; without one, move to `target`."""
        with self._lock:
            while self._calls and self._calls[0][0] <= target:
                when, _, call = heapq.heappop(self._calls)
                if call.cancelled:
                    continue
                self._monotonic = max(when, self._monotonic)
                return call
            self._monotonic = max(target, self._monotonic)
            return None

    def __repr__(self) -> str:
        return f"VirtualClock({self.now().isoformat()})"


@dataclass(eq=False, slots=True)
class ScheduledCall:
    """A scheduled call."""

    callback: Callable[[], Pending | None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Remove the call; no effect once it has run."""
        self.cancelled = True


class TickingClock:
    """Real time that can also be advanced: the clock of a fake cloud in another process.

    It schedules nothing, so a provider with this clock uses its refresher thread.
    """

    def __init__(self, start: datetime | float | None = None) -> None:
        self._offset = _unix(start) - time.time() if start is not None else 0.0
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._lock = threading.Lock()  # guards the two sums

    def time(self) -> float:
        """Unix seconds: real time plus the advances."""
        return time.time() + self._offset

    def monotonic(self) -> float:
        """Seconds since the clock was made, advances included."""
        return time.monotonic() - self._origin + self._advanced

    def now(self) -> datetime:
        """The wall time as an aware datetime."""
        return datetime.fromtimestamp(self.time(), timezone.utc)

    def advance(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Jump forward."""
        span = _span(seconds, minutes, hours, days)
        with self._lock:
            self._offset += span
            self._advanced += span

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back; `monotonic` stays as it is."""
        with self._lock:
            self._offset += seconds


def _finish(call: ScheduledCall) -> None:
    pending = call.callback()
    wait = getattr(pending, "wait", None)
    if wait is not None and not wait(REAL_WAIT_SECONDS):
        raise TimeoutError(
            f"A call that fell due on the virtual clock did not end within {REAL_WAIT_SECONDS:g} real seconds "
            f"({pending!r}). The usual cause is a fault that hangs longer than the time limit of the fetch."
        )


def _span(seconds: float, minutes: float, hours: float, days: float) -> float:
    for given in (seconds, minutes, hours, days):
        if not isinstance(given, (int, float)):
            raise TypeError(f"The clock cannot advance by {given!r}. Give a number: advance(hours=3), or seconds.")
    span = seconds + 60 * minutes + 3600 * hours + 86400 * days
    if span < 0:
        raise ValueError(f"The clock cannot advance by {span} s. To set the wall clock back, call step_wall().")
    if not span <= MAX_ADVANCE_SECONDS:  # NaN neither
        raise ValueError(f"The clock cannot advance by {span} s; a century is the most.")
    return span


def _unix(start: datetime | float | None) -> float:
    if start is None:
        return float(int(time.time()))
    if isinstance(start, datetime):
        return (start if start.tzinfo else start.replace(tzinfo=timezone.utc)).timestamp()
    if not isinstance(start, (int, float)):
        raise TypeError(f"The clock does not start at {start!r}. Give a datetime, or Unix seconds.")
    return float(start)
