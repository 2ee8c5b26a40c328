"""How far the clocks of servers are from ours, learnt from their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock

MAX_HOSTS = 64
MAX_OFFSET_SECONDS = 86400.0
MIN_OFFSET_SECONDS = 60.0
STEP_SECONDS = 5.0


class _Offset(NamedTuple):
    seconds: float
    clock_origin: float
    """Wall time less monotonic time when it was learnt; another value means that the local clock was set since."""


class ClockSkew:
    """Offsets of servers' clocks by host, in a bounded map that is replaced and never changed, hence without a lock.

    An offset is learnt only from an answer that complained about the time, is at most a day, and is forgotten when
    the local clock is set, or when a later answer's Date agrees with the local clock again.
    """

    __slots__ = ("_clock", "offsets")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offsets: dict[str, _Offset] = {}

    def offset(self, host: str) -> float:
        """Seconds to add to the local time for a request to `host`."""
        known = self.offsets.get(host)
        if known is None:
            return 0.0
        if abs(self._origin() - known.clock_origin) > STEP_SECONDS:
            self._forget(host)
            return 0.0
        return known.seconds

    def learn(self, host: str, server_time: float) -> bool:
        """Take over a server's time; True when signing again with it makes a difference."""
        local = self._clock.time()
        seconds = server_time - local
        if abs(seconds) > MAX_OFFSET_SECONDS or abs(seconds - self.offset(host)) < MIN_OFFSET_SECONDS:
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
        """Drop the offset held for the host where an ordinary answer shows that it is no longer true."""
        if host in self.offsets and abs(server_time - self._clock.time()) < MIN_OFFSET_SECONDS:
            self._forget(host)

    def _forget(self, host: str) -> None:
        self.offsets = {known: offset for known, offset in self.offsets.items() if known != host}

    def _origin(self) -> float:
        return self._clock.time() - self._clock.monotonic()
