"""When to fetch: the windows of a credential's life and the pauses between tries, as pure arithmetic.

Windows are proportions of the life that was left when the credential was fetched, with a ceiling. The metadata
service issues the next credential 30 minutes before the old one ends and repeats the old one before that: earlier is
useless and later wastes the overlap. A fixed window would refetch 15-minute sessions at every call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials

PREFETCH_PART = 0.25
MANDATORY_PART = 0.08
UNKNOWN_EXPIRY_REFETCH_SECONDS = 300.0
LONGEST_UNASKED_SECONDS = 6 * 3600.0
LEAST_PAUSE_CEILING_SECONDS = 15.0
OVERLAP_SECONDS = 1800.0
OVERLAP_PART = 1 / 3
LAST_TRY_SECONDS = 0.5
LAST_TRY_PART = 0.02

EMPTY, FRESH, PREFETCH, EXPIRING, EXPIRED = "empty", "fresh", "prefetch", "expiring", "expired"


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When a cache fetches, how long it lets callers wait, and how it paces itself after failures.

    All values are seconds but `jitter`.

    Args:
        prefetch_window: ceiling of the window before expiry in which the background refresher fetches; the window
            is this or a quarter of the life, whichever is shorter.
        mandatory_window: ceiling of the window in which callers wait briefly for the fetch in flight; this or 8 %
            of the life.
        jitter: by which part, at most, the prefetch window is made wider, so that many processes do not ask at once.
        retry_initial: shortest pause after a failure.
        retry_max: longest pause while much life is left.
        wait_bound: how long a reader in the mandatory window waits for a fetch in flight.
        fetch_timeout: time limit of one fetch; one that takes longer is abandoned.

    Raises:
        ConfigurationError: a value is negative, not finite, or contradicts another.
    """

    prefetch_window: float = 1500.0
    mandatory_window: float = 300.0
    jitter: float = 0.1
    retry_initial: float = 1.0
    retry_max: float = 300.0
    wait_bound: float = 0.25
    fetch_timeout: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _require_seconds(field.name, getattr(self, field.name))
        if self.mandatory_window > self.prefetch_window:
            raise ConfigurationError(
                f"mandatory_window ({self.mandatory_window:g} s) is longer than prefetch_window "
                f"({self.prefetch_window:g} s): the prefetch window must open first. Lower mandatory_window too."
            )
        if self.jitter > 1:
            raise ConfigurationError(f"jitter is a part of the prefetch window, 0 to 1, not {self.jitter:g}.")
        if self.retry_initial <= 0:
            raise ConfigurationError("retry_initial must be above 0, else a failing source would be asked in a loop.")
        if self.retry_max < self.retry_initial:
            raise ConfigurationError(
                f"retry_max ({self.retry_max:g} s) is shorter than retry_initial ({self.retry_initial:g} s)."
            )
        if self.fetch_timeout <= 0:
            raise ConfigurationError("fetch_timeout must be above 0: no fetch could ever succeed.")

    def prefetch_left(self, life: float, draw: float) -> float:
        """Seconds before expiry at which the prefetch window opens; `draw` in [0, 1) widens it by the jitter."""
        return min(self.prefetch_window, PREFETCH_PART * life) * (1 + self.jitter * draw)

    def mandatory_left(self, life: float) -> float:
        """Seconds before expiry at which the mandatory window opens."""
        return min(self.mandatory_window, MANDATORY_PART * life)

    def pause_ceiling(self, left: float) -> float:
        """Longest pause with `left` seconds of life: slow while much is left, quick near the end."""
        return min(self.retry_max, max(LEAST_PAUSE_CEILING_SECONDS, left / 10))

    def pause_after_failure(self, failures: int, left: float, draw: float) -> float:
        """Seconds to the next try after so many failures in a row, with `left` seconds of life."""
        # 2^60 s is beyond any ceiling; a larger exponent would only overflow.
        grown = self.retry_initial * 2.0 ** min(failures, 60)
        return max(self.retry_initial, draw * min(grown, self.pause_ceiling(left)))

    def pause_after_unchanged(self, left: float, draw: float) -> float:
        """Seconds to the next try after upstream gave the same credentials again inside the prefetch window."""
        return max(self.retry_initial, (0.5 + draw / 2) * min(self.retry_max, left / 10))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Snapshot:
    """Credentials and their deadlines, in seconds of the cache's clock; replaced as a whole, never changed.

    Freshness ("need not be fetched", until `prefetch_at`) and usability ("valid now", until `expires_at`) are two
    questions. `looked_at` is when upstream last gave these credentials. `fresh_until` is `prefetch_at` but in a
    snapshot that must be looked at once more before it is served on the fast path, as after a fork, where it is minus
    infinity. `refetch_after` is after how many seconds what has no known end is asked for again, infinity for never;
    None for what ends.
    """

    credentials: Credentials | None
    generation: int
    fetched_at: float
    looked_at: float
    fresh_until: float
    prefetch_at: float
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

    def left_at(self, now: float) -> float:
        """Seconds of life left, 0 when there is none."""
        return 0.0 if self.credentials is None else max(0.0, self.expires_at - now)

    def state_at(self, now: float) -> str:
        """The state a cache with this snapshot is in."""
        if self.credentials is None:
            return EMPTY
        if now < self.prefetch_at:
            return FRESH
        if now < self.mandatory_at:
            return PREFETCH
        return EXPIRING if now < self.expires_at else EXPIRED

    @property
    def next_issue_at(self) -> float:
        """When upstream may begin to issue the next ones: a source that issues ahead does so 30 minutes before."""
        return min(self.prefetch_at, self.expires_at - min(OVERLAP_SECONDS, OVERLAP_PART * self.life))

    def next_boundary(self, now: float) -> float:
        """When the state changes next by the mere passing of time; infinity where it does not."""
        for boundary in (self.prefetch_at, self.mandatory_at, self.expires_at):
            if now < boundary:
                return boundary
        return math.inf

    def last_try_before(self, not_before: float, now: float) -> float:
        """`not_before`, moved up so that one try is made just before expiry, and one when it has come."""
        last_try = self.expires_at - min(LAST_TRY_SECONDS, LAST_TRY_PART * self.life)
        for moment in (last_try, self.expires_at):
            if now < moment < not_before:
                return moment
        return not_before

    def unproven(self) -> Snapshot:
        """The same, to be looked at once before it is served on the fast path again."""
        return replace(self, fresh_until=-math.inf)


NO_SNAPSHOT = Snapshot(None, 0, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf, -math.inf)


def plan_snapshot(
    credentials: Credentials,
    *,
    generation: int,
    fetched_at: float,
    looked_at: float,
    expires_at: float,
    refetch_after: float | None,
    policy: RefreshPolicy,
    draw: float,
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
        again = looked_at + (seconds * (1 - policy.jitter * draw) if seconds < math.inf else seconds)
        return Snapshot(credentials, generation, fetched_at, looked_at, again, again, math.inf, math.inf, seconds)
    life = expires_at - fetched_at
    prefetch_at = min(expires_at - policy.prefetch_left(life, draw), looked_at + LONGEST_UNASKED_SECONDS)
    mandatory_at = expires_at - policy.mandatory_left(life)
    return Snapshot(credentials, generation, fetched_at, looked_at, prefetch_at, prefetch_at, mandatory_at, expires_at)


def _require_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        unit = "" if name == "jitter" else " of seconds"
        raise ConfigurationError(f"{name} must be a number{unit}, 0 or more, not {value!r}.")
