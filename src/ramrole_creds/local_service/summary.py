"""Credentials and events in words, for the status page and `ramrole-creds watch`; needs no extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ramrole_creds import events as kinds
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.errors import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.status import ProviderStatus
    from ramrole_creds.events import Event

__all__ = ["describe_event", "window_starts"]


def window_starts(status: ProviderStatus) -> tuple[float, float]:
    """When the two windows of the credentials held begin, in seconds before their end, without jitter."""
    if status.expiration is None or status.last_fetch is None:
        return 0.0, 0.0
    life = (status.expiration - status.last_fetch).total_seconds()
    policy = RefreshPolicy()
    return policy.advisory_left(life, 0.0), policy.mandatory_left(life)


def describe_event(event: Event, name: str | None = None) -> str:
    """An event in one line, without secrets.

    Args:
        event: the event.
        name: what the line begins with, "" for nothing; None for the provider that the event names.
    """
    describe = _DESCRIPTIONS.get(type(event))
    text = describe(event) if describe else type(event).__name__
    text, name = on_one_line(text), event.provider if name is None else name
    return f"{name}: {text}" if name else text


def _fetched(event: kinds.Fetched) -> str:
    until = f"{event.expiration:%Y-%m-%d %H:%M:%S}" if event.expiration else "an unknown time"
    return f"new credentials {event.access_key_id}, until {until} ({event.seconds:.2f} s)"


def _failed(event: kinds.FetchFailed) -> str:
    return f"fetch failed ({event.failures} in a row), next in {event.next_attempt_in:.0f} s: {event.message}"


def _unchanged(event: kinds.FetchedUnchanged) -> str:
    return f"the same credentials again, next fetch in {event.next_attempt_in:.0f} s"


def _state_changed(event: kinds.StateChanged) -> str:
    return f"{event.old} → {event.new}"


def _identity_changed(event: kinds.IdentityChanged) -> str:
    return f"the identity changed from {event.old_identity} to {event.new_identity}"


def _forced(event: kinds.RefreshForced) -> str:
    return "a fetch was requested" + (", because a service rejected the credentials" if event.rejected else "")


def _closed(_: kinds.Closed) -> str:
    return "closed"


_DESCRIPTIONS: Final[dict[type, Callable[[Any], str]]] = {
    kinds.Fetched: _fetched,
    kinds.FetchFailed: _failed,
    kinds.FetchedUnchanged: _unchanged,
    kinds.StateChanged: _state_changed,
    kinds.IdentityChanged: _identity_changed,
    kinds.RefreshForced: _forced,
    kinds.Closed: _closed,
}
