"""One moment in every form that the services use."""

from __future__ import annotations

import functools
import time
from typing import NamedTuple

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Instant(NamedTuple):
    """A second in UTC, formatted without the locale: HTTP dates have English names of days."""

    unix: int
    iso: str
    """2026-01-31T23:59:59Z"""
    basic: str
    """20260131T235959Z"""
    day: str
    """20260131"""
    http: str
    """Sat, 31 Jan 2026 23:59:59 GMT"""

    @classmethod
    def at(cls, unix_seconds: float) -> Instant:
        """The second that contains `unix_seconds`."""
        return _format(int(unix_seconds))


@functools.lru_cache(maxsize=4)  # most signatures are of the same second as the one before
def _format(unix: int) -> Instant:
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(unix)
    date = f"{year:04d}{month:02d}{day:02d}"
    return Instant(
        unix,
        f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z",
        f"{date}T{hour:02d}{minute:02d}{second:02d}Z",
        date,
        f"{_DAYS[weekday]}, {day:02d} {_MONTHS[month - 1]} {year:04d} {hour:02d}:{minute:02d}:{second:02d} GMT",
    )
