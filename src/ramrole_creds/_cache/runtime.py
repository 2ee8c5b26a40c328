"""What the cache needs of threads, processes and chance: protocols, so that a test can control each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.signals import Signal
    from ramrole_creds._cache.state import CacheState, StateCell
    from ramrole_creds.clock import Clock, Pending


class Refreshable(Protocol):
    """What a refresher serves: it starts what is due and never blocks."""

    def on_due(self) -> Pending | None:
        """Start what is due."""

    def monotonic(self) -> float:
        """The clock in whose seconds it is scheduled."""

    def has_leapt(self) -> bool:
        """True where the wall clock moved against that clock since the credentials were checked."""

    def expires_at(self) -> float:
        """When what it holds ends; of several that are due the one that ends first goes first."""


class Refresher(Protocol):
    """Calls `on_due` of caches at their time, holding them by weak reference only.

    At least once a minute it looks for a leap of the wall clock and then calls at once.
    """

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """Call `cache.on_due()` at `when` of its clock, in place of what was scheduled; False where none runs."""

    def forget(self, cache: Refreshable) -> None:
        """Do not call it again."""


class Runtime(Protocol):
    """Everything that the cache needs of threads, processes and chance."""

    def cell(self, state: CacheState) -> StateCell:
        """What holds the state of one process."""

    def signal(self) -> Signal:
        """A new signal, not set."""

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        """Run `work` on a short-lived daemon worker; RuntimeError where no thread can be started.

        `purpose` ("fetch" or "events") names it.
        """

    def holds_foreign_lock(self) -> bool:
        """True where the calling thread may hold a lock that a worker needs, as within a log handler."""

    def process_id(self) -> int:
        """The id of the process that runs now."""

    def monotonic(self) -> float:
        """Seconds in which timeouts and time limits are measured."""

    def random(self) -> float:
        """A random number, 0 to 1."""

    def refresher(self, clock: Clock) -> Refresher:
        """What starts fetches that are due by this clock."""
