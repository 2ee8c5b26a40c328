"""The credential cache: it does what `decisions` and `settlement` say.

A reader of fresh credentials does one attribute load, one clock call and one comparison. Everything else is the slow
path: look at the state, ask `decide`, and return, raise, wait for the fetch in flight or start one; threads and
coroutines differ only in how they wait. A fetch runs on a worker: callers wait, the refresher schedules, and a hung
fetch stalls neither. The state is replaced without a lock, so every method may be called again from wherever Python
interrupts it.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

from ramrole_creds._cache.decisions import (
    Ask,
    Decision,
    Fail,
    Join,
    Serve,
    View,
    decide,
    decide_due,
    decide_forced,
    decide_refresh,
)
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._cache.fetching import FetchRunner
from ramrole_creds._cache.notifications import Happening
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.request import CredentialRequest
from ramrole_creds._cache.settlement import Outcome, Settlement, settle
from ramrole_creds._cache.snapshot import NO_SNAPSHOT
from ramrole_creds._cache.status import ProviderStatus, describe
from ramrole_creds._cache.threads import THREADS
from ramrole_creds.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import events
    from ramrole_creds._cache.in_flight import InFlightFetch
    from ramrole_creds._cache.runtime import Runtime
    from ramrole_creds._cache.state import CacheState, StateCell
    from ramrole_creds.clock import Pending
    from ramrole_creds.credentials import Credentials

__all__ = ["CredentialCache", "FetchContext", "RefreshPolicy"]

MAX_LOCKED_WAIT_SECONDS = 1.0


class CredentialCache(FetchRunner):
    """Keeps the credentials of one source fresh.

    Args:
        fetch: one retrieval from the source; runs on a worker, at most one at a time.
        name: the source's name in events and messages.
        policy: windows, delays and how long a call waits.
        clock: the clock in which credentials live.
        on_event: receives the events of this cache.
        runtime: threads, processes and chance.
        decide: what a call of `get` does next; a test may put its own in place, here and below.
        decide_refresh: what a call of `refresh` does next.
        decide_due: whether the refresher starts a fetch.
        settle: what becomes of a fetch's outcome.
    """

    def __init__(  # noqa: PLR0913  # all but the first by keyword
        self,
        fetch: Callable[[FetchContext], Credentials],
        *,
        name: str = "the source",
        policy: RefreshPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
        on_event: events.EventListener | None = None,
        runtime: Runtime = THREADS,
        decide: Callable[[View, Ask], Decision] = decide,
        decide_refresh: Callable[[View, Credentials | None], Decision] = decide_refresh,
        decide_due: Callable[[View], bool] = decide_due,
        settle: Callable[[View, Outcome], Settlement] = settle,
    ) -> None:
        policy = policy if policy is not None else RefreshPolicy()
        super().__init__(name, policy, clock, on_event, runtime)
        self._fetch = fetch
        self._decide = decide
        self._decide_refresh = decide_refresh
        self._decide_due = decide_due
        self._settle = settle
        _caches.add(self)

    def observe(self, observer: Callable[[View, Outcome, Settlement], None]) -> None:
        """Report each settled fetch, with the values that settled it; for the recorder.

        Args:
            observer: called by the thread that fetched; it must be quick and must not raise.
        """
        inner = self._settle

        def observed(view: View, outcome: Outcome) -> Settlement:
            settlement = inner(view, outcome)
            observer(view, outcome, settlement)
            return settlement

        self._settle = observed

    def get(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """Credentials that are valid now and for `valid_for` seconds more.

        Args:
            valid_for: seconds that they must still live.
            timeout: how long this caller waits, in seconds, None for as long as the fetch may take.

        Raises:
            CredentialsExpired: those held have expired and could not be replaced.
            LifetimeTooShort: the source has none that live that long.
            WaitTimeout: `timeout` ran out.
            RamRoleError: what the fetch raised, where there are none.
        """
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]  # never None while fresh
        request = CredentialRequest(self._runtime.monotonic(), valid_for, timeout)
        while isinstance(step := self._next(request), float):
            in_flight = request.in_flight
            if in_flight is not None:
                in_flight.wait(step)
                self._abandon_if_overdue(in_flight)
        if request.in_flight is not None:
            self._events.ensure(self._cell(), wait=True)
        return step

    async def get_async(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """The same for coroutines of any number of event loops; never blocks one."""
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]
        request = CredentialRequest(self._runtime.monotonic(), valid_for, timeout, may_block=False)
        while isinstance(step := self._next(request), float):
            in_flight = request.in_flight
            if in_flight is not None:
                await in_flight.wait_async(step)
                self._abandon_if_overdue(in_flight)
        return step

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        """Fetch now, whatever the state; callers at the same time share one fetch.

        Args:
            rejected: the credentials that a service rejected. Where they were replaced already, nothing is fetched;
                where the source failed or returned them again a moment ago, its delay is kept.

        Raises:
            RamRoleError: what the fetch raised.
        """
        cell = self._look_around()
        self._record(cell, Happening("RefreshForced", self._clock.time(), rejected=rejected is not None))
        try:
            return self._refreshed(cell, rejected)
        finally:
            self._events.ensure(cell, wait=True)

    def _refreshed(self, cell: StateCell, rejected: Credentials | None) -> Credentials:
        while True:
            view = self._view(cell)
            decision = self._decide_refresh(view, rejected)
            in_flight = view.state.in_flight
            joined = isinstance(decision, Join)
            if not isinstance(decision, (Serve, Fail)):
                if in_flight is None:
                    in_flight = self._start(cell, view.state, rejected=rejected)
                if in_flight is None or not self._is_settled(in_flight):
                    continue
                # A fetch that began before the rejection may have returned the rejected ones: then look once more.
                if joined and rejected is not None:
                    continue
                decision = decide_forced(self._view(cell), in_flight.error)
            if isinstance(decision, Fail):
                raise decision.error
            return decision.credentials

    def _is_settled(self, in_flight: InFlightFetch) -> bool:
        """Wait for its outcome; False where there will be none for this thread."""
        while not in_flight.wait(max(0.0, in_flight.deadline - self._runtime.monotonic())):
            self._abandon_if_overdue(in_flight)
            if in_flight.waits_for(threading.get_ident()):
                return False
        return not in_flight.withdrawn

    def status(self) -> ProviderStatus:
        """What is held and what is going on; never fetches."""
        now, wall = self._clocks.read()
        return describe(self._cell().latest(), now, wall, self._name)

    def close(self) -> None:
        """Forget the credentials and stop refreshing; callers who wait and later calls get ConfigurationError."""
        cell = self._cell()
        self._closed = True
        ended = [Happening("Closed", self._clock.time())] if self._events.is_heard else []
        while not (state := cell.latest()).closed:
            if self._swap(cell, state, state.change(*ended, closed=True, in_flight=None, snapshot=NO_SNAPSHOT)):
                break
        self._refresher.forget(self)
        if state.in_flight is not None:
            state.in_flight.finish()  # whoever waited looks again and finds this closed
        self._events.ensure(cell, wait=True)

    # For the refresher

    def on_due(self) -> Pending | None:
        """Start what is due; called by the refresher, never blocks.

        Returns:
            What ends with the fetch and the delivery of its events.
        """
        if self._closed:
            return None
        in_flight = None
        try:
            cell = self._look_around()
            while True:
                view = self._view(cell)
                in_flight = view.state.in_flight
                if not self._decide_due(view):
                    break
                in_flight = self._start(cell, view.state, background=True)
                if in_flight is not None:
                    break
            self._events.ensure(cell, wait=False)
        finally:
            self._schedule(self._cell())
        return _Work(self._cell(), in_flight)

    # The slow path

    def _next(self, request: CredentialRequest) -> Credentials | float:
        """One decision: credentials, or how many seconds to wait for `request.in_flight`; or an error."""
        while True:
            ask = request.ask()  # read before the state that it may have replaced
            cell = self._look_around()
            view = self._view(cell, request.in_flight)
            decision = self._decide(view, ask)
            if isinstance(decision, Serve):
                if decision.wake:
                    self._wake_refresher(cell, view.state)
                return decision.credentials
            if isinstance(decision, Fail):
                if decision.too_short is not None:
                    self._remember_too_short(cell, view.state, decision.too_short)
                if request.in_flight is not None:
                    self._events.ensure(cell, wait=request.may_block)
                raise decision.error
            in_flight = view.state.in_flight
            if isinstance(decision, Join):
                if request.for_result and not ask.landed:
                    in_flight = request.in_flight
            else:
                in_flight = self._start(
                    cell,
                    view.state,
                    valid_for=0.0 if decision.brief else request.valid_for,
                    brief=decision.brief,
                    may_block=request.may_block,
                )
            if in_flight is not None:
                return self._patience(request, in_flight, brief=decision.brief)

    def _patience(self, request: CredentialRequest, in_flight: InFlightFetch, *, brief: bool) -> float:
        """Seconds to wait, perhaps none; afterwards the state is looked at again."""
        now = self._runtime.monotonic()
        if brief:
            request.wait_briefly(in_flight)
            end = in_flight.started + self._policy.mandatory_wait
        else:
            if (
                not request.for_result
                and request.may_block
                and not in_flight.done()
                and self._runtime.holds_foreign_lock()
            ):
                # The worker may need a lock of this thread, such as that of a log handler.
                request.deadline = min(request.deadline, now + MAX_LOCKED_WAIT_SECONDS)
            request.wait_for_result(in_flight)
            end = in_flight.deadline
        return max(0.0, min(end, request.deadline) - now)

    def _wake_refresher(self, cell: StateCell, state: CacheState) -> None:
        if self._swap(cell, state, state.change(woken_for=state.due)):
            alive = self._refresher.schedule(self, self.monotonic())
            self._update(cell, refresher_alive=alive)

    def _remember_too_short(self, cell: StateCell, state: CacheState, longest: float) -> None:
        backoff = state.backoff.with_too_short(state.snapshot.generation, longest)
        self._swap(cell, state, state.change(backoff=backoff))  # where the state changed, it is of no use any more


class _Work:
    """What the refresher started: it ends with the fetch and the delivery of its events."""

    __slots__ = ("_cell", "_in_flight")

    def __init__(self, cell: StateCell, in_flight: InFlightFetch | None) -> None:
        self._cell = cell
        self._in_flight = in_flight

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for each of the two."""
        if self._in_flight is not None and not self._in_flight.wait(timeout):
            return False
        delivery = self._cell.latest().delivery
        return delivery is None or delivery.wait(timeout)


_caches: weakref.WeakSet[CredentialCache] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    THREADS.after_fork_in_child()
    for cache in list(_caches):
        cache.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # one handler for all caches: handlers can never be taken back
    os.register_at_fork(after_in_child=_after_fork_in_child)
