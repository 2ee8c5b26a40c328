"""The credential cache: when to fetch, who waits, and what to do when a fetch fails.

A reader of fresh credentials does one attribute load, one clock call and one comparison. Everything else is the slow
path, where one pass (`_step`) looks at the state and says "here they are", "wait for this fetch" or raises; threads
and coroutines differ only in how they wait. A fetch always runs on a worker: callers wait, the refresher schedules,
and a hung fetch stalls neither.
"""

from __future__ import annotations

import math
import os
import weakref
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds.admission import end_of, require_credentials, stays
from ramrole_creds.clock import SYSTEM_CLOCK, Clock
from ramrole_creds.credentials import Credentials, same_keys, shorten_id
from ramrole_creds.desk import Ask, Desk
from ramrole_creds.errors import (
    ConfigurationError,
    CredentialsExpired,
    FetchError,
    FetchTimeout,
    RamRoleError,
    WaitTimeout,
)
from ramrole_creds.flight import FETCH_PART_OF_TIME_LIMIT, FetchContext, Flight
from ramrole_creds.news import News
from ramrole_creds.pacing import expired_error, fresh_copy, too_short_error
from ramrole_creds.policy import FRESH, NO_SNAPSHOT, PREFETCH, RefreshPolicy, Snapshot, plan_snapshot
from ramrole_creds.threads import THREADS, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import events
    from ramrole_creds.clock import Pending
    from ramrole_creds.status import ProviderStatus

__all__ = ["CredentialCache", "FetchContext", "RefreshPolicy"]

MOST_FETCHES_PER_CALL = 3


