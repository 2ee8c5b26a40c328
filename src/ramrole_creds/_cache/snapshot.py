"""What a cache holds: credentials, and the moments at which they change state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds.credentials import Credentials

UNKNOWN_EXPIRY_REFETCH_SECONDS = 300.0
MAX_UNCHECKED_SECONDS = 6 * 3600.0
OVERLAP_SECONDS = 1800.0
OVERLAP_FRACTION = 1 / 3
LAST_TRY_SECONDS = 0.5
LAST_TRY_FRACTION = 0.02

EMPTY, FRESH, ADVISORY, MANDATORY, EXPIRED = "empty", "fresh", "advisory", "mandatory", "expired"
STATES = (EMPTY, FRESH, ADVISORY, MANDATORY, EXPIRED)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Snapshot:
    """Credentials and their deadlines, in seconds of the cache's clock; replaced as a whole, never changed.

    Freshness ("need not be fetched", until `advisory_at`) and usability ("valid now", until `expires_at`) are two
    questions.

    Args:
        credentials: what is held, None for nothing.
        generation: 1 for the first credentials, one more for each replacement.
        fetched_at: when they were fetched.
        checked_at: when the source last returned these credentials.
        fresh_until: `advisory_at`, or minus infinity where the fast path must not serve them before a check, as after
            a fork.
        advisory_at: when the advisory window opens.
        mandatory_at: when the mandatory window opens.
        expires_at: when they end.
        refetch_after: seconds between two fetches of credentials without a known expiry, infinity for never; None for
            credentials that have one.
        wall_offset: wall clock minus the cache's clock at the check; NaN for nothing held.
        doubtful: True where the clocks leave it open when they end: they are treated as in the mandatory window.
        certain: False if no clock shows when they expire.
        earlier_offset: `wall_offset` before the wall clock leapt, where no server shows which of the two is right.
    """

    credentials: Credentials | None
    generation: int
    fetched_at: float
    checked_at: float
    fresh_until: float
    advisory_at: float
    mandatory_at: float
    expires_at: float
    refetch_after: float | None = None
    wall_offset: float = math.nan
    doubtful: bool = False
    certain: bool = True
    earlier_offset: float = math.nan

    @property
    def expires(self) -> bool:
        """False for a long-term key, which does not expire, and if nothing is held."""
        held = self.credentials
        return held is not None and (held.expiration is not None or held.security_token is not None)

    @property
    def life(self) -> float:
        """Seconds of life when they were fetched."""
        return self.expires_at - self.fetched_at

    def remaining(self, now: float) -> float:
        """Seconds of life left, 0 when there is none."""
        return 0.0 if self.credentials is None else max(0.0, self.expires_at - now)

    def state_at(self, now: float) -> str:
        """The state of a cache that holds this snapshot."""
        if self.credentials is None:
            return EMPTY
        if now >= self.expires_at:
            return EXPIRED
        if now < self.advisory_at:
            return FRESH
        return ADVISORY if now < self.mandatory_at else MANDATORY

    @property
    def next_issue_at(self) -> float:
        """When the source may issue the next credentials: those that issue ahead do so 30 minutes before the end."""
        return min(self.advisory_at, self.expires_at - min(OVERLAP_SECONDS, OVERLAP_FRACTION * self.life))

    def next_transition(self, now: float) -> float:
        """When the state changes next because time passes; infinity where it does not."""
        for boundary in (self.advisory_at, self.mandatory_at, self.expires_at):
            if now < boundary:
                return boundary
        return math.inf

    def last_try_before(self, retry_at: float, now: float) -> float:
        """`retry_at`, moved up so that one attempt is made just before expiry and one at expiry."""
        last_try = self.expires_at - min(LAST_TRY_SECONDS, LAST_TRY_FRACTION * self.life)
        for moment in (last_try, self.expires_at):
            if now < moment < retry_at:
                return moment
        return retry_at

    def needing_recheck(self) -> Snapshot:
        """The same, to be looked at on the slow path once before the fast path serves it again."""
        return replace(self, fresh_until=-math.inf)

    def doubted(self) -> Snapshot:
        """The same, treated as in the mandatory window until the source was asked again."""
        start = -math.inf
        return replace(self, fresh_until=start, advisory_at=start, mandatory_at=start, doubtful=True)


NO_SNAPSHOT = Snapshot(None, 0, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf)


def plan_snapshot(  # noqa: PLR0913  # each is a deadline or what it is computed from
    credentials: Credentials,
    *,
    generation: int,
    fetched_at: float,
    checked_at: float,
    expires_at: float,
    refetch_after: float | None,
    wall_offset: float,
    policy: RefreshPolicy,
    random_fraction: float,
    certain: bool = True,
    earlier_offset: float = math.nan,
) -> Snapshot:
    """The deadlines of credentials that end at `expires_at` (infinity: never, or unknown).

    A security token of unknown expiry is fetched again a few minutes after it was last checked, a long-term key only
    where its source asks for it with `refetch_after`. Credentials that expire far in the future are checked every few
    hours, since the clock that their end was computed with may be wrong; an end that is not certain counts as unknown.
    Where the wall clock leapt, it may have been right before: they are fetched again before they end by that clock too.
    """
    if credentials.expiration is None:
        seconds = refetch_after
        if seconds is None:
            seconds = math.inf if credentials.security_token is None else UNKNOWN_EXPIRY_REFETCH_SECONDS
        again = checked_at + (seconds * (1 - policy.jitter * random_fraction) if seconds < math.inf else seconds)
        advisory_at, mandatory_at, expires_at = again, math.inf, math.inf
    else:
        seconds = None
        life = expires_at - fetched_at
        window = policy.advisory_left(life, random_fraction)
        unchecked = MAX_UNCHECKED_SECONDS if certain else UNKNOWN_EXPIRY_REFETCH_SECONDS
        advisory_at = min(expires_at - window, checked_at + unchecked)
        earlier_life = credentials.expiration.timestamp() - earlier_offset - checked_at
        if earlier_life > 0:  # not so for NaN
            earlier_life -= policy.advisory_left(earlier_life, random_fraction)
            advisory_at = min(advisory_at, checked_at + max(earlier_life, UNKNOWN_EXPIRY_REFETCH_SECONDS))
        mandatory_at = expires_at - policy.mandatory_left(life)
    return Snapshot(
        credentials,
        generation,
        fetched_at,
        checked_at,
        advisory_at,
        advisory_at,
        mandatory_at,
        expires_at,
        refetch_after=seconds,
        wall_offset=wall_offset,
        certain=certain,
        earlier_offset=earlier_offset,
    )


def replan_snapshot(
    held: Snapshot,
    *,
    checked_at: float,
    expires_at: float,
    wall_offset: float,
    policy: RefreshPolicy,
    random_fraction: float,
    certain: bool,
    earlier_offset: float,
) -> Snapshot:
    """The same credentials with new deadlines, no longer in doubt."""
    if held.credentials is None:
        return held
    return plan_snapshot(
        held.credentials,
        generation=held.generation,
        fetched_at=held.fetched_at,
        checked_at=checked_at,
        expires_at=expires_at,
        refetch_after=held.refetch_after,
        wall_offset=wall_offset,
        policy=policy,
        random_fraction=random_fraction,
        certain=certain,
        earlier_offset=earlier_offset,
    )
