"""A pause between refreshes while a service rejects every fresh token."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ramrole_creds.credentials import same_keys

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials

MIN_PAUSE_SECONDS = 5.0
MAX_PAUSE_SECONDS = 300.0


class RefreshPause:
    """Without a pause, a service that rejects every token would cost one fetch per request.

    The pause begins when what came from a refresh is rejected too, or is what was rejected. It doubles each time, up to
    five minutes. A token that was accepted for longer than that starts over.

    Args:
        clock: where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: tuple[Credentials, float] | None = None
        self._seconds = MIN_PAUSE_SECONDS

    def allows(self, rejected: Credentials) -> bool:
        """True where a refresh may replace the rejected credentials now."""
        latest = self._latest
        if latest is None or not same_keys(latest[0], rejected):
            return True
        return self._clock.monotonic() - latest[1] >= self._seconds

    def record(self, fresh: Credentials) -> None:
        """Note the credentials that a refresh returned, new ones or the old ones again."""
        now = self._clock.monotonic()
        soon = self._latest is not None and now - self._latest[1] < MAX_PAUSE_SECONDS + self._seconds
        self._seconds = min(self._seconds * 2, MAX_PAUSE_SECONDS) if soon else MIN_PAUSE_SECONDS
        self._latest = fresh, now


_lock = threading.RLock()  # guards _pauses; a signal handler may ask too
_pauses: weakref.WeakKeyDictionary[object, dict[int, RefreshPause]] = weakref.WeakKeyDictionary()


def pause_of(provider: object, clock: Clock) -> RefreshPause:
    """The pause of a provider, which all that refresh it share: programs make a new helper for each request.

    Args:
        provider: whose credentials are rejected.
        clock: where the time comes from; times of different clocks cannot be compared.
    """
    try:
        with _lock:
            return _pauses.setdefault(provider, {}).setdefault(id(clock), RefreshPause(clock))
    except TypeError:  # an object of others that cannot be referred to weakly, or has no hash
        return RefreshPause(clock)
