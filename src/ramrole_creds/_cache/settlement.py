"""What a fetch's outcome changes: a pure function of the state, the outcome and the clocks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ramrole_creds._cache.clocks import LEAP_SECONDS
from ramrole_creds._cache.errors import ended_error, fresh_copy
from ramrole_creds._cache.notifications import Happening
from ramrole_creds._cache.replacement import Reckoning, reckon_expiry, server_time_fits, should_keep_held
from ramrole_creds._cache.snapshot import plan_snapshot, replan_snapshot
from ramrole_creds.credentials import Credentials, shorten_id, shown_identity

if TYPE_CHECKING:
    from ramrole_creds._cache.backoff import Backoff
    from ramrole_creds._cache.decisions import View
    from ramrole_creds._cache.snapshot import Snapshot

CLOCK_TOLERANCE_SECONDS = 5.0
LONG_PAST_SECONDS = 300.0
MIN_SESSION_SECONDS = 900.0
"""The shortest session that STS issues."""


class Outcome(NamedTuple):
    """What a fetch brought.

    Args:
        result: Credentials, or the error that the fetch raised.
        wall: Unix seconds by the local clock, at the view's instant.
        seconds: how long the fetch took.
        ago: seconds since it failed.
        late: it was abandoned before it returned.
        rejected: the credentials that a service rejected, where that is why it was made.
        server_time: Unix seconds by the server, and the cache's clock at that moment.
        refetch_after: seconds after which the source asks to be fetched again.
        issued_anew: the source was asked twice in a row and returned others the second time, so it issues at each call.
        random_fractions: two random numbers between 0 and 1.
        valid_for: seconds that the credentials must live for the call that it was made for.
    """

    result: Credentials | Exception
    wall: float
    seconds: float = 0.0
    ago: float = 0.0
    late: bool = False
    rejected: Credentials | None = None
    server_time: tuple[float, float] | None = None
    refetch_after: float | None = None
    issued_anew: bool = False
    random_fractions: tuple[float, float] = (0.5, 0.5)
    valid_for: float = 0.0


class Replaced(NamedTuple):
    """New credentials are held."""

    snapshot: Snapshot
    backoff: Backoff
    happenings: tuple[Happening, ...]


class Kept(NamedTuple):
    """The source returned nothing better; a late outcome changes nothing at all."""

    snapshot: Snapshot
    backoff: Backoff
    happenings: tuple[Happening, ...]


class Failed(NamedTuple):
    """The fetch failed, or returned credentials that had expired."""

    error: Exception
    snapshot: Snapshot
    backoff: Backoff
    happenings: tuple[Happening, ...]


Settlement = Replaced | Kept | Failed


def settle(view: View, outcome: Outcome) -> Settlement:
    """What becomes of the state.

    A late outcome, of an abandoned fetch, counts only where it is better: otherwise the delay since the abandoned
    fetch failed stands, or a source slower than the time limit would be asked in a loop.
    """
    held = view.state.snapshot
    if not isinstance(outcome.result, Credentials):
        return _failed(view, outcome, outcome.result)
    new, now = outcome.result, view.now
    reckoning = _reckoned(held, outcome, new, now)
    if reckoning.expires_at <= now:
        error = ended_error(view.name, now - reckoning.expires_at)
        return _failed(view, outcome, error, ended=reckoning.certain and _ends_no_later(held, new))
    if should_keep_held(held, new, now, outcome.rejected):
        return _kept(view, outcome, new, reckoning)
    return _replaced(view, outcome, new, reckoning)


def _ends_no_later(held: Snapshot, new: Credentials) -> bool:
    old = held.credentials
    if old is None or old.expiration is None or new.expiration is None:
        return False
    return old.expiration <= new.expiration


def needs_second_look(held: Snapshot, outcome: Outcome, now: float) -> bool:
    """True where only the local clock finds them long past, and the source must be asked again at once.

    An old file and a clock that is ahead look the same after one answer. A source that returns other credentials the
    second time issues them at each call, so they live.
    """
    if not isinstance(outcome.result, Credentials):
        return False
    reckoning = _reckoned(held, outcome, outcome.result, now)
    return not reckoning.certain and reckoning.expires_at <= now - LONG_PAST_SECONDS


def _reckoned(held: Snapshot, outcome: Outcome, new: Credentials, now: float) -> Reckoning:
    """When they end; where only the local clock is left, and finds them past or absurdly far, by what else is known.

    The held ones end at a known moment, or the source issues new ones at each call. Otherwise those that are past are
    not used: what has expired is never returned.
    """
    reckoning = reckon_expiry(new, outcome.server_time, now, outcome.wall)
    if reckoning.certain or new.expiration is None:
        return reckoning
    old = held.credentials
    if old is not None and old.expiration is not None and new.expiration >= old.expiration:
        by_held = held.expires_at + (new.expiration - old.expiration).total_seconds()
        if by_held > now:
            return Reckoning(by_held, certain=False)
    return Reckoning(now + MIN_SESSION_SECONDS, certain=False) if outcome.issued_anew else reckoning


def _replaced(view: View, outcome: Outcome, new: Credentials, reckoning: Reckoning) -> Replaced:
    held, old = view.state.snapshot, view.state.snapshot.credentials
    snapshot = plan_snapshot(
        new,
        generation=held.generation + 1,
        fetched_at=view.now,
        checked_at=view.now,
        expires_at=reckoning.expires_at,
        refetch_after=outcome.refetch_after,
        wall_offset=outcome.wall - view.now,
        policy=view.policy,
        random_fraction=outcome.random_fractions[0],
        certain=reckoning.certain,
        earlier_offset=_earlier_offset(held, new, outcome, view.now),
    )
    backoff = view.state.backoff
    failures, backoff = backoff.failures, backoff.after_success()
    if held.certain and not reckoning.certain and not held.doubtful:  # a second look that finds the same is believed
        snapshot = snapshot.doubted()
        backoff = backoff.after_unchanged(view.policy, snapshot, view.now, outcome.random_fractions[1])
    happenings = [
        Happening(
            "Fetched",
            outcome.wall,
            generation=snapshot.generation,
            access_key_id=shorten_id(new.access_key_id),
            identity=new.identity,
            source=new.provider_name or view.name,
            expiration=new.expiration,
            seconds=outcome.seconds,
            failures_before=failures,
        )
    ]
    if old is not None and (old.identity, old.provider_name) != (new.identity, new.provider_name):
        happenings.append(
            Happening(
                "IdentityChanged",
                outcome.wall,
                old_identity=shown_identity(old),
                new_identity=shown_identity(new),
                old_source=old.provider_name,
                new_source=new.provider_name,
            )
        )
    return Replaced(snapshot, backoff, tuple(happenings))


def _kept(view: View, outcome: Outcome, new: Credentials, reckoning: Reckoning) -> Kept:
    held, backoff, now = view.state.snapshot, view.state.backoff, view.now
    if outcome.late:
        return Kept(held, backoff, ())
    snapshot = _checked_again(view, outcome, new, reckoning)
    backoff = backoff.after_unchanged(view.policy, snapshot, now, outcome.random_fractions[1])
    due = max(snapshot.advisory_at, backoff.retry_at)
    return Kept(
        snapshot,
        backoff,
        (Happening("FetchedUnchanged", outcome.wall, next_attempt_in=due - now, seconds=outcome.seconds),),
    )


def _checked_again(view: View, outcome: Outcome, new: Credentials, reckoning: Reckoning) -> Snapshot:
    """The held credentials with new deadlines, where the check says something about them."""
    held, now = view.state.snapshot, view.now
    expires_at, certain = held.expires_at, held.certain
    again = held.credentials is not None and held.credentials.expiration == new.expiration
    better_clock = held.doubtful or outcome.server_time is not None
    if again and better_clock and abs(reckoning.expires_at - expires_at) > CLOCK_TOLERANCE_SECONDS:
        expires_at, certain = reckoning.expires_at, reckoning.certain
    far_from_the_end = now < expires_at - view.policy.advisory_left(held.life, 1.0)
    if not far_from_the_end and not held.doubtful and expires_at == held.expires_at:
        return held  # only the delay counts here
    return replan_snapshot(
        held,
        checked_at=now,
        expires_at=expires_at,
        wall_offset=outcome.wall - now,
        policy=view.policy,
        random_fraction=outcome.random_fractions[0],
        certain=certain,
        earlier_offset=_earlier_offset(held, new, outcome, now),
    )


def _earlier_offset(held: Snapshot, new: Credentials, outcome: Outcome, now: float) -> float:
    """The offset of the wall clock before it leapt; NaN where the server's time is believed, or without a leap."""
    if new.expiration is None or server_time_fits(new.expiration.timestamp(), outcome.server_time, now):
        return math.nan
    leapt = abs(outcome.wall - now - held.wall_offset) > LEAP_SECONDS
    return held.wall_offset if leapt else held.earlier_offset


def _failed(view: View, outcome: Outcome, error: Exception, *, ended: bool = False) -> Failed:
    held, backoff = view.state.snapshot, view.state.backoff
    if outcome.late:
        return Failed(error, held, backoff, ())
    if ended:  # then so have the held ones, whatever our clock says
        held = replace(held, expires_at=min(held.expires_at, view.now))
    failed_at = view.now - outcome.ago
    backoff = backoff.after_failure(view.policy, fresh_copy(error), held, failed_at, outcome.random_fractions[1])
    happening = Happening(
        "FetchFailed",
        outcome.wall,
        error=error,
        owner=held.credentials.identity if held.credentials is not None else None,
        failures=backoff.failures,
        next_attempt_in=max(0.0, backoff.retry_at - view.now),
        seconds=outcome.seconds,
        seconds_left=None if held.credentials is None else held.remaining(failed_at),
    )
    return Failed(error, held, backoff, (happening,))
