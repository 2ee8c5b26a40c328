"""The time of a server, read from its answer."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_DATE = datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()
"""A Date before this one is that of a server or proxy whose own clock is not set."""
MAX_AGE_DIGITS = 6


def read_server_time(header: Callable[[str], str | None], body: bytes = b"") -> float | None:
    """When an answer was made by the server's clock, as Unix seconds; None if it does not say.

    The body comes first: OSS names its time there (`ServerTime`), while a `Date` may come from a proxy whose clock is
    not set, or from a cache. A cache says in `Age` how old the answer is.

    Args:
        header: looks up a header of the answer.
        body: its body, or the beginning of it.
    """
    named = _server_time_element(body)
    return named if named is not None else _date(header)


def _server_time_element(body: bytes) -> float | None:
    _, found, rest = body.partition(b"<ServerTime>")
    text, closed, _ = rest[:40].partition(b"</ServerTime>")
    if not found or not closed:
        return None
    try:
        moment = datetime.fromisoformat(text.decode("ascii").strip().replace("Z", "+00:00").replace(".000", ""))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _date(header: Callable[[str], str | None]) -> float | None:
    date = header("Date")
    if not date:
        return None
    try:
        made = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    age = header("Age") or ""
    made += int(age) if age.isascii() and age.isdigit() and len(age) <= MAX_AGE_DIGITS else 0
    return made if made >= MIN_DATE else None
