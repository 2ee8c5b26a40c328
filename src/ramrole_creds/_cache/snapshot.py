"""What a cache holds: credentials, and the moments at which they change state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds.credentials import Credentials

UNKNOWN_EXPIRY_REFETCH_SECONDS = 300.0
MAX_UNASKED_SECONDS = 6 * 3600.0
OVERLAP_SECONDS = 1800.0
OVERLAP_FRACTION = 1 / 3
LAST_TRY_SECONDS = 0.5
LAST_TRY_FRACTION = 0.02

EMPTY, FRESH, ADVISORY, MANDATORY, EXPIRED = "empty", "fresh", "advisory", "mandatory", "expired"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Snapshot:
    """Credentials and their deadlines, in seconds of the cache's clock; replaced as a whole, never changed.

    Freshness ("need not be fetched", until `advisory_at`) and usability ("valid now", until `expires_at`) are two
    questions. `checked_at` is when upstream last gave these credentials. `fresh_until` is `advisory_at` but in a
    snapshot that must be looked at once more before it is served on the fast path, as after a fork, where it is minus
    infinity. `refetch_after` is after how many seconds what has no known end is asked for again, infinity for never;
    None for what ends.
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

    @property
    def ends(self) -> bool:
        """False for what may be used for ever: a long-term key."""
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
        """The state a cache with this snapshot is in."""
        if self.credentials is None:
            return EMPTY
        if now < self.advisory_at:
            return FRESH
        if now < self.mandatory_at:
            return ADVISORY
        return MANDATORY if now < self.expires_at else EXPIRED

    @property
    def next_issue_at(self) -> float:
        """When upstream may begin to issue the next ones: a source that issues ahead does so 30 minutes before."""
        return min(self.advisory_at, self.expires_at - min(OVERLAP_SECONDS, OVERLAP_FRACTION * self.life))

    def next_transition(self, now: float) -> float:
        """When the state changes next by the mere passing of time; infinity where it does not."""
        for boundary in (self.advisory_at, self.mandatory_at, self.expires_at):
            if now < boundary:
                return boundary
        return math.inf

    def last_try_before(self, retry_at: float, now: float) -> float:
        """`retry_at`, moved up so that one try is made just before expiry, and one when it has come."""
        last_try = self.expires_at - min(LAST_TRY_SECONDS, LAST_TRY_FRACTION * self.life)
        for moment in (last_try, self.expires_at):
            if now < moment < retry_at:
                return moment
        return retry_at

    def needing_recheck(self) -> Snapshot:
        """The same, to be looked at once before it is served on the fast path again."""
        return replace(self, fresh_until=-math.inf)


NO_SNAPSHOT = Snapshot(None, 0, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf)


def plan_snapshot(
    credentials: Credentials,
    *,
    generation: int,
    fetched_at: float,
    checked_at: float,
    expires_at: float,
    refetch_after: float | None,
    policy: RefreshPolicy,
    random_fraction: float,
) -> Snapshot:
    """The deadlines of credentials that end at `expires_at` (infinity: never, or unknown).

    A security token of unknown expiry is fetched again every few minutes after upstream was last looked at, a
    long-term key only where its source asks for it with `refetch_after`; far expiries are looked at every few hours
    too, since the clock that they were reckoned by may be wrong.
    """
    if credentials.expiration is None:
        seconds = refetch_after
        if seconds is None:
            seconds = math.inf if credentials.security_token is None else UNKNOWN_EXPIRY_REFETCH_SECONDS
        again = checked_at + (seconds * (1 - policy.jitter * random_fraction) if seconds < math.inf else seconds)
        return Snapshot(credentials, generation, fetched_at, checked_at, again, again, math.inf, math.inf, seconds)
    life = expires_at - fetched_at
    advisory_at = min(expires_at - policy.advisory_left(life, random_fraction), checked_at + MAX_UNASKED_SECONDS)
    mandatory_at = expires_at - policy.mandatory_left(life)
    return Snapshot(credentials, generation, fetched_at, checked_at, advisory_at, advisory_at, mandatory_at, expires_at)
