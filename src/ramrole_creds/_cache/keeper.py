"""What a cache holds, in each process: the state, the snapshot of the fast path, and the refresher's next call."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.clocks import ClockPair
from ramrole_creds._cache.decisions import View
from ramrole_creds._cache.delivery import EventDelivery
from ramrole_creds._cache.notifications import Happening
from ramrole_creds._cache.snapshot import NO_SNAPSHOT, Snapshot, replan_snapshot
from ramrole_creds._cache.state import CacheState, StateCell

if TYPE_CHECKING:
    from ramrole_creds import events
    from ramrole_creds._cache.in_flight import InFlightFetch
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds._cache.runtime import Runtime
    from ramrole_creds.clock import Clock, Pending


class StateKeeper(ABC):
    """Keeps the state of a cache, and changes it without a lock.

    Args:
        name: the source's name in events and messages.
        policy: windows, delays and how long a call waits.
        clock: the clock in which credentials live.
        on_event: receives the events of this cache.
        runtime: threads, processes and chance.
    """

    def __init__(
        self,
        name: str,
        policy: RefreshPolicy,
        clock: Clock,
        on_event: events.EventListener | None,
        runtime: Runtime,
    ) -> None:
        self.snapshot: Snapshot = NO_SNAPSHOT
        """What is held, for the fast path: it follows the latest state and never goes back."""
        self.monotonic = clock.monotonic
        self._name = name
        self._policy = policy
        self._clock = clock
        self._clocks = ClockPair(clock)
        self._events = EventDelivery(name, on_event, runtime)
        self._runtime = runtime
        self._refresher = runtime.refresher(clock)
        self._closed = False
        self._publishing = threading.Lock()  # guards the order of writes to `snapshot`; nobody ever waits for it
        # The state of each process by its id: a child whose server ran no fork handlers finds none and makes its own;
        # `setdefault` lets exactly one of its threads do so.
        self._cells: dict[int, StateCell] = {}

    def __del__(self) -> None:
        # With its provider: a metric that shows what is held must not outlive it.
        events = self.__dict__.get("_events")
        if events is not None and events.is_heard and not getattr(self, "_closed", True):
            events.report_end(self._cells, self._clock)

    @abstractmethod
    def on_due(self) -> Pending | None:
        """Start what is due; called by the refresher, never blocks."""

    def has_leapt(self) -> bool:
        """True where the wall clock moved since the credentials were checked, and nobody checks them now."""
        state = self._cell().latest()
        if state.snapshot.doubtful:  # whoever noticed may have been interrupted
            return state.in_flight is None and state.due <= self.monotonic()
        return self._clocks.leap(state.snapshot) != 0.0

    def expires_at(self) -> float:
        """When the held credentials end."""
        return self.snapshot.expires_at

    def after_fork_in_child(self) -> None:
        """Keep a snapshot that is valid; drop the parent's fetch in flight and its jitter."""
        self._cells.clear()
        self._publishing = threading.Lock()
        self.snapshot = self.snapshot.needing_recheck()

    def _view(self, cell: StateCell, waits_for: InFlightFetch | None = None) -> View:
        state = cell.latest()
        in_flight = waits_for if waits_for is not None and not waits_for.done() else state.in_flight
        own = in_flight is not None and in_flight.waits_for(threading.get_ident())
        return self._view_of(state, self.monotonic(), own=own)

    def _view_of(self, state: CacheState, now: float, *, own: bool = False) -> View:
        return View(state, now, self._runtime.monotonic(), own, self._policy, self._name)

    def _record(self, cell: StateCell, happening: Happening) -> None:
        while True:
            state = cell.latest()
            if state.closed or self._swap(cell, state, state.change(happening)):
                return

    def _cell(self) -> StateCell:
        process_id = self._runtime.process_id()
        cell = self._cells.get(process_id)
        if cell is None:
            now = self.monotonic()
            held = self.snapshot
            # What a parent held is kept while it is valid, with this process's own jitter.
            snapshot = replan_snapshot(
                held,
                checked_at=held.checked_at,
                expires_at=held.expires_at,
                wall_offset=held.wall_offset,
                policy=self._policy,
                random_fraction=self._runtime.random(),
                certain=held.certain,
                earlier_offset=held.earlier_offset,
            )
            if held.doubtful:
                snapshot = snapshot.doubted()
            backoff = Backoff().inherited(self._policy, held, now, self._runtime.random())
            state = CacheState(snapshot, backoff, snapshot.state_at(now), closed=self._closed)
            new = self._runtime.cell(state)
            cell = self._cells.setdefault(process_id, new)
            if cell is new:
                for other in [key for key in self._cells if key != process_id]:
                    self._cells.pop(other, None)
                self._publish(cell)
                self._schedule(cell)
        return cell

    def _swap(self, cell: StateCell, old: CacheState, new: CacheState) -> bool:
        """Replace the state where nobody else did, and let the fast path follow."""
        try:
            return cell.swap(old, new)
        finally:  # an interrupt may strike after the change
            if new.snapshot is not old.snapshot:
                self._publish(cell)

    def _publish(self, cell: StateCell) -> None:
        """Let the fast path follow the latest state.

        One thread at a time writes, so that none puts an older snapshot over a newer one; who finds another at it
        leaves, since that one looks again when it is done.
        """
        lock = self._publishing
        while self.snapshot is not cell.latest().snapshot and lock.acquire(blocking=False):
            try:
                self.snapshot = cell.latest().snapshot
            finally:
                lock.release()

    def _update(self, cell: StateCell, **changes: object) -> None:
        while True:
            state = cell.latest()
            if all(getattr(state, name) == value for name, value in changes.items()):
                return
            if self._swap(cell, state, state.change(**changes)):
                return

    def _schedule(self, cell: StateCell) -> None:
        """Arm the refresher for the next fetch, the end of the one in flight, or the next change of state."""
        while not (state := cell.latest()).closed:
            when = self._next_call(state)
            if when == math.inf:
                self._refresher.forget(self)
            else:
                self._update(cell, refresher_alive=self._refresher.schedule(self, when))
            latest = cell.latest()
            # Of two at once, the one that saw less must not have the last word.
            if all(getattr(latest, name) is getattr(state, name) for name in ("snapshot", "in_flight", "backoff")):
                break
        if cell.latest().closed:
            self._refresher.forget(self)

    def _next_call(self, state: CacheState) -> float:
        """When the refresher must look here again; infinity where nothing needs it."""
        now, in_flight, when = self.monotonic(), state.in_flight, state.due
        # What may be used for ever needs no thread that waits for it: readers have it checked.
        if in_flight is None and not state.snapshot.expires:
            return math.inf
        if in_flight is not None and when != math.inf:
            when = now + max(0.01, in_flight.deadline - self._runtime.monotonic())
        return min(when, state.snapshot.next_transition(now))


def state_change(old: str, snapshot: Snapshot, now: float, wall: float) -> list[Happening]:
    """The event for a change of state by the passing of time; none where nothing changed."""
    new = snapshot.state_at(now)
    if new == old:
        return []
    owner = snapshot.credentials.identity if snapshot.credentials is not None else None
    return [Happening("StateChanged", wall, old=old, new=new, owner=owner, expires=snapshot.expires_at < math.inf)]


def changed(
    state: CacheState, now: float, snapshot: Snapshot, backoff: Backoff, happenings: list[Happening]
) -> CacheState:
    """The next state of a cache, with its state reported."""
    return state.change(*happenings, snapshot=snapshot, backoff=backoff, reported=snapshot.state_at(now))
