"""Starting fetches, settling their outcomes and abandoning those that hang."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds._cache.errors import no_thread_error, timeout_error
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._cache.in_flight import FETCH_TIME_FRACTION, InFlightFetch
from ramrole_creds._cache.keeper import StateKeeper, changed, state_change
from ramrole_creds._cache.notifications import Happening, record_waiters
from ramrole_creds._cache.replacement import ensure_credentials
from ramrole_creds._cache.settlement import Failed, Kept, Outcome, Settlement, needs_second_look
from ramrole_creds.credentials import same_keys
from ramrole_creds.errors import FetchError, RamRoleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.decisions import View
    from ramrole_creds._cache.notifications import Delivery
    from ramrole_creds._cache.state import CacheState, StateCell
    from ramrole_creds.credentials import Credentials


class FetchRunner(StateKeeper):
    """Runs the fetches of a cache, one at a time."""

    _fetch: Callable[[FetchContext], Credentials]
    _settle: Callable[[View, Outcome], Settlement]

    def _look_around(self) -> StateCell:
        """Notice what time alone has changed: a fetch overdue, a leap of the wall clock, another state."""
        cell = self._cell()
        in_flight = cell.latest().in_flight
        if in_flight is not None:  # perhaps one that all its waiters have left
            self._abandon_if_overdue(in_flight)
        while True:
            state = cell.latest()
            now, wall = self._clocks.read()
            snapshot, backoff, happenings = state.snapshot, state.backoff, []
            leap = self._clocks.leap(snapshot)
            if leap:
                snapshot, backoff = snapshot.doubted(), backoff.after_leap()
                happenings.append(Happening("ClockLeap", wall, seconds=leap))
            happenings += state_change(state.reported, snapshot, now, wall)
            if not happenings or state.closed:
                return cell
            if self._swap(cell, state, changed(state, now, snapshot, backoff, happenings)):
                return cell

    def _start(
        self,
        cell: StateCell,
        state: CacheState,
        *,
        valid_for: float = 0.0,
        rejected: Credentials | None = None,
        brief: bool = False,
        may_block: bool = True,
        background: bool = False,
    ) -> InFlightFetch | None:
        """Start a fetch on a worker; None where the state changed meanwhile.

        What was started is undone where the start is interrupted: nobody may wait for a fetch that no thread runs.
        """
        in_flight = self._make_fetch(state, valid_for, rejected)
        backoff = state.backoff if rejected is None else state.backoff.with_refused(state.snapshot.generation)
        if not background:
            in_flight.add_waiter(may_block=may_block)  # before it can end
        begun = state.change(in_flight=in_flight, fetches=state.fetches + 1, backoff=backoff)
        try:
            if not self._swap(cell, state, begun):
                return None
            if not brief and not background and may_block and self._runtime.holds_foreign_lock():
                self._run(cell, in_flight, here=True)
            else:
                self._spawn(cell, in_flight, may_block=may_block, background=background)
            in_flight.starter = 0
        except BaseException:
            if in_flight.claim() or in_flight.runner == threading.get_ident():
                self._withdraw(cell, in_flight)
            raise
        return in_flight

    def _spawn(self, cell: StateCell, in_flight: InFlightFetch, *, may_block: bool, background: bool) -> None:
        try:
            self._runtime.spawn(partial(self._work, cell, in_flight), "fetch")
        except RuntimeError as error:  # no more threads, or the interpreter is ending
            if may_block:
                self._run(cell, in_flight, here=not background)
            else:
                self._complete(cell, in_flight, no_thread_error(error))
        except Exception as error:  # noqa: BLE001  # no memory for a thread, for instance
            self._complete(cell, in_flight, no_thread_error(error))

    def _make_fetch(self, state: CacheState, valid_for: float, rejected: Credentials | None) -> InFlightFetch:
        started = self._runtime.monotonic()
        context = FetchContext(
            valid_for=valid_for,
            rejected=rejected,
            clock=self._clock,
            # Leave 5 %, so that a fetch that respects its time limit reports its own error.
            deadline=started + self._policy.fetch_timeout * FETCH_TIME_FRACTION,
            monotonic=self._runtime.monotonic,
        )
        deadline = started + self._policy.fetch_timeout
        return InFlightFetch(
            context, done=self._runtime.signal(), started=started, deadline=deadline, held=state.snapshot
        )

    def _withdraw(self, cell: StateCell, in_flight: InFlightFetch) -> None:
        """Undo a start: whoever waits for this fetch looks again and starts another."""
        in_flight.withdrawn = True
        while (state := cell.latest()).in_flight is in_flight:
            if self._swap(cell, state, state.change(in_flight=None)):
                break
        in_flight.finish()

    def _work(self, cell: StateCell, in_flight: InFlightFetch) -> None:
        """What a worker does; where it fails itself, for want of memory for instance, nobody waits for it."""
        try:
            self._run(cell, in_flight)
        except BaseException:
            self._withdraw(cell, in_flight)
            raise

    def _run(self, cell: StateCell, in_flight: InFlightFetch, *, here: bool = False) -> None:
        """Fetch, on a worker or, where `here`, on the calling thread, whose interruptions are not swallowed."""
        if not in_flight.begin():
            return
        outcome: Credentials | Exception
        try:
            outcome = self._fetched(in_flight)
        except RamRoleError as error:
            outcome = error.with_traceback(None)  # it would hold this frame, which holds it
        except BaseException as error:
            if here and not isinstance(error, Exception):
                raise
            # Only the class of a foreign error is shown: its text may hold a secret.
            outcome = FetchError(f"{self._name} failed with {type(error).__name__}; see its own log for details.")
        if here:  # the caller delivers nothing itself
            self._complete(cell, in_flight, outcome)
            self._events.ensure(cell, wait=False)
            return
        delivery = self._events.new()
        try:
            self._complete(cell, in_flight, outcome, delivery=delivery)
            self._events.run(cell, delivery)
        except BaseException:
            self._events.end(cell, delivery)
            raise

    def _fetched(self, in_flight: InFlightFetch) -> Credentials:
        """What the source returns; asked once more where one answer leaves open whether the local clock is ahead."""
        first = ensure_credentials(self._fetch(in_flight.context), self._name)
        if in_flight.done():  # abandoned: another fetch may have begun
            return first
        now, wall = self._clocks.read()
        outcome = Outcome(first, wall, server_time=in_flight.context.server_time)
        if not needs_second_look(self._cell().latest().snapshot, outcome, now):
            return first
        second = ensure_credentials(self._fetch(in_flight.context), self._name)
        in_flight.issued_anew = not same_keys(first, second)
        return second

    def _complete(
        self,
        cell: StateCell,
        in_flight: InFlightFetch,
        outcome: Credentials | Exception,
        *,
        ago: float = 0.0,
        abandon: bool = False,
        delivery: Delivery | None = None,
    ) -> None:
        """Settle a fetch's outcome: what is held is replaced here and nowhere else. Then release the waiters."""
        try:
            random_fractions = self._runtime.random(), self._runtime.random()  # once, however often it is settled
            while True:
                state = cell.latest()
                new = self._settled(state, in_flight, outcome, random_fractions, ago=ago, abandon=abandon)
                if delivery is not None and new.pending and new.delivery is None:
                    new.delivery = delivery
                if new is state or self._swap(cell, state, new):
                    break
        finally:
            try:
                in_flight.finish()
            finally:
                self._schedule(cell)

    def _settled(
        self,
        state: CacheState,
        in_flight: InFlightFetch,
        result: Credentials | Exception,
        random_fractions: tuple[float, float],
        *,
        ago: float,
        abandon: bool,
    ) -> CacheState:
        """The state after this outcome; the same where it counts for nothing."""
        late = state.in_flight is not in_flight
        if late and (state.closed or abandon or isinstance(result, Exception) or state.snapshot is not in_flight.held):
            return state if abandon else self._without_hanging(state, in_flight)
        now, wall = self._clocks.read()
        outcome = self._outcome(in_flight, result, random_fractions, wall, ago=ago, late=late)
        settlement = self._settle(self._view_of(state, now), outcome)
        record_waiters(settlement.happenings, in_flight.waiters)
        happenings = [*settlement.happenings, *state_change(state.reported, settlement.snapshot, now, wall)]
        new = changed(state, now, settlement.snapshot, settlement.backoff, happenings)
        others = tuple(fetch for fetch in state.hanging if fetch is not in_flight)
        new.hanging = (*others, in_flight) if abandon else others
        if not late:
            new.in_flight = None
            in_flight.error = settlement.error if isinstance(settlement, Failed) else None
            in_flight.unchanged = isinstance(settlement, Kept)
        return new

    def _without_hanging(self, state: CacheState, in_flight: InFlightFetch) -> CacheState:
        """The state after an abandoned fetch returned at last; the same where it was not abandoned."""
        others = tuple(fetch for fetch in state.hanging if fetch is not in_flight)
        if others == state.hanging:
            return state
        backoff = state.backoff.after_return(self._policy, len(state.hanging), self.monotonic())
        return state.change(hanging=others, backoff=backoff)

    def _outcome(
        self,
        in_flight: InFlightFetch,
        result: Credentials | Exception,
        random_fractions: tuple[float, float],
        wall: float,
        *,
        ago: float,
        late: bool,
    ) -> Outcome:
        context = in_flight.context
        return Outcome(
            result,
            wall,
            seconds=self._runtime.monotonic() - in_flight.started,
            ago=ago,
            late=late,
            rejected=context.rejected,
            server_time=context.server_time,
            refetch_after=context.refetch_after,
            issued_anew=in_flight.issued_anew,
            random_fractions=random_fractions,
            valid_for=context.valid_for,
        )

    def _abandon_if_overdue(self, in_flight: InFlightFetch) -> None:
        """Abandon a fetch that hangs, so that its waiters are released and the next can start."""
        overdue = self._runtime.monotonic() - in_flight.deadline
        if overdue < 0:
            return
        cell = self._cell()
        if cell.latest().in_flight is in_flight:  # also where an interrupt cut its abandoning short after `finish`
            # It failed when its time was over, whenever somebody notices: the delay counts from then.
            hanging = len(cell.latest().hanging) + 1
            error = timeout_error(self._name, self._policy.fetch_timeout, hanging)
            self._complete(cell, in_flight, error, ago=overdue, abandon=True)
            self._events.ensure(cell, wait=False)
        in_flight.finish()
