"""How far the clocks of servers are from the local one, learnt from their answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock

MAX_HOSTS = 64
MAX_OFFSET_SECONDS = 36 * 3600.0
"""For long-term keys. It covers every mistake of a time zone and a day of drift; a request that is signed for a time
further away could be kept and sent then. Temporary credentials have expired by that time, so they have no limit."""
MIN_OFFSET_SECONDS = 60.0
STEP_SECONDS = 5.0


class _Offset(NamedTuple):
    seconds: float
    clock_origin: float
    """Wall time minus monotonic time when it was learnt; another value means that the local clock was set since."""


class ClockSkew:
    """Offsets of servers' clocks by host, in a bounded mapping that is replaced and never changed: it needs no lock.

    An offset is learnt only from an answer that refused the request's time. It is dropped when the local clock is set,
    or when the Date of a later answer agrees with the local clock.
    """

    __slots__ = ("_clock", "offsets")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offsets: dict[str, _Offset] = {}

    def __reduce__(self) -> tuple[type[ClockSkew], tuple[Clock]]:
        return ClockSkew, (self._clock,)  # another machine has another clock

    def offset(self, host: str) -> float:
        """Seconds to add to the local time for a request to `host`."""
        known = self.offsets.get(host)
        if known is None:
            return 0.0
        if abs(self._origin() - known.clock_origin) > STEP_SECONDS:
            self._forget(host)
            return 0.0
        return known.seconds

    def learn(self, host: str, server_time: float, *, temporary: bool) -> bool:
        """Use a server's time from now on; True when signing again with it makes a difference."""
        local = self._clock.time()
        seconds = server_time - local
        limit = math.inf if temporary else MAX_OFFSET_SECONDS
        if not abs(seconds) <= limit or abs(seconds - self.offset(host)) < MIN_OFFSET_SECONDS:
            return False
        if abs(seconds) < MIN_OFFSET_SECONDS:
            self._forget(host)
            return True
        offsets = {known: offset for known, offset in self.offsets.items() if known != host}
        while len(offsets) >= MAX_HOSTS:
            del offsets[next(iter(offsets))]
        offsets[host] = _Offset(seconds, local - self._clock.monotonic())
        self.offsets = offsets
        return True

    def observe(self, host: str, server_time: float) -> None:
        """Drop the offset of the host if the time of an ordinary answer shows that it is no longer true."""
        if host in self.offsets and abs(server_time - self._clock.time()) < MIN_OFFSET_SECONDS:
            self._forget(host)

    def _forget(self, host: str) -> None:
        self.offsets = {known: offset for known, offset in self.offsets.items() if known != host}

    def _origin(self) -> float:
        return self._clock.time() - self._clock.monotonic()
