"""What a cache does next, as pure functions of all that is known at one instant.

`decide` is the table of docs/architecture.md: it may be asked any number of times, so the cache asks it again whenever
another thread changed the state in between. Nothing here reads a clock, draws a number or waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ramrole_creds._cache.backoff import FREE_HANGING_FETCHES
from ramrole_creds._cache.errors import (
    closed_error,
    expired_error,
    fresh_copy,
    hanging_error,
    lifetime_error,
    never_usable_error,
    reentry_error,
    wait_error,
)
from ramrole_creds._cache.snapshot import ADVISORY, FRESH
from ramrole_creds._cache.state import MAX_HANGING_FETCHES
from ramrole_creds.credentials import same_keys
from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds._cache.state import CacheState
    from ramrole_creds.credentials import Credentials

MAX_FETCHES_PER_CALL = 3


class View(NamedTuple):
    """All that is known at one instant.

    Args:
        state: what is held and what happened before.
        now: seconds of the cache's clock.
        real_now: the runtime's seconds, in which timeouts are measured.
        own: True where the fetch in flight cannot end before the asking thread goes on.
        policy: windows and delays.
        name: of the source, for errors.
    """

    state: CacheState
    now: float
    real_now: float
    own: bool
    policy: RefreshPolicy
    name: str


class Ask(NamedTuple):
    """What one call wants and what it has waited for so far.

    Args:
        valid_for: seconds that the credentials must still live.
        deadline: end of the caller's wait, in the runtime's seconds.
        waited: it has waited briefly, and takes what is valid.
        for_result: it waits for the outcome of a fetch, since nothing held suffices.
        landed: that fetch has ended.
        error: with which it ended.
        unchanged: it returned nothing better.
        fetches: how many fetches this call waited for.
    """

    valid_for: float = 0.0
    deadline: float = float("inf")
    waited: bool = False
    for_result: bool = False
    landed: bool = False
    error: Exception | None = None
    unchanged: bool = False
    fetches: int = 0


class Serve(NamedTuple):
    """Return these; `wake`: the refresher is late, wake it."""

    credentials: Credentials
    wake: bool = False


class Fail(NamedTuple):
    """Raise this; `too_short`: remember the longest life that the source has for the held generation."""

    error: Exception
    too_short: float | None = None


class Join(NamedTuple):
    """Wait for the fetch in flight: for its outcome, or `brief`ly."""

    brief: bool


class Start(NamedTuple):
    """Start a fetch and wait for it as in `Join`."""

    brief: bool


Decision = Serve | Fail | Join | Start


def decide(view: View, ask: Ask) -> Decision:
    """What a call of `get` does next."""
    state, now = view.state, view.now
    if state.closed:
        return Fail(closed_error(view.name))
    snapshot = state.snapshot
    held = snapshot.credentials
    if held is None or now >= snapshot.expires_at or snapshot.expires_at - now < ask.valid_for:
        return _decide_insufficient(view, ask)
    kind = snapshot.state_at(now)
    if kind == FRESH or ask.waited or view.own:
        return Serve(held)
    return _decide_advisory(view, held) if kind == ADVISORY else _decide_mandatory(view, held)


def _decide_advisory(view: View, held: Credentials) -> Decision:
    """Nobody waits: the refresher fetches. A reader wakes it when it sleeps, and takes its place when it is late."""
    state, now = view.state, view.now
    due = state.due
    if state.in_flight is not None or now < due or _hangs(view):
        return Serve(held)
    snapshot = state.snapshot
    unchecked = snapshot.advisory_at - snapshot.checked_at
    window = min(snapshot.expires_at - snapshot.advisory_at, view.policy.advisory_window, unchecked)
    if state.refresher_alive and now - due <= window / 2:
        return Serve(held, wake=state.woken_for != due)
    # This one reader gives the worker a moment to run: a server without threads gives it none otherwise.
    return Start(brief=True)


def _decide_mandatory(view: View, held: Credentials) -> Decision:
    """Wait briefly for the fetch in flight; start one if there is none and none failed a moment ago."""
    state = view.state
    if state.in_flight is not None:
        return Join(brief=True)
    if view.now < state.backoff.retry_at or _hangs(view):
        return Serve(held)
    return Start(brief=True)


def _decide_insufficient(view: View, ask: Ask) -> Decision:
    """Nothing held suffices: wait for a fetch, at most as long as the caller likes."""
    state = view.state
    if ask.landed:
        verdict = _judge_landed(view, ask)
        if verdict is not None:
            return verdict
    elif ask.for_result and view.real_now >= ask.deadline:
        return Fail(wait_error(view.name))
    if state.in_flight is not None or (ask.for_result and not ask.landed):
        return Fail(reentry_error(view.name)) if view.own else Join(brief=False)
    error = _known_failure(view, ask)
    if error is None and _hangs(view):
        error = _failure(hanging_error(view.name, len(state.hanging)), view, ask)
    return Start(brief=False) if error is None else Fail(error)


def _judge_landed(view: View, ask: Ask) -> Fail | None:
    """The failure of the fetch that was waited for; None where the caller may ask again."""
    snapshot, now = view.state.snapshot, view.now
    if ask.error is not None:
        return Fail(_failure(ask.error, view, ask))
    if snapshot.remaining(now):
        # Fetched, and still too short. Fetched anew they live no longer; repeated ones do not get better.
        error = lifetime_error(view.name, snapshot, now, ask.valid_for, None)
        return Fail(error, too_short=0.0 if ask.unchanged else snapshot.life)
    if ask.fetches >= MAX_FETCHES_PER_CALL:
        return Fail(never_usable_error(view.name, ask.fetches))
    return None


def _known_failure(view: View, ask: Ask) -> Exception | None:
    """What a fetch now would only find again."""
    snapshot, backoff, now = view.state.snapshot, view.state.backoff, view.now
    backing_off = now < backoff.retry_at
    if snapshot.remaining(now):
        generation, longest = backoff.too_short
        known = generation == snapshot.generation and ask.valid_for > longest and now < snapshot.next_issue_at
        if known or backing_off:
            return lifetime_error(view.name, snapshot, now, ask.valid_for, backoff.error)
    elif backing_off and backoff.error is not None:
        return _failure(backoff.error, view, ask)
    return None


def _failure(error: Exception, view: View, ask: Ask) -> Exception:
    snapshot = view.state.snapshot
    if snapshot.credentials is None:
        return fresh_copy(error)
    if snapshot.remaining(view.now):
        return lifetime_error(view.name, snapshot, view.now, ask.valid_for, error)
    return expired_error(view.name, snapshot.credentials, error)


def decide_refresh(view: View, rejected: Credentials | None) -> Decision:
    """What a call of `refresh` does next; it waits for the outcome."""
    state, now = view.state, view.now
    if state.closed:
        return Fail(closed_error(view.name))
    if rejected is not None:
        held = state.snapshot.credentials
        if held is not None and state.snapshot.remaining(now) > 0 and not same_keys(held, rejected):
            return Serve(held)
        if state.backoff.refused_generation == state.snapshot.generation and now < state.backoff.retry_at:
            return decide_forced(view, state.backoff.error)
    if state.in_flight is not None:
        return Fail(reentry_error(view.name)) if view.own else Join(brief=False)
    if _hangs(view):
        return Fail(hanging_error(view.name, len(state.hanging)))
    return Start(brief=False)


def decide_forced(view: View, error: Exception | None) -> Serve | Fail:
    """What a forced fetch that ended with `error`, or with none, leaves for its caller."""
    snapshot = view.state.snapshot
    held = snapshot.credentials
    if error is not None:
        return Fail(fresh_copy(error))
    if held is None or view.state.closed:  # closed meanwhile
        return Fail(closed_error(view.name))
    if not snapshot.remaining(view.now):
        return Fail(expired_error(view.name, held, FetchError("they had expired before they could be used")))
    return Serve(held)


def decide_due(view: View) -> bool:
    """Whether the refresher starts a fetch now."""
    state = view.state
    return not state.closed and state.in_flight is None and state.due <= view.now and not _hangs(view)


def _hangs(view: View) -> bool:
    """True where too many abandoned fetches have not returned for another to start now."""
    hanging = len(view.state.hanging)
    return hanging >= MAX_HANGING_FETCHES or (
        hanging >= FREE_HANGING_FETCHES and view.now < view.state.backoff.retry_at
    )
