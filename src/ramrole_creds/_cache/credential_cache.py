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

from ramrole_creds._cache.backoff import expired_error, fresh_copy, lifetime_error
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._cache.in_flight import FETCH_PART_OF_TIME_LIMIT, InFlightFetch
from ramrole_creds._cache.notifications import EventQueue
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.process_state import CredentialRequest, ProcessState
from ramrole_creds._cache.replacement import ensure_credentials, expiry_on_clock, should_keep_held
from ramrole_creds._cache.snapshot import ADVISORY, FRESH, NO_SNAPSHOT, Snapshot, plan_snapshot
from ramrole_creds._cache.threads import THREADS
from ramrole_creds.clock import SYSTEM_CLOCK, Clock
from ramrole_creds.credentials import Credentials, same_keys, shorten_id
from ramrole_creds.errors import (
    ConfigurationError,
    CredentialsExpired,
    FetchError,
    FetchTimeout,
    RamRoleError,
    WaitTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import events
    from ramrole_creds._cache.runtime import Runtime
    from ramrole_creds._cache.status import ProviderStatus
    from ramrole_creds.clock import Pending

__all__ = ["CredentialCache", "FetchContext", "RefreshPolicy"]

MAX_FETCHES_PER_CALL = 3


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
        """What is held: read by anybody at any time, replaced under the process's lock."""
        self.monotonic = clock.monotonic
        self._fetch = fetch
        self._name = name
        self._policy = policy if policy is not None else RefreshPolicy()
        self._clock = clock
        self._on_event = on_event
        self._runtime = runtime
        self._refresher = runtime.refresher(clock)
        self._closed = False
        # The process of each process by its id: a child whose server ran no fork handlers finds none of its own and
        # starts anew; `setdefault` lets exactly one of its threads do so.
        self._processes: dict[int, ProcessState] = {}
        _caches.add(self)

    def get(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """Credentials that are valid now and for `valid_for` seconds more.

        Args:
            valid_for: seconds they must still live.
            timeout: this caller's patience in seconds, None for as long as the fetch may take.

        Raises:
            CredentialsExpired: those held have expired and could not be replaced.
            LifetimeTooShort: upstream has none that live that long.
            WaitTimeout: `timeout` ran out.
            RamRoleError: what the fetch raised, where there are none.
        """
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]  # never None while fresh
        ask = CredentialRequest(self._runtime, valid_for, timeout)
        while True:
            answer = self._step(ask)
            if isinstance(answer, Credentials):
                return answer
            ask.in_flight.wait(answer)
            self._give_up_if_overdue(ask.in_flight)

    async def get_async(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        """The same for coroutines of any number of event loops; never blocks one."""
        snapshot = self.snapshot
        if self.monotonic() < snapshot.fresh_until and not valid_for:
            return snapshot.credentials  # type: ignore[return-value]
        ask = CredentialRequest(self._runtime, valid_for, timeout, may_block=False)
        while True:
            answer = self._step(ask)
            if isinstance(answer, Credentials):
                return answer
            await ask.in_flight.wait_async(answer)
            self._give_up_if_overdue(ask.in_flight)

    def refresh(self, rejected: Credentials | None = None) -> Credentials:
        """Fetch now, whatever the state; callers at the same time share one fetch.

        Args:
            rejected: the credentials that a service refused. Where they were replaced already, nothing is fetched;
                where upstream failed or gave them again just now, the pause is kept.

        Raises:
            RamRoleError: what the fetch raised.
        """
        process = self._open_process()
        with process.lock:
            process.queue.refresh_forced(rejected=rejected is not None)
        process.queue.deliver()
        while True:
            with process.lock:
                held = self.snapshot.credentials
                if rejected is not None:
                    alive = self.snapshot.remaining(self.monotonic()) > 0
                    if alive and held is not None and not same_keys(held, rejected):
                        return held
                    if self._asked_in_vain(process):
                        return self._held_or_raise(process.backoff.error)
                in_flight, joined = process.in_flight, process.in_flight is not None
                if in_flight is None:
                    in_flight = self._begin(process, rejected=rejected)
                    if rejected is not None:
                        process.backoff.refused_generation = self.snapshot.generation
            if not joined:
                self._spawn(process, in_flight)
            while not in_flight.wait(max(0.0, in_flight.deadline - self._runtime.monotonic())):
                self._give_up_if_overdue(in_flight)
            result = self._held_or_raise(in_flight.error)
            # A fetch that was under way before the refusal may have brought the refused ones: then look once more.
            if rejected is None or not joined:
                return result

    def status(self) -> ProviderStatus:
        """What is held and what is going on; never fetches."""
        from ramrole_creds._cache.status import ProviderStatus

        process = self._process()
        now, wall = self.monotonic(), self._clock.time()
        with process.lock:
            snapshot, due, fetches = self.snapshot, self._due(process), process.fetches
            failures, error = process.backoff.failures, process.backoff.error
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
        process = self._process()
        with process.lock:
            self._closed = True
            self.snapshot = NO_SNAPSHOT
            in_flight, process.in_flight = process.in_flight, None
            self._refresher.forget(self)
        if in_flight is not None:
            in_flight.finish()  # who waited looks again and finds this closed

    def on_due(self) -> Pending | None:
        """Start what is due; called by the refresher, never blocks. What is returned ends with the fetch."""
        if self._closed:
            return None
        process = self._process()
        try:
            self._note_state(process)
            with process.lock:
                in_flight, launch = process.in_flight, False
                if in_flight is None and self._due(process) <= self.monotonic():
                    in_flight, launch = self._begin(process), True
            if launch and in_flight is not None:
                self._spawn(process, in_flight)
            elif in_flight is not None:
                self._give_up_if_overdue(in_flight)
        finally:
            self._schedule(process)
        return in_flight

    def after_fork_in_child(self) -> None:
        """Keep a snapshot that is valid; drop the locks, the fetch in in_flight and the jitter of the parent."""
        self._processes = {}
        self.snapshot = self.snapshot.needing_recheck()

    # Reading, the slow path

    def _step(self, ask: CredentialRequest) -> Credentials | float:
        """One look at the state: credentials, or how many seconds to wait for `ask.in_flight`; or an error."""
        process = self._open_process()
        self._note_state(process)
        landed = ask.for_result and ask.in_flight.done()  # read before the snapshot that it may have replaced
        snapshot, now = self.snapshot, self.monotonic()
        held = snapshot.credentials
        if held is None or now >= snapshot.expires_at or snapshot.expires_at - now < ask.valid_for:
            return self._await_fetch(process, ask, snapshot, now, landed=landed)
        state = snapshot.state_at(now)
        if state == FRESH or ask.waiting:
            return held
        wait = (
            self._note_prefetch(process, ask, snapshot, now) if state == ADVISORY else self._note_expiring(process, ask)
        )
        return held if wait is None else wait

    def _note_prefetch(
        self, process: ProcessState, ask: CredentialRequest, snapshot: Snapshot, now: float
    ) -> float | None:
        """Nobody waits: the refresher fetches. A reader wakes it when it sleeps, and stands in when it is late."""
        due = self._due(process)
        if process.busy() or now < due:
            return None
        lived = snapshot.advisory_at - snapshot.checked_at
        window = min(snapshot.expires_at - snapshot.advisory_at, self._policy.advisory_window, lived)
        if process.refresher_alive and now - due <= window / 2:
            if process.woken_for != due:
                process.woken_for = due
                process.refresher_alive = self._refresher.schedule(self, now)
            return None
        with process.lock:
            if process.busy() or self.snapshot is not snapshot:
                return None
            ask.in_flight = self._begin(process)
        self._spawn(process, ask.in_flight, may_block=ask.may_block)
        # This one reader gives the worker a moment to run: in a server without threads it gets none otherwise.
        return self._brief_wait(ask)

    def _note_expiring(self, process: ProcessState, ask: CredentialRequest) -> float | None:
        """Wait briefly for the fetch in in_flight; start one where there is none and none failed just now."""
        with process.lock:
            in_flight, launch = process.in_flight, False
            if in_flight is None:
                if self.monotonic() < process.backoff.retry_at:
                    return None
                in_flight, launch = self._begin(process), True
        ask.in_flight = in_flight
        if launch:
            self._spawn(process, in_flight, may_block=ask.may_block)
        wait = self._brief_wait(ask)
        return wait if wait or launch else None

    def _brief_wait(self, ask: CredentialRequest) -> float:
        """Seconds, perhaps none; afterwards the state is looked at again, since a launch may have taken time."""
        ask.waiting = True
        until = min(ask.in_flight.started + self._policy.mandatory_wait, ask.deadline)
        return max(0.0, until - self._runtime.monotonic())

    def _await_fetch(
        self, process: ProcessState, ask: CredentialRequest, snapshot: Snapshot, now: float, *, landed: bool
    ) -> Credentials | float:
        """Nothing held will do: wait for a fetch, at most as long as the caller likes."""
        if landed:
            self._judge_landing(process, ask, snapshot, now)
        elif ask.for_result:
            if self._runtime.monotonic() >= ask.deadline:
                raise WaitTimeout(
                    f"No credentials of {self._name} within this call's timeout. The fetch goes on in the background: "
                    "call again, or allow more time."
                )
            return self._patience(ask)
        launch = False
        with process.lock:
            in_flight = process.in_flight
            if in_flight is None and self.snapshot is snapshot:
                self._refuse_in_vain(process, ask, snapshot, now)
                in_flight, launch = self._begin(process, valid_for=ask.valid_for), True
        if in_flight is None:  # another caller's fetch landed since the snapshot was read
            return self._step(ask)
        ask.wait_for_result(in_flight)
        if launch:
            self._spawn(process, in_flight, may_block=ask.may_block)
        return self._patience(ask)

    def _patience(self, ask: CredentialRequest) -> float:
        return max(0.0, min(ask.deadline, ask.in_flight.deadline) - self._runtime.monotonic())

    def _judge_landing(self, process: ProcessState, ask: CredentialRequest, snapshot: Snapshot, now: float) -> None:
        """Raise what the fetch that was waited for brought, where it did not bring what was asked for."""
        if ask.in_flight.error is not None:
            raise self._failure(ask.in_flight.error, snapshot, now, ask)
        if snapshot.remaining(now):
            # Fetched, and still too short. Minted anew they live no longer; repeated ones do not get better.
            with process.lock:
                process.backoff.too_short = (snapshot.generation, 0.0 if ask.in_flight.unchanged else snapshot.life)
            raise lifetime_error(self._name, snapshot, now, ask.valid_for, None)
        if ask.fetches >= MAX_FETCHES_PER_CALL:
            raise CredentialsExpired(
                f"{self._name} gave credentials {ask.fetches} times that had ended before they could be used. "
                "Look at how long its credentials live."
            )

    def _refuse_in_vain(self, process: ProcessState, ask: CredentialRequest, snapshot: Snapshot, now: float) -> None:
        """Raise at once what a fetch now would only find again."""
        backoff = process.backoff
        pausing = now < backoff.retry_at
        if snapshot.remaining(now):
            generation, longest = backoff.too_short
            known = generation == snapshot.generation and ask.valid_for > longest and now < snapshot.next_issue_at
            if known or pausing:
                raise lifetime_error(self._name, snapshot, now, ask.valid_for, backoff.error)
        elif pausing and backoff.error is not None:
            raise self._failure(backoff.error, snapshot, now, ask)

    def _failure(self, error: Exception, snapshot: Snapshot, now: float, ask: CredentialRequest) -> Exception:
        if snapshot.credentials is None:
            return fresh_copy(error)
        if snapshot.remaining(now):
            return lifetime_error(self._name, snapshot, now, ask.valid_for, error)
        return expired_error(self._name, snapshot.credentials, error)

    def _asked_in_vain(self, process: ProcessState) -> bool:
        """True where upstream was just asked to replace this refused generation."""
        backoff = process.backoff
        return backoff.refused_generation == self.snapshot.generation and self.monotonic() < backoff.retry_at

    def _held_or_raise(self, error: Exception | None) -> Credentials:
        snapshot = self.snapshot
        held = snapshot.credentials
        if error is not None:
            raise fresh_copy(error)
        if held is None:  # closed meanwhile
            raise self._closed_error()
        if not snapshot.remaining(self.monotonic()):
            raise expired_error(self._name, held, FetchError("they lived no longer than it took to fetch them"))
        return held

    # Fetching

    def _begin(
        self, process: ProcessState, *, valid_for: float = 0.0, rejected: Credentials | None = None
    ) -> InFlightFetch:
        """A new in_flight, under the process's lock: that is why there is only one."""
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
        process.in_flight = InFlightFetch(context, done=done, started=started, deadline=deadline, held=self.snapshot)
        process.fetches += 1
        return process.in_flight

    def _spawn(self, process: ProcessState, in_flight: InFlightFetch, *, may_block: bool = True) -> None:
        try:
            self._runtime.spawn(lambda: self._run(process, in_flight))
        except RuntimeError as error:  # no more threads, or the interpreter is on its way out
            if may_block:
                self._run(process, in_flight)
            else:
                self._complete(
                    process, in_flight, FetchError(f"No thread could be started to fetch credentials: {error}")
                )

    def _run(self, process: ProcessState, in_flight: InFlightFetch) -> None:
        outcome: Credentials | Exception
        try:
            outcome = ensure_credentials(self._fetch(in_flight.context), self._name)
        except RamRoleError as error:
            outcome = error.with_traceback(None)  # it would hold this frame, which holds it
        except BaseException as error:  # noqa: BLE001  # whatever a fetch does, nobody is left waiting
            # Of a foreign error only the class is told: its text may hold what no message of ours may.
            outcome = FetchError(f"{self._name} failed with {type(error).__name__}; see its own log for details.")
        self._complete(process, in_flight, outcome)

    def _complete(
        self, process: ProcessState, in_flight: InFlightFetch, outcome: Credentials | Exception, *, ago: float = 0.0
    ) -> None:
        """Take a fetch's outcome in: what is held changes here and nowhere else."""
        with process.lock:
            abandoned = process.in_flight is not in_flight
            if abandoned and (self._closed or isinstance(outcome, Exception) or self.snapshot is not in_flight.held):
                return
            if not abandoned:
                process.in_flight = None
            if isinstance(outcome, Credentials):
                outcome = (
                    self._closed_error() if self._closed else self._admit(process, in_flight, outcome, late=abandoned)
                )
            if isinstance(outcome, Exception) and not abandoned:
                if not self._closed:
                    self._note_failure(process, outcome, self.monotonic() - ago)
                in_flight.error = outcome
        try:
            self._note_state(process)
            process.queue.deliver()
        finally:
            self._schedule(process)
            in_flight.finish()

    def _admit(
        self, process: ProcessState, in_flight: InFlightFetch, new: Credentials, *, late: bool
    ) -> Credentials | Exception:
        """Replace what is held unless it is better; an error where what upstream gave is dead.

        What comes late, from an abandoned fetch, counts only where it is better: else the pause since that failed
        stands, or a source slower than the time limit would be asked in a loop.
        """
        now = self.monotonic()
        held, old = self.snapshot, self.snapshot.credentials
        expires_at = expiry_on_clock(new, in_flight.context, now, self._clock.time())
        if expires_at <= now:
            return FetchError(
                f"{self._name} gave credentials that had ended {now - expires_at:.0f} s before. "
                "Compare this machine's clock with the server's."
            )
        if should_keep_held(held, new, expires_at, now, in_flight.context.rejected):
            if not late:
                in_flight.unchanged = True
                self._note_unchanged(process, now)
                process.queue.fetched_unchanged(self._due(process) - now)
            return new
        self.snapshot = plan_snapshot(
            new,
            generation=held.generation + 1,
            fetched_at=now,
            checked_at=now,
            expires_at=expires_at,
            refetch_after=in_flight.context.refetch_after,
            policy=self._policy,
            random_fraction=self._runtime.random(),
        )
        failures = process.backoff.record_success()
        seconds = self._runtime.monotonic() - in_flight.started
        process.queue.fetched(new, generation=self.snapshot.generation, failures=failures, seconds=seconds)
        if old is not None and (old.identity, old.provider_name) != (new.identity, new.provider_name):
            process.queue.identity_changed(old, new)
        return new

    def _hold_again(self, checked_at: float) -> None:
        """The same credentials with windows drawn anew."""
        held = self.snapshot
        if held.credentials is not None:
            self.snapshot = plan_snapshot(
                held.credentials,
                generation=held.generation,
                fetched_at=held.fetched_at,
                checked_at=checked_at,
                expires_at=held.expires_at,
                refetch_after=held.refetch_after,
                policy=self._policy,
                random_fraction=self._runtime.random(),
            )

    def _note_unchanged(self, process: ProcessState, now: float) -> None:
        held = self.snapshot
        if now < held.expires_at - self._policy.advisory_left(held.life, 1.0):
            self._hold_again(now)  # far from the end, or none known: look again in a few hours or minutes
        process.backoff.record_unchanged(held, now, self._runtime.random())

    def _note_failure(self, process: ProcessState, error: Exception, now: float) -> None:
        held, backoff = self.snapshot, process.backoff
        backoff.record_failure(error, held, now, self._runtime.random())
        pause = max(0.0, backoff.retry_at - self.monotonic())
        left = None if held.credentials is None else held.remaining(now)
        process.queue.failed(error, failures=backoff.failures, pause=pause, left=left)

    def _give_up_if_overdue(self, in_flight: InFlightFetch) -> None:
        """Abandon a fetch that hangs, so that its waiters go and the next can start."""
        if in_flight.done() or self._runtime.monotonic() < in_flight.deadline:
            return
        process = self._process()
        if process.in_flight is in_flight:
            limit = self._policy.fetch_timeout
            text = f"{self._name} did not answer within fetch_timeout ({limit:g} s); that fetch was abandoned."
            # It failed when its time was over, whenever somebody comes and sees it: the pause counts from then.
            self._complete(process, in_flight, FetchTimeout(text), ago=self._runtime.monotonic() - in_flight.deadline)
        in_flight.finish()  # landed, but an event listener may be holding the one who landed it

    # Bookkeeping

    def _open_process(self) -> ProcessState:
        if self._closed:
            raise self._closed_error()
        process = self._process()
        in_flight = process.in_flight
        if in_flight is not None:  # perhaps one that all its waiters have left
            self._give_up_if_overdue(in_flight)
        return process

    def _closed_error(self) -> ConfigurationError:
        return ConfigurationError(f"This provider ({self._name}) was closed: make a new one, or close it later.")

    def _process(self) -> ProcessState:
        process_id = self._runtime.process_id()
        process = self._processes.get(process_id)
        if process is None:
            lock = self._runtime.lock()
            queue = EventQueue(self._name, self._clock, self._on_event, lock)
            new = ProcessState(lock, self._policy, queue, self.snapshot.state_at(self.monotonic()))
            new.backoff.record_inherited(self.snapshot, self.monotonic(), self._runtime.random())
            process = self._processes.setdefault(process_id, new)
            if process is new:
                self._move_in(process, process_id)
        return process

    def _move_in(self, process: ProcessState, process_id: int) -> None:
        """A process's first look: what its parent held is kept while it is valid, with a jitter of its own."""
        for other in [key for key in self._processes if key != process_id]:
            self._processes.pop(other, None)
        with process.lock:
            self._hold_again(self.snapshot.checked_at)
            process.state = self.snapshot.state_at(self.monotonic())
        self._schedule(process)

    def _due(self, process: ProcessState) -> float:
        """When the next fetch is due on this cache's clock; infinity while nothing is held."""
        return (
            math.inf if self.snapshot.credentials is None else max(self.snapshot.advisory_at, process.backoff.retry_at)
        )

    def _schedule(self, process: ProcessState) -> None:
        """Tell the refresher when to look here again: a fetch due, one overdue, or a change of state to deliver."""
        with process.lock:  # of two at once, the one that saw less must not have the last word
            if self._closed:
                return
            now = self.monotonic()
            snapshot, in_flight, when = self.snapshot, process.in_flight, self._due(process)
            if in_flight is not None and when != math.inf:
                when = now + max(0.01, in_flight.deadline - self._runtime.monotonic())
            when = min(when, snapshot.next_transition(now))
            # What may be used for ever needs no thread that waits for it: readers have it looked at again.
            if when == math.inf or (in_flight is None and not snapshot.ends):
                self._refresher.forget(self)
            else:
                process.refresher_alive = self._refresher.schedule(self, when)

    def _note_state(self, process: ProcessState) -> None:
        """Tell a change of state, once, whoever sees it first."""
        if self.snapshot.state_at(self.monotonic()) == process.state:
            return
        with process.lock:
            snapshot, old = self.snapshot, process.state
            new = process.state = snapshot.state_at(self.monotonic())
            if new != old:
                process.queue.state_changed(old, new, ends=snapshot.expires_at < math.inf)
        process.queue.deliver()


_caches: weakref.WeakSet[CredentialCache] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    THREADS.after_fork_in_child()
    for cache in list(_caches):
        cache.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # one handler for all caches, not one each: those could never be taken back
    os.register_at_fork(after_in_child=_after_fork_in_child)
