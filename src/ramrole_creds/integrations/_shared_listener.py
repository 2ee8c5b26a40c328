"""What the listeners for metrics share: what each provider holds, by events, and how they are pickled and forked."""

from __future__ import annotations

import math
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Final

from ramrole_creds import events
from ramrole_creds._checks import kind_of
from ramrole_creds.errors import ConfigurationError, cannot_be_pickled

BUCKETS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Of the time of a fetch, which ends with its time limit."""

_first: dict[type[SharedListener], SharedListener] = {}
"""The first of each class that writes to the place which every process has."""
_defaults: weakref.WeakSet[SharedListener] = weakref.WeakSet()
_all: weakref.WeakSet[SharedListener] = weakref.WeakSet()


def require_method(name: str, given: object, method: str, expected: str) -> None:
    """Check an argument by a method of its class.

    Raises:
        ConfigurationError: it is given, and does not have the method.
    """
    if given is not None and (isinstance(given, type) or not callable(getattr(given, method, None))):
        raise ConfigurationError(
            f"{name} must be {expected}, not {kind_of(given)}. The provider takes the metrics object as on_event."
        )


class SharedListener(ABC):
    """A listener of which a process needs one, because its metrics are registered by name.

    Args:
        default: whether it writes to the default place, which every process has.
    """

    def __init__(self, *, default: bool) -> None:
        self._lock = threading.RLock()  # guards the order in which `_held` is changed and shown
        self._held: dict[str, dict[int, tuple[str, float]]] = {}
        """State and end of what each provider holds: by name, and by number, since several may have the same name."""
        self._inherited: set[int] = set()
        """Providers that a forked child has not used yet: nobody refreshes what they hold, so it is not shown."""
        _all.add(self)
        if default:
            _defaults.add(self)
            _first.setdefault(type(self), self)

    def __call__(self, event: events.Event, /) -> None:
        """Record an event."""
        with self._lock:
            self._record(event)
            if self._note(event):
                self._show(event.provider)

    @abstractmethod
    def _record(self, event: events.Event) -> None:
        """Count it."""

    def _show(self, name: str) -> None:
        """Show what the providers of this name hold now, where the metrics library does not ask for it."""
        del name

    def _note(self, event: events.Event) -> bool:
        """Remember what a provider holds; False where the event does not concern that."""
        is_first_in_child = event.number in self._inherited
        self._inherited.discard(event.number)
        held = self._held.setdefault(event.provider, {})
        state, end = held.get(event.number, ("empty", math.inf))
        if isinstance(event, events.Closed):
            held.pop(event.number, None)
            if not held:
                self._held.pop(event.provider)
        elif isinstance(event, events.Fetched):
            held[event.number] = state, math.inf if event.expiration is None else event.expiration.timestamp()
        elif isinstance(event, events.StateChanged):
            held[event.number] = event.new, end
        return is_first_in_child or isinstance(event, (events.Closed, events.Fetched, events.StateChanged))

    def _shown(self, name: str) -> list[tuple[str, float]]:
        return [one for number, one in list(self._held.get(name, {}).items()) if number not in self._inherited]

    def _earliest_end(self, name: str) -> float:
        """When the first of the providers of this name has nothing any more, Unix time; infinity for never."""
        return min((end for _, end in self._shown(name)), default=math.inf)

    def _states(self, name: str) -> Counter[str]:
        """How many providers of this name are in each state."""
        return Counter(state for state, _ in self._shown(name))

    def _after_fork_in_child(self) -> None:
        self._inherited = {number for held in self._held.values() for number in held}
        if self._lock.acquire(blocking=False):
            self._lock.release()
            for name in list(self._held):
                self._show(name)
        else:  # a thread that does not exist here was within the metrics library, whose locks it may hold
            self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        if self not in _defaults:
            raise cannot_be_pickled(
                f"This {type(self).__name__} cannot be pickled: another process has no access to what it writes to. "
                "Create it without arguments, or create it in the process that uses it."
            )
        return _arrive, (type(self),)


def _arrive(kind: type[SharedListener]) -> SharedListener:
    return _first.get(kind) or kind()  # type: ignore[call-arg]  # each has a default for all its arguments


def _after_fork_in_child() -> None:
    for listener in list(_all):
        listener._after_fork_in_child()  # noqa: SLF001  # of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
