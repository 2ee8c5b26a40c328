"""What a provider reports: typed, frozen events without secrets.

Pass a callable as `on_event=` to a provider. One thread at a time calls it, outside all locks, in the order of the
events. An exception that it raises is logged and has no other effect. Logs and metrics are built on these events.
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
    """Base class of all events, which all have these attributes.

    Args:
        provider: the provider's name, for instance "default".
        at: when it happened, as Unix seconds by the provider's clock.
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
        access_key_id: the shortened AccessKey ID, as in `repr(credentials)`.
        identity: name or ARN of the role; None if it is unknown.
        expiration: when they expire, in UTC; None for never or unknown.
        seconds: how long the fetch took, in seconds.
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
    """The source returned the same credentials again, or some that expire sooner; the held ones are kept.

    Args:
        next_attempt_in: seconds until the next attempt.
        seconds: how long the fetch took, in seconds.
        waiters: how many calls waited for it.
    """

    next_attempt_in: float
    seconds: float
    waiters: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FetchFailed(Event):
    """A fetch failed. The held credentials stay in use until they expire.

    Args:
        error: the name of the error's class.
        message: the error's text, which never contains a secret.
        failures: how many fetches failed in a row.
        next_attempt_in: seconds until the next attempt.
        seconds_left: seconds until the held credentials expire; None if there are none, or if they do not expire.
        seconds: how long the fetch took, in seconds.
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
    """The cache entered another state ("empty", "fresh", "advisory", "mandatory", "expired").

    Args:
        old: the state before.
        new: the state from now on.
    """

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class IdentityChanged(Event):
    """The credentials now belong to another identity, or come from another source, than before.

    Args:
        old_identity: name or ARN of the role before; the shortened AccessKey ID if neither is known.
        new_identity: the same for the credentials that are held now.
        old_source: name of the provider of the credentials before.
        new_source: name of the provider of the credentials that are held now.
    """

    old_identity: str
    new_identity: str
    old_source: str
    new_source: str


@dataclass(frozen=True, slots=True)
class RefreshForced(Event):
    """The program called `refresh()`.

    Args:
        rejected: True if a service had rejected the credentials.
    """

    rejected: bool


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The provider was closed, or no longer exists. It holds no credentials, and this is its last event.

    If a provider is garbage-collected without `close()`, the event follows a moment later.
    """


class EventListener(Protocol):
    """A callable that receives events. It must be quick, since a caller or an event loop may wait for it."""

    def __call__(self, event: Event, /) -> object: ...