class CredentialCache:
    """Keeps the credentials of one source fresh.

    Args:
        fetch: one retrieval from upstream; runs on a worker, at most one at a time.
        name: the source's name in events and messages.
        policy: windows, pauses and patience.
        clock: by which credentials live.
        on_event: takes the events of this cache.
        runtime: threads, processes and chance.
    """

    def __init__(
        self,
        fetch: Callable[[FetchContext], Credentials],
        *,
        name: str = "the source",
        policy: RefreshPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
        on_event: events.EventListener | None = None,
        runtime: Runtime = THREADS,
    ) -> None:
        self.snapshot: Snapshot = NO_SNAPSHOT
        """What is held: read by anybody at any time, replaced under the desk's lock."""
        self.monotonic = clock.monotonic
        self._fetch = fetch
        self._name = name
        self._policy = policy if policy is not None else RefreshPolicy()
        self._clock = clock
        self._on_event = on_event
        self._runtime = runtime
        self._refresher = runtime.refresher(clock)
        self._closed = False
        # The desk of each process by its id: a child whose server ran no fork handlers finds none of its own and
        # starts anew; `setdefault` lets exactly one of its threads do so.
        self._desks: dict[int, Desk] = {}
        _caches.add(self)

    def get(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """Credentials that are valid now and for `valid_for` seconds more.

        Args:
            valid_for: seconds they must still live.
            timeout: this caller's patience in seconds, None for as long as the fetch may take.

        Raises:
            CredentialsExpired: those held have expired and could not be replaced.
            CredentialsTooShort: upstream has none that live that long.
            WaitTimeout: `timeout` ran out.
            RamRoleError: what the fetch raised, where there are none.
        """
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]  # never None while fresh
        ask = Ask(self._runtime, valid_for, timeout)
        while True:
            answer = self._step(ask)
            if isinstance(answer, Credentials):
                return answer
            ask.flight.wait(answer)
            self._give_up_if_overdue(ask.flight)

    async def get_async(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """The same for coroutines of any number of event loops; never blocks one."""
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]
        ask = Ask(self._runtime, valid_for, timeout, may_block=False)
        while True:
            answer = self._step(ask)
            if isinstance(answer, Credentials):
                return answer
            await ask.flight.wait_async(answer)
            self._give_up_if_overdue(ask.flight)

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        """Fetch now, whatever the state; callers at the same time share one fetch.

        Args:
            rejected: the credentials that a service refused. Where they were replaced already, nothing is fetched;
                where upstream failed or gave them again just now, the pause is kept.

        Raises:
            RamRoleError: what the fetch raised.
        """
        desk = self._open_desk()
        with desk.lock:
            desk.news.refresh_forced(rejected=rejected is not None)
        desk.news.tell()
        while True:
            with desk.lock:
                held = self.snapshot.credentials
                if rejected is not None:
                    alive = self.snapshot.left_at(self.monotonic()) > 0
                    if alive and held is not None and not same_keys(held, rejected):
                        return held
                    if self._asked_in_vain(desk):
                        return self._held_or_raise(desk.pacing.error)
                flight, joined = desk.flight, desk.flight is not None
                if flight is None:
                    flight = self._take_off(desk, rejected=rejected)
                    if rejected is not None:
                        desk.pacing.refused_generation = self.snapshot.generation
            if not joined:
                self._launch(desk, flight)
            while not flight.wait(max(0.0, flight.deadline - self._runtime.monotonic())):
                self._give_up_if_overdue(flight)
            result = self._held_or_raise(flight.error)
            # A fetch that was under way before the refusal may have brought the refused ones: then look once more.
            if rejected is None or not joined:
                return result

    def status(self) -> ProviderStatus:
        """What is held and what is going on; never fetches."""
        from ramrole_creds.status import ProviderStatus

        desk = self._desk()
        now, wall = self.monotonic(), self._clock.time()
        with desk.lock:
            snapshot, due, fetches = self.snapshot, self._due(desk), desk.fetches
            failures, error = desk.pacing.failures, desk.pacing.error
        held = snapshot.credentials

        def moment(when: float) -> datetime | None:
            return datetime.fromtimestamp(wall + when - now, timezone.utc) if math.isfinite(when) else None

        return ProviderStatus(
            state=snapshot.state_at(now),
            provider_name=held.provider_name if held is not None and held.provider_name else self._name,
            access_key_id=shorten_id(held.access_key_id) if held else None,
            identity=held.identity if held else None,
            expiration=held.expiration if held else None,
            generation=snapshot.generation,
            fetches=fetches,
            failures=failures,
            last_fetch=moment(snapshot.fetched_at),
            last_error=None if error is None else f"{type(error).__name__}: {error}",
            next_attempt=moment(due),
        )

    def close(self) -> None:
        """Forget the credentials and stop refreshing; whoever waits and later calls raise ConfigurationError."""
        desk = self._desk()
        with desk.lock:
            self._closed = True
            self.snapshot = NO_SNAPSHOT
            flight, desk.flight = desk.flight, None
            self._refresher.forget(self)
        if flight is not None:
            flight.finish()  # who waited looks again and finds this closed

    def on_due(self) -> Pending | None:
        """Start what is due; called by the refresher, never blocks. What is returned ends with the fetch."""
        if self._closed:
            return None
        desk = self._desk()
        try:
            self._note_state(desk)
            with desk.lock:
                flight, launch = desk.flight, False
                if flight is None and self._due(desk) <= self.monotonic():
                    flight, launch = self._take_off(desk), True
            if launch and flight is not None:
                self._launch(desk, flight)
            elif flight is not None:
                self._give_up_if_overdue(flight)
        finally:
            self._schedule(desk)
        return flight

    def after_fork_in_child(self) -> None:
        """Keep a snapshot that is valid; drop the locks, the fetch in flight and the jitter of the parent."""
        self._desks = {}
        self.snapshot = self.snapshot.unproven()

    # Reading, the slow path

    def _step(self, ask: Ask) -> Credentials | float:
        """One look at the state: credentials, or how many seconds to wait for `ask.flight`; or an error."""
        desk = self._open_desk()
        self._note_state(desk)
        landed = ask.for_result and ask.flight.done()  # read before the snapshot that it may have replaced
        snapshot, now = self.snapshot, self.monotonic()
        held = snapshot.credentials
        if held is None or now >= snapshot.expires_at or snapshot.expires_at - now < ask.valid_for:
            return self._await_fetch(desk, ask, snapshot, now, landed=landed)
        state = snapshot.state_at(now)
        if state == FRESH or ask.waiting:
            return held
        wait = self._note_prefetch(desk, ask, snapshot, now) if state == PREFETCH else self._note_expiring(desk, ask)
        return held if wait is None else wait

    def _note_prefetch(self, desk: Desk, ask: Ask, snapshot: Snapshot, now: float) -> float | None:
        """Nobody waits: the refresher fetches. A reader wakes it when it sleeps, and stands in when it is late."""
        due = self._due(desk)
        if desk.busy() or now < due:
            return None
        lived = snapshot.prefetch_at - snapshot.looked_at
        window = min(snapshot.expires_at - snapshot.prefetch_at, self._policy.prefetch_window, lived)
        if desk.refresher_runs and now - due <= window / 2:
            if desk.nudged_for != due:
                desk.nudged_for = due
                desk.refresher_runs = self._refresher.schedule(self, now)
            return None
        with desk.lock:
            if desk.busy() or self.snapshot is not snapshot:
                return None
            ask.flight = self._take_off(desk)
        self._launch(desk, ask.flight, may_block=ask.may_block)
        # This one reader gives the worker a moment to run: in a server without threads it gets none otherwise.
        return self._brief_wait(ask)

    def _note_expiring(self, desk: Desk, ask: Ask) -> float | None:
        """Wait briefly for the fetch in flight; start one where there is none and none failed just now."""
        with desk.lock:
            flight, launch = desk.flight, False
            if flight is None:
                if self.monotonic() < desk.pacing.not_before:
                    return None
                flight, launch = self._take_off(desk), True
        ask.flight = flight
        if launch:
            self._launch(desk, flight, may_block=ask.may_block)
        wait = self._brief_wait(ask)
        return wait if wait or launch else None

    def _brief_wait(self, ask: Ask) -> float:
        """Seconds, perhaps none; afterwards the state is looked at again, since a launch may have taken time."""
        ask.waiting = True
        until = min(ask.flight.started + self._policy.wait_bound, ask.deadline)
        return max(0.0, until - self._runtime.monotonic())

    def _await_fetch(
        self, desk: Desk, ask: Ask, snapshot: Snapshot, now: float, *, landed: bool
    ) -> Credentials | float:
        """Nothing held will do: wait for a fetch, at most as long as the caller likes."""
        if landed:
            self._judge_landing(desk, ask, snapshot, now)
        elif ask.for_result:
            if self._runtime.monotonic() >= ask.deadline:
                raise WaitTimeout(
                    f"No credentials of {self._name} within this call's timeout. The fetch goes on in the background: "
                    "call again, or allow more time."
                )
            return self._patience(ask)
        launch = False
        with desk.lock:
            flight = desk.flight
            if flight is None and self.snapshot is snapshot:
                self._refuse_in_vain(desk, ask, snapshot, now)
                flight, launch = self._take_off(desk, valid_for=ask.valid_for), True
        if flight is None:  # another caller's fetch landed since the snapshot was read
            return self._step(ask)
        ask.wait_for_result(flight)
        if launch:
            self._launch(desk, flight, may_block=ask.may_block)
        return self._patience(ask)

    def _patience(self, ask: Ask) -> float:
        return max(0.0, min(ask.deadline, ask.flight.deadline) - self._runtime.monotonic())

    def _judge_landing(self, desk: Desk, ask: Ask, snapshot: Snapshot, now: float) -> None:
        """Raise what the fetch that was waited for brought, where it did not bring what was asked for."""
        if ask.flight.error is not None:
            raise self._failure(ask.flight.error, snapshot, now, ask)
        if snapshot.left_at(now):
            # Fetched, and still too short. Minted anew they live no longer; repeated ones do not get better.
            with desk.lock:
                desk.pacing.too_short = (snapshot.generation, 0.0 if ask.flight.unchanged else snapshot.life)
            raise too_short_error(self._name, snapshot, now, ask.valid_for, None)
        if ask.fetches >= MOST_FETCHES_PER_CALL:
            raise CredentialsExpired(
                f"{self._name} gave credentials {ask.fetches} times that had ended before they could be used. "
                "Look at how long its credentials live."
            )

    def _refuse_in_vain(self, desk: Desk, ask: Ask, snapshot: Snapshot, now: float) -> None:
        """Raise at once what a fetch now would only find again."""
        pacing = desk.pacing
        pausing = now < pacing.not_before
        if snapshot.left_at(now):
            generation, longest = pacing.too_short
            known = generation == snapshot.generation and ask.valid_for > longest and now < snapshot.next_issue_at
            if known or pausing:
                raise too_short_error(self._name, snapshot, now, ask.valid_for, pacing.error)
        elif pausing and pacing.error is not None:
            raise self._failure(pacing.error, snapshot, now, ask)

    def _failure(self, error: Exception, snapshot: Snapshot, now: float, ask: Ask) -> Exception:
        if snapshot.credentials is None:
            return fresh_copy(error)
        if snapshot.left_at(now):
            return too_short_error(self._name, snapshot, now, ask.valid_for, error)
        return expired_error(self._name, snapshot.credentials, error)

    def _asked_in_vain(self, desk: Desk) -> bool:
        """True where upstream was just asked to replace this refused generation."""
        pacing = desk.pacing
        return pacing.refused_generation == self.snapshot.generation and self.monotonic() < pacing.not_before

    def _held_or_raise(self, error: Exception | None) -> Credentials:
        snapshot = self.snapshot
        held = snapshot.credentials
        if error is not None:
            raise fresh_copy(error)
        if held is None:  # closed meanwhile
            raise self._closed_error()
        if not snapshot.left_at(self.monotonic()):
            raise expired_error(self._name, held, FetchError("they lived no longer than it took to fetch them"))
        return held

    # Fetching

    def _take_off(self, desk: Desk, *, valid_for: float = 0.0, rejected: Credentials | None = None) -> Flight:
        """A new flight, under the desk's lock: that is why there is only one."""
        started = self._runtime.monotonic()
        deadline = started + self._policy.fetch_timeout
        context = FetchContext(
            valid_for=valid_for,
            rejected=rejected,
            clock=self._clock,
            # A fetch that keeps to its time tells its own error before it would be abandoned.
            deadline=started + self._policy.fetch_timeout * FETCH_PART_OF_TIME_LIMIT,
            monotonic=self._runtime.monotonic,
        )
        done = self._runtime.signal()
        desk.flight = Flight(context, done=done, started=started, deadline=deadline, held=self.snapshot)
        desk.fetches += 1
        return desk.flight

    def _launch(self, desk: Desk, flight: Flight, *, may_block: bool = True) -> None:
        try:
            self._runtime.spawn(lambda: self._fly(desk, flight))
        except RuntimeError as error:  # no more threads, or the interpreter is on its way out
            if may_block:
                self._fly(desk, flight)
            else:
                self._land(desk, flight, FetchError(f"No thread could be started to fetch credentials: {error}"))

    def _fly(self, desk: Desk, flight: Flight) -> None:
        outcome: Credentials | Exception
        try:
            outcome = require_credentials(self._fetch(flight.context), self._name)
        except RamRoleError as error:
            outcome = error.with_traceback(None)  # it would hold this frame, which holds it
        except BaseException as error:  # noqa: BLE001  # whatever a fetch does, nobody is left waiting
            # Of a foreign error only the class is told: its text may hold what no message of ours may.
            outcome = FetchError(f"{self._name} failed with {type(error).__name__}; see its own log for details.")
        self._land(desk, flight, outcome)

    def _land(self, desk: Desk, flight: Flight, outcome: Credentials | Exception, *, ago: float = 0.0) -> None:
        """Take a fetch's outcome in: what is held changes here and nowhere else."""
        with desk.lock:
            abandoned = desk.flight is not flight
            if abandoned and (self._closed or isinstance(outcome, Exception) or self.snapshot is not flight.held):
                return
            if not abandoned:
                desk.flight = None
            if isinstance(outcome, Credentials):
                outcome = self._closed_error() if self._closed else self._admit(desk, flight, outcome, late=abandoned)
            if isinstance(outcome, Exception) and not abandoned:
                if not self._closed:
                    self._note_failure(desk, outcome, self.monotonic() - ago)
                flight.error = outcome
        try:
            self._note_state(desk)
            desk.news.tell()
        finally:
            self._schedule(desk)
            flight.finish()

    def _admit(self, desk: Desk, flight: Flight, new: Credentials, *, late: bool) -> Credentials | Exception:
        """Replace what is held unless it is better; an error where what upstream gave is dead.

        What comes late, from an abandoned fetch, counts only where it is better: else the pause since that failed
        stands, or a source slower than the time limit would be asked in a loop.
        """
        now = self.monotonic()
        held, old = self.snapshot, self.snapshot.credentials
        expires_at = end_of(new, flight.context, now, self._clock.time())
        if expires_at <= now:
            return FetchError(
                f"{self._name} gave credentials that had ended {now - expires_at:.0f} s before. "
                "Compare this machine's clock with the server's."
            )
        if stays(held, new, expires_at, now, flight.context.rejected):
            if not late:
                flight.unchanged = True
                self._note_unchanged(desk, now)
                desk.news.fetched_unchanged(self._due(desk) - now)
            return new
        self.snapshot = plan_snapshot(
            new,
            generation=held.generation + 1,
            fetched_at=now,
            looked_at=now,
            expires_at=expires_at,
            refetch_after=flight.context.refetch_after,
            policy=self._policy,
            draw=self._runtime.random(),
        )
        failures = desk.pacing.note_success()
        seconds = self._runtime.monotonic() - flight.started
        desk.news.fetched(new, generation=self.snapshot.generation, failures=failures, seconds=seconds)
        if old is not None and (old.identity, old.provider_name) != (new.identity, new.provider_name):
            desk.news.identity_changed(old, new)
        return new

    def _hold_again(self, looked_at: float) -> None:
        """The same credentials with windows drawn anew."""
        held = self.snapshot
        if held.credentials is not None:
            self.snapshot = plan_snapshot(
                held.credentials,
                generation=held.generation,
                fetched_at=held.fetched_at,
                looked_at=looked_at,
                expires_at=held.expires_at,
                refetch_after=held.refetch_after,
                policy=self._policy,
                draw=self._runtime.random(),
            )

    def _note_unchanged(self, desk: Desk, now: float) -> None:
        held = self.snapshot
        if now < held.expires_at - self._policy.prefetch_left(held.life, 1.0):
            self._hold_again(now)  # far from the end, or none known: look again in a few hours or minutes
        desk.pacing.note_unchanged(held, now, self._runtime.random())

    def _note_failure(self, desk: Desk, error: Exception, now: float) -> None:
        held, pacing = self.snapshot, desk.pacing
        pacing.note_failure(error, held, now, self._runtime.random())
        pause = max(0.0, pacing.not_before - self.monotonic())
        left = None if held.credentials is None else held.left_at(now)
        desk.news.failed(error, failures=pacing.failures, pause=pause, left=left)

    def _give_up_if_overdue(self, flight: Flight) -> None:
        """Abandon a fetch that hangs, so that its waiters go and the next can start."""
        if flight.done() or self._runtime.monotonic() < flight.deadline:
            return
        desk = self._desk()
        if desk.flight is flight:
            limit = self._policy.fetch_timeout
            text = f"{self._name} did not answer within fetch_timeout ({limit:g} s); that fetch was abandoned."
            # It failed when its time was over, whenever somebody comes and sees it: the pause counts from then.
            self._land(desk, flight, FetchTimeout(text), ago=self._runtime.monotonic() - flight.deadline)
        flight.finish()  # landed, but an event listener may be holding the one who landed it

    # Bookkeeping

    def _open_desk(self) -> Desk:
        if self._closed:
            raise self._closed_error()
        desk = self._desk()
        flight = desk.flight
        if flight is not None:  # perhaps one that all its waiters have left
            self._give_up_if_overdue(flight)
        return desk

    def _closed_error(self) -> ConfigurationError:
        return ConfigurationError(f"This provider ({self._name}) was closed: make a new one, or close it later.")

    def _desk(self) -> Desk:
        process_id = self._runtime.process_id()
        desk = self._desks.get(process_id)
        if desk is None:
            lock = self._runtime.lock()
            news = News(self._name, self._clock, self._on_event, lock)
            new = Desk(lock, self._policy, news, self.snapshot.state_at(self.monotonic()))
            new.pacing.note_inherited(self.snapshot, self.monotonic(), self._runtime.random())
            desk = self._desks.setdefault(process_id, new)
            if desk is new:
                self._move_in(desk, process_id)
        return desk

    def _move_in(self, desk: Desk, process_id: int) -> None:
        """A process's first look: what its parent held is kept while it is valid, with a jitter of its own."""
        for other in [key for key in self._desks if key != process_id]:
            self._desks.pop(other, None)
        with desk.lock:
            self._hold_again(self.snapshot.looked_at)
            desk.state = self.snapshot.state_at(self.monotonic())
        self._schedule(desk)

    def _due(self, desk: Desk) -> float:
        """When the next fetch is due on this cache's clock; infinity while nothing is held."""
        return math.inf if self.snapshot.credentials is None else max(self.snapshot.prefetch_at, desk.pacing.not_before)

    def _schedule(self, desk: Desk) -> None:
        """Tell the refresher when to look here again: a fetch due, one overdue, or a change of state to tell."""
        with desk.lock:  # of two at once, the one that saw less must not have the last word
            if self._closed:
                return
            now = self.monotonic()
            snapshot, flight, when = self.snapshot, desk.flight, self._due(desk)
            if flight is not None and when != math.inf:
                when = now + max(0.01, flight.deadline - self._runtime.monotonic())
            when = min(when, snapshot.next_boundary(now))
            # What may be used for ever needs no thread that waits for it: readers have it looked at again.
            if when == math.inf or (flight is None and not snapshot.ends):
                self._refresher.forget(self)
            else:
                desk.refresher_runs = self._refresher.schedule(self, when)

    def _note_state(self, desk: Desk) -> None:
        """Tell a change of state, once, whoever sees it first."""
        if self.snapshot.state_at(self.monotonic()) == desk.state:
            return
        with desk.lock:
            snapshot, old = self.snapshot, desk.state
            new = desk.state = snapshot.state_at(self.monotonic())
            if new != old:
                desk.news.state_changed(old, new, ends=snapshot.expires_at < math.inf)
        desk.news.tell()


_caches: weakref.WeakSet[CredentialCache] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    THREADS.after_fork_in_child()
    for cache in list(_caches):
        cache.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # one handler for all caches, not one each: those could never be taken back
    os.register_at_fork(after_in_child=_after_fork_in_child)
