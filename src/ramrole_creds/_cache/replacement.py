"""When fetched credentials end, and whether they replace the ones that are held."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ramrole_creds.credentials import Credentials, same_keys
from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from ramrole_creds._cache.snapshot import Snapshot

MAX_LIFE_SECONDS = 36 * 3600.0


class Reckoning(NamedTuple):
    """When credentials end on the cache's clock.

    Args:
        expires_at: seconds of the cache's clock, infinity for never or unknown.
        certain: False where only the local wall clock is left to judge by and it finds the end past or absurdly far.
    """

    expires_at: float
    certain: bool


def ensure_credentials(fetched: object, name: str) -> Credentials:
    """What the fetch of the source of this name returned.

    Raises:
        FetchError: it is not a Credentials object.
    """
    if isinstance(fetched, Credentials):
        return fetched
    raise FetchError(f"fetch of {name} must return Credentials, not {type(fetched).__name__}.")


def reckon_expiry(
    credentials: Credentials, server_time: tuple[float, float] | None, now: float, wall: float
) -> Reckoning:
    """When they end on the cache's clock, by the server's clock where it fits and by the local one otherwise.

    A server's time fits where the credentials end within 36 hours of it; it is then believed however far the local
    wall clock is off. A `Date` header has whole seconds: while the local clock agrees with it, the local clock is the
    finer one; otherwise the server may have been almost a second further.

    Args:
        credentials: what the source returned.
        server_time: Unix seconds by the server when it answered, and the cache's clock at that moment.
        now: seconds of the cache's clock.
        wall: Unix seconds by the local wall clock.
    """
    if credentials.expiration is None:
        return Reckoning(math.inf, certain=True)
    expiration = credentials.expiration.timestamp()
    by_wall = now + expiration - wall
    plausible = 0 < expiration - wall <= MAX_LIFE_SECONDS
    if server_time is None:
        return Reckoning(by_wall, certain=plausible)
    served, at = server_time
    server_now = served + (now - at)
    by_server = by_wall if 0 <= wall - server_now < 1 else at + expiration - (served + 1)
    if server_time_fits(expiration, server_time, now):
        return Reckoning(by_server, certain=True)
    if plausible:
        return Reckoning(by_wall, certain=True)
    # Two clocks that agree on "ended", or show the same time, are believed; two that contradict each other are not.
    ended = expiration <= server_now and expiration <= wall
    agreed = ended or abs(wall - server_now) <= MAX_LIFE_SECONDS
    return Reckoning(by_server if agreed else by_wall, certain=agreed)


def server_time_fits(expiration: float, server_time: tuple[float, float] | None, now: float) -> bool:
    """True where the server's time is believed: the credentials end within 36 hours of it."""
    if server_time is None:
        return False
    served, at = server_time
    return abs(expiration - served - (now - at)) <= MAX_LIFE_SECONDS


def should_keep_held(held: Snapshot, new: Credentials, now: float, rejected: Credentials | None) -> bool:
    """True where the held credentials stay: the source returned them again, or returned ones that end sooner.

    Two sets of one source are compared by the issuer's own two expirations: the ends on our clock may have been
    computed with two different clocks.
    """
    old = held.credentials
    if old is None or now >= held.expires_at:
        return False
    if same_keys(old, new):
        return old.expiration == new.expiration or new.expiration is None
    if held.doubtful or (rejected is not None and same_keys(old, rejected)):
        return False
    return old.expiration is not None and new.expiration is not None and new.expiration < old.expiration
