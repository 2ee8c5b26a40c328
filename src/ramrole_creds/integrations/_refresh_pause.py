"""A pause between refreshes while a service rejects every fresh token."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from ramrole_creds.credentials import same_keys
from ramrole_creds.errors import RamRoleError, on_one_line

if TYPE_CHECKING:
    import logging

    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.signing.signer import CredentialSource

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

    def refresh(
        self, provider: CredentialSource, rejected: Credentials, log: logging.Logger, service: str = "A service"
    ) -> Credentials | None:
        """Credentials other than the rejected ones, None if the provider gives no new ones.

        Args:
            provider: the provider; one without `refresh()` is asked for what it has.
            rejected: what a service refused.
            log: takes a warning where the provider fails.
            service: begins the warning.
        """
        refresh = getattr(provider, "refresh", None)
        try:
            fresh: Credentials = provider.get_credentials() if refresh is None else refresh(rejected=rejected)
        except RamRoleError as error:
            log.warning(
                "%s rejected the credentials, and the provider gave no new ones: %s", service, on_one_line(error)
            )
            return None
        self._record(fresh)
        return None if same_keys(fresh, rejected) else fresh

    def _record(self, fresh: Credentials) -> None:
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
