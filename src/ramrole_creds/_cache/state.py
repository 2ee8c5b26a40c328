"""The state of a cache in one process: immutable values, replaced by an atomic step that needs no lock.

A signal handler, a finalizer or a log handler may call the cache again wherever Python can interrupt it. A lock would
then wait for itself, so there is none: each state knows its one successor, and `dict.setdefault`, a single step of the
interpreter, decides which of several becomes it. Whoever loses looks at the new state and decides again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds._cache.backoff import Backoff
    from ramrole_creds._cache.in_flight import InFlightFetch
    from ramrole_creds._cache.notifications import Delivery, Happening
    from ramrole_creds._cache.snapshot import Snapshot

MAX_PENDING_EVENTS = 1000
MAX_HANGING_FETCHES = 16


class CacheState:
    """What changes in a cache; never changed itself.

    Args:
        snapshot: the credentials that are held.
        backoff: the memory of the last fetches.
        reported: the state that was reported last.
        closed: True once the provider was closed.
    """

    __slots__ = (
        "backoff",
        "closed",
        "delivery",
        "fetches",
        "hanging",
        "in_flight",
        "pending",
        "refresher_alive",
        "reported",
        "snapshot",
        "successor",
        "woken_for",
    )

    def __init__(self, snapshot: Snapshot, backoff: Backoff, reported: str, *, closed: bool = False) -> None:
        self.snapshot = snapshot
        self.backoff = backoff
        self.reported = reported
        self.closed = closed
        self.in_flight: InFlightFetch | None = None
        self.fetches = 0
        self.hanging: tuple[InFlightFetch, ...] = ()
        """Fetches that were abandoned and have not returned."""
        self.refresher_alive = True
        self.woken_for = -math.inf
        """The due moment for which a reader woke the refresher."""
        self.pending: tuple[Happening, ...] = ()
        """What happened and was not delivered yet, oldest first."""
        self.delivery: Delivery | None = None
        """The one delivery under way."""
        self.successor: dict[str, CacheState] = {}

    def change(self, *happenings: Happening, **changes: object) -> CacheState:
        """A copy with these attributes changed and these events added to the pending ones."""
        copy = CacheState.__new__(CacheState)
        for name in _COPIED:
            setattr(copy, name, getattr(self, name))
        for name, value in changes.items():
            setattr(copy, name, value)
        copy.successor = {}
        if happenings:
            # A listener that hangs for ever must not cost memory for ever: the oldest events are dropped.
            copy.pending = (*copy.pending, *happenings)[-MAX_PENDING_EVENTS:]
        return copy

    @property
    def due(self) -> float:
        """When the next fetch is due on the cache's clock; infinity while nothing is held or none may start."""
        if self.snapshot.credentials is None or len(self.hanging) >= MAX_HANGING_FETCHES:
            return math.inf
        return max(self.snapshot.advisory_at, self.backoff.retry_at)


_COPIED = tuple(name for name in CacheState.__slots__ if name != "successor")


class StateCell:
    """Holds the latest state of one process."""

    __slots__ = ("_state",)

    def __init__(self, state: CacheState) -> None:
        self._state = state

    def latest(self) -> CacheState:
        """The newest state."""
        state = self._state
        while state.successor:
            state = state.successor["next"]
        self._state = state  # another thread may set an older one: its successors lead on
        return state

    def swap(self, old: CacheState, new: CacheState) -> bool:
        """Replace `old` by `new`; False, without effect, where `old` is not the latest any more."""
        return old.successor.setdefault("next", new) is new
