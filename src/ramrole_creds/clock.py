"""Where the library's time comes from.

A clock has `time()` (Unix seconds, UTC) and `monotonic()` (seconds that never step). The system clock's
`monotonic()` also counts while the machine sleeps, so that a suspended machine finds its credentials expired when
they are. A clock that owns its own time, as the virtual clock of the testing toolkit does, also has `call_at` and
then runs what is due itself.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = [
    "DEFAULT_CLOCK",
    "SYSTEM_CLOCK",
    "Cancellable",
    "Clock",
    "DefaultClock",
    "Pending",
    "SchedulingClock",
    "SystemClock",
]


class Clock(Protocol):
    """The time as the library sees it."""

    def time(self) -> float:
        """Unix time in seconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never set back, counts while the machine sleeps where it can."""


class Pending(Protocol):
    """Work that was started and may be waited for."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` real seconds; True when the work is done."""


class Cancellable(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Forget the call; no effect once it has run."""


@runtime_checkable
class SchedulingClock(Protocol):
    """A clock that runs what is due by itself when its time is moved."""

    def time(self) -> float:
        """Unix time in seconds."""

    def monotonic(self) -> float:
        """Seconds on the clock's own scale."""

    def call_at(self, when: float, callback: Callable[[], Pending | None]) -> Cancellable:
        """Run `callback` when `monotonic()` reaches `when`. The clock waits for its result before time moves on."""


def is_scheduling(clock: Clock) -> TypeGuard[SchedulingClock]:
    """True for a clock with `call_at`. An `isinstance` would import a module, which fails while Python ends."""
    return callable(getattr(clock, "call_at", None))


def _answering_clock() -> Callable[[], float]:
    """The clock that counts through suspend, where there is one that answers; some sandboxes refuse it."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    if boot_time is None:
        return time.monotonic
    # A partial and no function of ours: it is called once for every cached get, and a frame would cost a third of that.
    clock = partial(time.clock_gettime, boot_time)
    try:
        clock()
    except OSError as error:
        import logging

        logging.getLogger(__name__).warning(
            "The kernel refuses CLOCK_BOOTTIME (%s): time.monotonic is used, which stands still during suspend", error
        )
        return time.monotonic
    return clock


_monotonic = _answering_clock()


class SystemClock:
    """The machine's clock.

    `monotonic` is CLOCK_BOOTTIME on Linux, which counts through suspend; elsewhere `time.monotonic`, which does so
    on macOS and Windows.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @staticmethod
        def time() -> float:
            """Unix time in seconds."""

        @staticmethod
        def monotonic() -> float:
            """Seconds since an arbitrary moment."""

    else:
        time = staticmethod(time.time)
        monotonic = staticmethod(_monotonic)

    def __reduce__(self) -> tuple[type[SystemClock], tuple[()]]:
        return SystemClock, ()

    def __eq__(self, other: object) -> bool:
        return type(other) is SystemClock

    def __hash__(self) -> int:
        return hash(SystemClock)


SYSTEM_CLOCK = SystemClock()


class DefaultClock:
    """The clock of every provider, client and signer that was given no other clock: the system's.

    A test may put another clock in its place for some time; see `ramrole_creds.testing.process_clock`.
    """

    __slots__ = ("target",)

    def __init__(self) -> None:
        self.target: Clock = SYSTEM_CLOCK
        """The clock that is in place."""

    def time(self) -> float:
        """Unix time in seconds."""
        return self.target.time()

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment of the clock that is in place."""
        return self.target.monotonic()

    def __reduce__(self) -> str:
        return "DEFAULT_CLOCK"


DEFAULT_CLOCK = DefaultClock()
