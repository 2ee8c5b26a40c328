"""What upstream gave, beside what is held: when it ends, and whether it takes the place of the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds.credentials import Credentials, same_keys
from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._cache.snapshot import Snapshot

SANE_CLOCK_DIFFERENCE_SECONDS = 2 * 86400.0


def ensure_credentials(fetched: object, name: str) -> Credentials:
    """What the fetch of the source of this name returned.

    Raises:
        FetchError: it is something else than Credentials.
    """
    if isinstance(fetched, Credentials):
        return fetched
    raise FetchError(f"fetch of {name} must return Credentials, not {type(fetched).__name__}.")


def should_keep_held(
    held: Snapshot, new: Credentials, expires_at: float, now: float, rejected: Credentials | None
) -> bool:
    """True where what is held should_keep_held: upstream gave it again, or gave something that ends sooner."""
    old = held.credentials
    if old is None or now >= held.expires_at:
        return False
    if same_keys(old, new):
        return old.expiration == new.expiration or new.expiration is None
    if rejected is not None and same_keys(old, rejected):
        return False
    return None not in (old.expiration, new.expiration) and expires_at < held.expires_at


def expiry_on_clock(credentials: Credentials, context: FetchContext, now: float, wall: float) -> float:
    """When they end on the cache's clock, reckoned from the server's time where that is sane and differs.

    A `Date` header has whole seconds: while the local clock agrees with it, the local clock is the finer one; where
    it does not, the server may have been almost a second further. A `Date` more than two days off the local clock
    says more about the server than about this machine.

    Args:
        credentials: what upstream gave.
        context: knows the server's time.
        now: seconds of the cache's clock.
        wall: Unix seconds by the local wall clock.
    """
    if credentials.expiration is None:
        return math.inf
    expiration = credentials.expiration.timestamp()
    if context.server_time is not None:
        served, at = context.server_time
        ahead = wall - (now - at) - served
        if not 0 <= ahead < 1 and abs(ahead) <= SANE_CLOCK_DIFFERENCE_SECONDS:
            return at + expiration - (served + 1)
    return now + expiration - wall
