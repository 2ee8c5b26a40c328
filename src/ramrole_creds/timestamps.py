"""Times as the services write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_RFC3339 = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def parse_rfc3339(text: str) -> datetime | None:
    """An RFC 3339 time in UTC, of any offset and fraction; None for anything else.

    A time without a zone is refused: to guess UTC is eight hours wrong on a host that meant Beijing.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        return None
    from dateutil.parser import isoparse

    try:
        return isoparse(match.group()).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
