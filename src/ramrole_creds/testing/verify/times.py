"""The forms in which requests and answers write a time."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def iso_time(text: str) -> float | None:
    """Unix time of `YYYY-MM-DDThh:mm:ssZ`, a fraction allowed; None for any other text."""
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        moment = _strptime(text, form)
        if moment is not None:
            return moment
    return None


def compact_time(text: str) -> float | None:
    """Unix time of `YYYYMMDDThhmmssZ`; None for any other text."""
    return _strptime(text, "%Y%m%dT%H%M%SZ") if len(text) == len("YYYYMMDDThhmmssZ") else None


def http_time(text: str, zones: tuple[str, ...] = ("GMT",)) -> float | None:
    """Unix time of an RFC 1123 date in UTC that ends in one of `zones`; None for any other text."""
    if not text.endswith(zones):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=timezone.utc).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def utc_text(moment: float) -> str:
    """`YYYY-MM-DDThh:mm:ss.000Z`, as OSS writes times."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _strptime(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None
