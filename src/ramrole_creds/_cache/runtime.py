"""What the cache needs of threads, processes and chance: protocols, so that a test can own each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ramrole_creds.clock import Clock, Pending


class Signal(Protocol):
    """What a waiter waits on; `threading.Event` is one."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Refreshable(Protocol):
    """What a refresher serves: told when its time has come, it starts what is due and never blocks."""

    def on_due(self) -> Pending | None: ...
    def monotonic(self) -> float: ...


class Refresher(Protocol):
    """Calls `on_due` of caches at their time, holding them by weak reference only."""

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """Call `cache.on_due()` at `when` of its clock, in place of what was scheduled; False where none runs."""

    def forget(self, cache: Refreshable) -> None:
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
