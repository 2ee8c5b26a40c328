"""What a provider reports: typed, frozen events without secrets.

Pass a callable as `on_event=` to a provider. It is called outside all locks, by one thread at a time, in the order of
the events. An exception that it raises is logged and has no other effect. Logging and metrics use these events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from datetime import datetime


__all__ = [
    "FETCH_OUTCOMES",
    "Closed",
    "Event",
    "EventListener",
    "FetchFailed",
    "Fetched",
    "FetchedUnchanged",
    "IdentityChanged",
    "RefreshForced",
    "StateChanged",
]


class _Numbered:
    """Holds what is not part of the value of an event."""

    __slots__ = ("_number",)
    _number: int

    @property
    def number(self) -> int:
        """The number of the provider in its process, since several may have the same name; 0 after pickling."""
        return getattr(self, "_number", 0)


@dataclass(frozen=True, slots=True)
class Event(_Numbered):
    """Base of all events.

    Args:
        provider: the provider's name.
        at: Unix seconds by the provider's clock.
    """

    provider: str
    at: float


def numbered(event: Event, number: int) -> Event:
    """The event of the provider with that number in its process."""
    object.__setattr__(event, "_number", number)
    return event


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """New credentials are in use from now on.

    Args:
        generation: 1 for the first credentials, one more for each replacement.
        access_key_id: shortened id, as in `repr(credentials)`.
        identity: role name or ARN where known.
        expiration: when they end, None for never or unknown.
        seconds: how long the fetch took.
        waiters: how many calls waited for it.
    """

    generation: int
    access_key_id: str
    identity: str | None
    expiration: datetime | None
    seconds: float
    waiters: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FetchedUnchanged(Event):
    """The source gave the same credentials again, or ones that end sooner than those held; these are kept.

    Args:
        next_attempt_in: seconds until the next try.
        seconds: how long the fetch took.
        waiters: how many calls waited for it.
    """

    next_attempt_in: float
    seconds: float
    waiters: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FetchFailed(Event):
    """A fetch failed.

    Args:
        error: the error's class name.
        message: its text, which never holds a secret.
        failures: how many in a row.
        next_attempt_in: seconds until the next try.
        seconds_left: life left of the credentials held, None where there are none.
        seconds: how long the fetch took.
        waiters: how many calls waited for it.
    """

    error: str
    message: str
    failures: int
    next_attempt_in: float
    seconds_left: float | None
    seconds: float
    waiters: int = field(default=0, compare=False)


FETCH_OUTCOMES: Final[dict[type[Event], str]] = {
    Fetched: "replaced",
    FetchedUnchanged: "unchanged",
    FetchFailed: "failed",
}
"""The events that end a fetch, and the name of its outcome in metrics."""


@dataclass(frozen=True, slots=True)
class StateChanged(Event):
    """The cache passed into another state ("empty", "fresh", "advisory", "mandatory", "expired")."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class IdentityChanged(Event):
    """The credentials now belong to another identity, or come from another source, than before.

    Args:
        old_identity: role name or ARN; the shortened AccessKey ID where neither is known.
        new_identity: the same of those that are held now.
        old_source: name of the provider that they came from.
        new_source: the same of those that are held now.
    """

    old_identity: str
    new_identity: str
    old_source: str
    new_source: str


@dataclass(frozen=True, slots=True)
class RefreshForced(Event):
    """The program called `refresh()`; `rejected`: a service had rejected the credentials."""

    rejected: bool


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The provider was closed, or no longer exists: it holds nothing, and this is its last event.

    After a provider that is collected without `close()` it comes a moment later.
    """


class EventListener(Protocol):
    """Takes events; must be quick, since a caller or an event loop may be waiting for it."""

    def __call__(self, event: Event, /) -> object: ...
