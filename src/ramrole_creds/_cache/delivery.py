"""Who delivers what happened, and when.

The events are a part of the state that they led to, so they are in order. One thread of the library at a time delivers
them; a caller does not, since a listener or a log handler may need a lock that the caller holds.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.notifications import Delivery, Happening, deliver
from ramrole_creds._cache.snapshot import EMPTY, NO_SNAPSHOT
from ramrole_creds._cache.state import CacheState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import events
    from ramrole_creds._cache.runtime import Runtime
    from ramrole_creds._cache.state import StateCell
    from ramrole_creds.clock import Clock

DELIVERY_WAIT_SECONDS = 0.25

_numbers = count(1)
_postponed: deque[Callable[[], None]] = deque()
"""Ends of providers that were collected where no thread could be started."""


class EventDelivery:
    """Delivers the events of one source.

    Args:
        name: of the source.
        listener: receives the events.
        runtime: starts the thread that delivers.
    """

    __slots__ = ("_listener", "_name", "_number", "_runtime")

    def __init__(self, name: str, listener: events.EventListener | None, runtime: Runtime) -> None:
        self._name = name
        self._number = next(_numbers)
        self._listener = listener
        self._runtime = runtime

    def new(self) -> Delivery:
        """A delivery that has not begun."""
        return Delivery(self._runtime.signal())

    @property
    def is_heard(self) -> bool:
        """True where there is a listener."""
        return self._listener is not None

    def report_end(self, cells: dict[int, StateCell], clock: Clock) -> None:
        """Report that the cache no longer exists; called by its finalizer, so nothing of others runs here.

        Args:
            cells: the states of the cache by process.
            clock: of the cache.
        """
        with suppress(Exception):  # at the end of the interpreter, for instance
            report = partial(self._report_end, cells, clock)
            try:
                self._runtime.spawn(report, "events")
            except RuntimeError:  # the next call of any provider reports it
                _postponed.append(report)

    def _report_end(self, cells: dict[int, StateCell], clock: Clock) -> None:
        """Report it, or what is left of it after an interrupt."""
        cell = cells.get(process := self._runtime.process_id())
        if cell is None:  # a forked child that never used it
            cell = cells.setdefault(process, self._runtime.cell(CacheState(NO_SNAPSHOT, Backoff(), EMPTY)))
        ended = Happening("Closed", clock.time())
        while not (state := cell.latest()).closed:
            cell.swap(state, state.change(ended, closed=True, in_flight=None, snapshot=NO_SNAPSHOT))
        delivery = self.new()
        while (state := cell.latest()).pending and state.delivery is None:
            if cell.swap(state, state.change(delivery=delivery)):
                self.run(cell, delivery)

    def ensure(self, cell: StateCell, *, wait: bool) -> None:
        """See that what is pending is delivered, and `wait` for it, but only for a moment.

        While a fetch is in flight its worker will deliver.
        """
        _report_postponed()
        state = cell.latest()
        delivery = state.delivery
        if delivery is None:
            if not state.pending or state.in_flight is not None:
                return
            delivery = self.new()
            try:
                if not cell.swap(state, state.change(delivery=delivery)):
                    return  # whoever changed it comes here too
                self._spawn(cell, delivery)
            except Exception:  # noqa: BLE001  # no memory for a thread, for instance: the next call delivers
                self.end(cell, delivery)
            except BaseException:
                self.end(cell, delivery)
                raise
        if wait:
            delivery.wait(DELIVERY_WAIT_SECONDS)

    def _spawn(self, cell: StateCell, delivery: Delivery) -> None:
        try:
            self._runtime.spawn(partial(self.run, cell, delivery), "events")
        except RuntimeError:  # no thread can be started
            self.run(cell, delivery)
        delivery.hand_over()

    def run(self, cell: StateCell, delivery: Delivery) -> None:
        """Deliver what is pending, one by one, while `delivery` is the one that may."""
        delivery.begin()
        try:
            while (state := cell.latest()).delivery is delivery:
                if not state.pending:
                    cell.swap(state, state.change(delivery=None))
                    continue
                delivery.taken = state.pending[0]
                if cell.swap(state, state.change(pending=state.pending[1:])):
                    deliver(delivery, self._name, self._number, self._listener)
                delivery.taken = None
        except BaseException:
            self.end(cell, delivery)
            raise
        finally:
            delivery.finish()

    def end(self, cell: StateCell, delivery: Delivery) -> None:
        """Let another one deliver what is still pending, and what this one took and was interrupted before it began."""
        taken = delivery.taken
        while (state := cell.latest()).delivery is delivery:
            pending = state.pending
            if taken is not None and taken not in pending:
                pending = (taken, *pending)
            cell.swap(state, state.change(delivery=None, pending=pending))
        delivery.finish()


def _report_postponed() -> None:
    """Report the ends that no thread could. Each stays in the queue until then, since an interrupt may strike."""
    for report in _postponed.copy():
        try:
            with suppress(Exception):  # as in a finalizer
                report()
        except BaseException:
            _postponed.append(report)  # what ran meanwhile may have removed it
            raise
        with suppress(ValueError):
            _postponed.remove(report)
