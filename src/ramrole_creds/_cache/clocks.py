"""The two clocks of a machine side by side: the one in which credentials live, and the wall clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds._cache.snapshot import Snapshot
    from ramrole_creds.clock import Clock

MAX_READ_SECONDS = 1.0
MAX_READS = 3
LEAP_SECONDS = 5.0


class ClockPair:
    """Reads both clocks at the same instant, as far as the machine allows."""

    __slots__ = ("monotonic", "wall")

    def __init__(self, clock: Clock) -> None:
        self.monotonic = clock.monotonic
        self.wall = clock.time

    def read(self) -> tuple[float, float]:
        """The cache's clock and the wall clock; read again where the thread lost the processor in between."""
        now, wall = self.monotonic(), self.wall()
        for _ in range(MAX_READS):
            after = self.monotonic()
            if after - now <= MAX_READ_SECONDS:
                break
            now, wall = after, self.wall()
        return now, wall

    def leap(self, snapshot: Snapshot) -> float:
        """Seconds by which the wall clock moved against the cache's clock since the check; 0 for a few.

        That happens where somebody sets the wall clock, and where a machine is paused by its host, since its own
        clocks stand still meanwhile.
        """
        if not snapshot.expires or snapshot.doubtful:
            return 0.0
        leap = 0.0
        for _ in range(MAX_READS):
            now, wall = self.read()
            leap = wall - now - snapshot.wall_offset
            if not abs(leap) > LEAP_SECONDS:  # also where it is not a number
                return 0.0
        return leap
