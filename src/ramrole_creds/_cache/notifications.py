"""What happened to the credentials of one source, as the log and a listener see it."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ramrole_creds._cache.snapshot import EXPIRED, MANDATORY
from ramrole_creds.errors import message_of, on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds import events
    from ramrole_creds._cache.signals import Signal

_log = logging.getLogger("ramrole_creds._cache.credential_cache")
logging.getLogger("ramrole_creds").addHandler(logging.NullHandler())


class Happening:
    """One thing that happened.

    Args:
        kind: the class of `ramrole_creds.events`, or "ClockLeap", which only the log knows.
        at: Unix seconds by the provider's clock.
        fields: of that event; `error` may be the exception.
    """

    __slots__ = ("at", "fields", "kind")

    def __init__(self, kind: str, at: float, **fields: object) -> None:
        self.kind = kind
        self.at = at
        self.fields: dict[str, Any] = fields


class Delivery:
    """One thread's delivery of everything that is pending.

    Args:
        done: set when it has ended.
    """

    __slots__ = ("_done", "_starter", "_thread", "taken")

    def __init__(self, done: Signal) -> None:
        self.taken: Happening | None = None
        """What is about to be delivered; None again from the moment at which the listener is called."""
        self._done = done
        self._starter = threading.get_ident()
        self._thread = 0

    def hand_over(self) -> None:
        """Another thread was started for it."""
        self._starter = 0

    def begin(self) -> None:
        """This thread delivers."""
        self._thread = threading.get_ident()

    def finish(self) -> None:
        """Release whoever waits for it."""
        self._done.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds, and not at all on the thread that delivers; True when it has ended."""
        own = threading.get_ident() == (self._thread or self._starter)
        return self._done.is_set() if own else self._done.wait(timeout)


def record_waiters(happenings: Iterable[Happening], waiters: int) -> None:
    """Add to the end of a fetch how many calls waited for it."""
    for happening in happenings:
        if happening.kind in _FETCH_ENDS:
            happening.fields["waiters"] = waiters


def deliver(delivery: Delivery, name: str, number: int, listener: events.EventListener | None) -> None:
    """Report what it took to the log and to the listener; exceptions of either are swallowed."""
    happening = delivery.taken
    if happening is None:
        return
    with suppress(Exception):  # a broken log handler must not fail whoever asked for credentials
        level, text, values = _LINES[happening.kind](**happening.fields)
        if text and _log.isEnabledFor(level):
            _log.log(level, "%s: " + text, *(_shown(value) for value in (name, *values)))
    if listener is None or happening.kind == "ClockLeap":
        return
    from ramrole_creds import events

    fields = {key: value for key, value in happening.fields.items() if key not in _LOG_ONLY}
    if isinstance(error := fields.get("error"), Exception):
        fields.update(error=type(error).__name__, message=message_of(error))
    event = events.numbered(getattr(events, happening.kind)(provider=name, at=happening.at, **fields), number)
    delivery.taken = None
    try:
        listener(event)
    except Exception:  # noqa: BLE001  # a listener's failure is its own
        with suppress(Exception):
            _log.exception("An event listener of %s raised", name)


_FETCH_ENDS = ("Fetched", "FetchedUnchanged", "FetchFailed")

_Line = tuple[int, str, tuple[object, ...]]
_SILENT: _Line = (logging.DEBUG, "", ())
_LOG_ONLY = frozenset({"expires", "failures_before", "owner", "source"})


def _fetched(
    *, access_key_id: str, identity: str | None, source: str, expiration: object, failures_before: int, **_: object
) -> _Line:
    text = "new credentials %s of %s from %s until %s (after %d failures)"
    identity = identity or "an unknown identity"
    return logging.INFO, text, (access_key_id, identity, source, expiration or "replaced", failures_before)


def _failed(*, error: Exception, failures: int, next_attempt_in: float, owner: str | None = None, **_: object) -> _Line:
    level = logging.WARNING if failures == 1 else logging.DEBUG
    return level, *_of(owner, "no new credentials, next attempt in %.1f s: %s", next_attempt_in, error)


def _state_changed(*, old: str, new: str, expires: bool, owner: str | None = None) -> _Line:
    # Credentials without an expiry are checked every few minutes, which nobody needs to read.
    level = logging.WARNING if new in (MANDATORY, EXPIRED) else logging.INFO if expires else logging.DEBUG
    return level, *_of(owner, "the state of the credentials is %s (was %s)", new, old)


def _of(owner: str | None, text: str, *values: object) -> tuple[str, tuple[object, ...]]:
    """The line with the identity of the credentials that are held, where it is known."""
    return (text.replace("credentials", "credentials of %s", 1), (owner, *values)) if owner else (text, values)


def _identity_changed(*, old_identity: str, new_identity: str, old_source: str, new_source: str) -> _Line:
    text = "the identity changed from %s to %s (source: from %s to %s)"
    return logging.WARNING, text, (old_identity, new_identity, old_source, new_source)


def _clock_leapt(*, seconds: float) -> _Line:
    text = "the wall clock moved by %+.0f s against the clock of this machine's uptime: the credentials are checked"
    return logging.INFO, text, (seconds,)


def _shown(value: object) -> object:
    return on_one_line(value) if isinstance(value, (str, Exception)) else value


def _silent(**_: object) -> _Line:
    return _SILENT


_LINES: dict[str, Callable[..., _Line]] = {
    "Fetched": _fetched,
    "FetchedUnchanged": _silent,
    "FetchFailed": _failed,
    "StateChanged": _state_changed,
    "IdentityChanged": _identity_changed,
    "RefreshForced": _silent,
    "ClockLeap": _clock_leapt,
    "Closed": _silent,
}
