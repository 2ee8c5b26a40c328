"""Which metadata services have answered this process.

A service that answered once exists. When it does not answer later, that is an error, and never a reason for a chain to
go on to another source and so to another identity.
"""

from __future__ import annotations

_answered: set[str] = set()
"""Endpoints. Adding one and asking for one are atomic, so no lock is needed; a forked child inherits them."""


def mark_answered(endpoint: str) -> None:
    """Remember that bytes of an answer came from this endpoint."""
    _answered.add(endpoint)


def has_answered(endpoint: str) -> bool:
    """True if bytes of an answer ever came from this endpoint."""
    return endpoint in _answered


def forget_answered(*endpoints: str) -> None:
    """Forget these endpoints, or all: a test has put other services in place."""
    _answered.difference_update(endpoints or tuple(_answered))
