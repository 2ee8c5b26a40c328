"""A pause between refreshes while a service rejects every fresh token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.credentials import same_keys

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials

MIN_PAUSE_SECONDS = 5.0
MAX_PAUSE_SECONDS = 300.0


class RefreshPause:
    """Without a pause, a service that rejects every token would cost one fetch per request.

    The pause begins when a token that came from a refresh is rejected too. It doubles with each such token, up to five
    minutes. A token that was accepted for longer than that starts over.

    Args:
        clock: where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: tuple[Credentials, float] | None = None
        self._seconds = MIN_PAUSE_SECONDS

    def __reduce__(self) -> tuple[type[RefreshPause], tuple[Clock]]:
        return RefreshPause, (self._clock,)  # credentials stay in their process

    def allows(self, rejected: Credentials) -> bool:
        """True where a refresh may replace the rejected credentials now."""
        latest = self._latest
        if latest is None or not same_keys(latest[0], rejected):
            return True
        return self._clock.monotonic() - latest[1] >= self._seconds

    def record(self, fresh: Credentials) -> None:
        """Note the credentials that a refresh returned."""
        now = self._clock.monotonic()
        soon = self._latest is not None and now - self._latest[1] < MAX_PAUSE_SECONDS + self._seconds
        self._seconds = min(self._seconds * 2, MAX_PAUSE_SECONDS) if soon else MIN_PAUSE_SECONDS
        self._latest = fresh, now
