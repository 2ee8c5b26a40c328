"""What happened to the credentials of one source: told to the log and to a listener, in the order it happened.

Events are queued under the lock of whatever changed, and delivered outside it: a log handler or a listener may itself
ask for credentials. One thread at a time delivers; another thread that queues an event meanwhile leaves it to the
first, so that events arrive in order. The events of a fetch are delivered before its waiters continue: what a program
looks at after a call has been told by then, and a slow listener holds them, within the fetch's time limit.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds._cache.snapshot import EXPIRED, MANDATORY
from ramrole_creds.credentials import Credentials, shorten_id, shown_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ramrole_creds import events
    from ramrole_creds.clock import Clock

MAX_PENDING = 1000

_log = logging.getLogger("ramrole_creds._cache.credential_cache")
logging.getLogger("ramrole_creds").addHandler(logging.NullHandler())


class EventQueue:
    """What a cache has to deliver in one process.

    The methods that put queue down are called under `lock`, `deliver` without it.

    Args:
        name: the source's name.
        clock: whose wall time the events bear.
        listener: takes the events; what it raises is logged and swallowed.
        lock: the one under which the cache changes.
    """

    __slots__ = ("_clock", "_delivering", "_listener", "_lock", "_name", "_pending")

    def __init__(
        self, name: str, clock: Clock, listener: events.EventListener | None, lock: AbstractContextManager[object]
    ) -> None:
        self._name = name
        self._clock = clock
        self._listener = listener
        self._lock = lock
        self._delivering = False
        # Of a listener that hangs for ever, the oldest are dropped in the end.
        self._pending: deque[Callable[[], object]] = deque(maxlen=MAX_PENDING)

    def fetched(self, new: Credentials, *, generation: int, failures: int, seconds: float) -> None:
        """New credentials are held, after so many failures; the fetch took `seconds`."""
        shown = shorten_id(new.access_key_id)
        self._log(logging.INFO, "%s: new credentials %s until %s (after %d failures)", shown, new.expiration, failures)
        if self._listener is not None:
            from ramrole_creds import events

            at = self._clock.time()
            self._event(events.Fetched(self._name, at, generation, shown, new.identity, new.expiration, seconds))

    def identity_changed(self, old: Credentials, new: Credentials) -> None:
        """They belong to somebody else now, or come from elsewhere."""
        change = (shown_identity(old), shown_identity(new), old.provider_name, new.provider_name)
        self._log(logging.WARNING, "%s: the identity changed from %s to %s (source: from %s to %s)", *change)
        if self._listener is not None:
            from ramrole_creds import events

            self._event(events.IdentityChanged(self._name, self._clock.time(), *change))

    def fetched_unchanged(self, next_attempt_in: float) -> None:
        """Upstream gave nothing better."""
        if self._listener is not None:
            from ramrole_creds import events

            self._event(events.FetchedUnchanged(self._name, self._clock.time(), next_attempt_in))

    def failed(self, error: Exception, *, failures: int, pause: float, left: float | None) -> None:
        """A fetch failed, for so many times in a row; `left` seconds of life are held, None where nothing is."""
        level = logging.WARNING if failures == 1 else logging.DEBUG
        self._log(level, "%s: no new credentials, next try in %.1f s: %s", pause, error)
        if self._listener is not None:
            from ramrole_creds import events

            kind, at = type(error).__name__, self._clock.time()
            self._event(events.FetchFailed(self._name, at, kind, str(error), failures, pause, left))

    def state_changed(self, old: str, new: str, *, ends: bool) -> None:
        """The cache passed into another state; `ends` tells whether what is held has an end that is known."""
        # What never ends is looked at again every few minutes, which is worth nobody's line.
        level = logging.WARNING if new in (MANDATORY, EXPIRED) else logging.INFO if ends else logging.DEBUG
        self._log(level, "%s: credentials are %s, were %s", new, old)
        if self._listener is not None:
            from ramrole_creds import events

            self._event(events.StateChanged(self._name, self._clock.time(), old, new))

    def refresh_forced(self, *, rejected: bool) -> None:
        """Somebody wants a fetch now."""
        if self._listener is not None:
            from ramrole_creds import events

            self._event(events.RefreshForced(self._name, self._clock.time(), rejected))

    def deliver(self) -> None:
        """Tell everything that is untold, unless another thread is at it."""
        if not self._pending:  # whoever took the last one tells it
            return
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        try:
            while (item := self._next()) is not None:
                with suppress(Exception):  # a log handler's trouble must not become that of whoever asked
                    item()
        except BaseException:
            with self._lock:
                self._delivering = False
            raise

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._pending:
                return self._pending.popleft()
            self._delivering = False
            return None

    def _log(self, level: int, text: str, *values: object) -> None:
        if _log.isEnabledFor(level):
            self._pending.append(partial(_log.log, level, text, self._name, *values))

    def _event(self, event: events.Event) -> None:
        if self._listener is not None:
            self._pending.append(partial(_hand_over, self._listener, event, self._name))


def _hand_over(listener: events.EventListener, event: events.Event, name: str) -> None:
    try:
        listener(event)
    except Exception:  # noqa: BLE001  # a listener's trouble is its own
        _log.exception("An event listener of %s raised", name)
