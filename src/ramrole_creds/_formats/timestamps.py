"""Times as the services write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})T((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)


def parse_rfc3339(text: str) -> datetime | None:
    """The RFC 3339 time in UTC, with any offset and fraction; None for anything else.

    A time without a zone is refused: assuming UTC is eight hours wrong if Beijing time was meant. A leap second counts
    as the second before it, as it does for clocks without leap seconds.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    moment = f"{day}T{minute}:{'59' if second == '60' else second}"
    try:
        if fraction is None and zone in "Zz":
            # The services write this form. dateutil reads all others, but importing it takes a tenth of a start.
            return datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
        from dateutil.parser import isoparse

        return isoparse(f"{moment}{fraction or ''}{zone.upper()}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
