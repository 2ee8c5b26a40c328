"""What came of the last fetches, and how soon another may be made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds.errors import CredentialsExpired, LifetimeTooShort, NoCredentialsError, ProviderUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds._cache.snapshot import Snapshot
    from ramrole_creds.credentials import Credentials

NEGATIVE_MEMORY_SECONDS = (1.0, 5.0)


class Backoff:
    """Failures in a row, the last error, and the moment before which upstream is left alone.

    Not thread-safe by itself: the cache calls it under its lock.
    """

    __slots__ = ("_policy", "error", "failures", "refused_generation", "retry_at", "too_short")

    def __init__(self, policy: RefreshPolicy) -> None:
        self._policy = policy
        self.failures = 0
        self.error: Exception | None = None
        self.retry_at = -math.inf
        self.refused_generation = -1
        """Generation that a service refused and that upstream was already asked to replace."""
        self.too_short = (-1, math.inf)
        """Generation, and the longest life that upstream has for it until it may issue the next."""

    def record_success(self) -> int:
        """Start over; how many failures went before."""
        failures, self.failures = self.failures, 0
        self.error = None
        self.retry_at = -math.inf
        return failures

    def record_inherited(self, snapshot: Snapshot, now: float, random_fraction: float) -> None:
        """A forked child in the advisory window: all its siblings are there too, and must not ask at once."""
        if snapshot.advisory_at <= now < snapshot.expires_at:
            self.record_unchanged(snapshot, now, random_fraction)

    def record_unchanged(self, snapshot: Snapshot, now: float, random_fraction: float) -> None:
        """Upstream answered with nothing better: neither a success nor a failure."""
        self.failures = 0
        self.error = None
        pause = self._policy.delay_after_unchanged(snapshot.expires_at - now, random_fraction)
        if snapshot.refetch_after is not None:  # a source that wants to be asked again sooner is
            pause = max(self._policy.retry_initial, min(pause, snapshot.refetch_after))
        self.retry_at = snapshot.last_try_before(now + pause, now)

    def record_failure(self, error: Exception, snapshot: Snapshot, now: float, random_fraction: float) -> None:
        """Pause: longer with each failure, shorter near expiry, and never past the last chance before it."""
        left = snapshot.remaining(now)
        self.failures += 1
        self.error = fresh_copy(error)
        pause = self._policy.delay_after_failure(self.failures, left, random_fraction)
        if _lasts(error):
            shortest, longest = NEGATIVE_MEMORY_SECONDS
            remembered = shortest + (longest - shortest) * random_fraction
            pause = max(pause, remembered) if left else remembered
        asked_for = getattr(error, "retry_after", None)
        if asked_for is not None:
            pause = max(pause, min(asked_for, self._policy.delay_ceiling(left)))
        self.retry_at = snapshot.last_try_before(now + pause, now) if left else now + pause


def fresh_copy(error: Exception) -> Exception:
    """The same error without a traceback: each waiter raises one of its own, and none grows with every raise."""
    kind = type(error)
    try:
        twin = kind.__new__(kind, *error.args)  # not its constructor, which may ask for more or write its text again
        twin.args = error.args
        twin.__dict__.update(error.__dict__)
    except Exception:  # noqa: BLE001  # a third party's error may do as it likes
        return error.with_traceback(None)
    twin.__cause__ = error.__cause__
    twin.__suppress_context__ = True
    return twin.with_traceback(None)


def expired_error(name: str, held: Credentials, error: Exception) -> CredentialsExpired:
    """The credentials are dead and this is why there are no others."""
    expired = CredentialsExpired(
        f"The credentials of {name} expired at {_moment(held.expiration)} and could not be replaced: {error}"
    )
    expired.__cause__ = fresh_copy(error)
    return expired


def lifetime_error(
    name: str, snapshot: Snapshot, now: float, valid_for: float, error: Exception | None
) -> LifetimeTooShort:
    """None live long enough; says what the best was."""
    left = snapshot.remaining(now)
    expiration = None if snapshot.credentials is None else snapshot.credentials.expiration
    text = (
        f"{name} has no credentials that stay valid for {valid_for:.0f} s: those it gave last live {left:.0f} s more "
        f"(until {_moment(expiration)}). "
        "Ask for less, or ask again when the source has issued newer ones."
    )
    too_short = LifetimeTooShort(text if error is None else f"{text} The last fetch failed: {error}", available=left)
    too_short.__cause__ = None if error is None else fresh_copy(error)
    return too_short


def _lasts(error: Exception) -> bool:
    """True where asking again at once cannot help: nothing is here, or somebody must change something."""
    return isinstance(error, (ProviderUnavailable, NoCredentialsError)) or getattr(error, "unrecoverable", False)


def _moment(expiration: datetime | None) -> str:
    return "an unknown time" if expiration is None else f"{expiration:%Y-%m-%dT%H:%M:%SZ}"
