"""What the last fetches returned, and how soon the next may start."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ramrole_creds.errors import NoCredentialsError, ProviderUnavailable

if TYPE_CHECKING:
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds._cache.snapshot import Snapshot

MIN_REMEMBERED_SECONDS = 1.0
MAX_REMEMBERED_SECONDS = 5.0
FREE_HANGING_FETCHES = 4
MIN_HANGING_DELAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Backoff:
    """The memory of the last fetches; replaced as a whole, never changed.

    Args:
        failures: failures in a row.
        error: the last one, None after a success.
        retry_at: no fetch starts on its own before this moment of the cache's clock.
        refused_generation: the generation that a service rejected and that the source was already asked to replace.
        too_short: a generation, and the longest life that the source has for it until it may issue the next.
    """

    failures: int = 0
    error: Exception | None = None
    retry_at: float = -math.inf
    refused_generation: int = -1
    too_short: tuple[int, float] = (-1, math.inf)

    def after_success(self) -> Backoff:
        """New credentials are held."""
        return replace(self, failures=0, error=None, retry_at=-math.inf)

    def with_refused(self, generation: int) -> Backoff:
        """A service rejected this generation, and the source is asked to replace it."""
        return replace(self, refused_generation=generation)

    def with_too_short(self, generation: int, longest: float) -> Backoff:
        """The source has nothing for this generation that lives longer."""
        return replace(self, too_short=(generation, longest))

    def after_leap(self) -> Backoff:
        """The clocks contradict each other: ask at once, unless the source is failing."""
        return self if self.failures else replace(self, retry_at=-math.inf)

    def after_unchanged(self, policy: RefreshPolicy, snapshot: Snapshot, now: float, random_fraction: float) -> Backoff:
        """The source returned nothing better, which is neither a success nor a failure."""
        delay = policy.delay_after_unchanged(snapshot.expires_at - now, random_fraction)
        if snapshot.refetch_after is not None:  # such a source is asked again sooner
            delay = max(policy.retry_initial, min(delay, snapshot.refetch_after))
        return replace(self, failures=0, error=None, retry_at=snapshot.last_try_before(now + delay, now))

    def after_return(self, policy: RefreshPolicy, hanging: int, now: float) -> Backoff:
        """One of `hanging` abandoned fetches returned at last: the source answers again."""
        if hanging < FREE_HANGING_FETCHES:
            return self
        return replace(self, retry_at=min(self.retry_at, now + policy.retry_initial))

    def inherited(self, policy: RefreshPolicy, snapshot: Snapshot, now: float, random_fraction: float) -> Backoff:
        """In a forked child in the advisory window, whose siblings are there too and must not all ask at once."""
        if snapshot.advisory_at <= now < snapshot.expires_at:
            return self.after_unchanged(policy, snapshot, now, random_fraction)
        return self

    def after_failure(
        self, policy: RefreshPolicy, error: Exception, snapshot: Snapshot, now: float, random_fraction: float
    ) -> Backoff:
        """Wait: longer with each failure, shorter near expiry, and never past the last attempt before it."""
        left = snapshot.remaining(now)
        failures = self.failures + 1
        delay = policy.delay_after_failure(failures, left, random_fraction)
        if _is_lasting(error):
            remembered = MIN_REMEMBERED_SECONDS + (MAX_REMEMBERED_SECONDS - MIN_REMEMBERED_SECONDS) * random_fraction
            delay = max(delay, remembered) if left else remembered
        hanging = getattr(error, "hanging", 0)
        if hanging >= FREE_HANGING_FETCHES:  # each costs a thread until it returns
            delay = max(delay, MIN_HANGING_DELAY_SECONDS * 2.0 ** (hanging - FREE_HANGING_FETCHES))
            return replace(self, failures=failures, error=error, retry_at=now + delay)
        retry_after = getattr(error, "retry_after", None)
        if retry_after is not None:
            # The source asks all its clients for the same pause: they must not return at the same moment.
            asked = min(retry_after, policy.delay_ceiling(left, failures))
            delay = max(delay, asked * (1 + policy.jitter * random_fraction))
        return replace(self, failures=failures, error=error, retry_at=snapshot.last_try_before(now + delay, now))


def _is_lasting(error: Exception) -> bool:
    """True where asking again at once cannot help: there is nothing here, or somebody must change something."""
    return isinstance(error, (ProviderUnavailable, NoCredentialsError)) or getattr(error, "unrecoverable", False)
