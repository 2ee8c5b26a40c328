"""What changes in a cache: the state of one process, and what one caller asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds._cache.backoff import Backoff
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ramrole_creds._cache.in_flight import InFlightFetch
    from ramrole_creds._cache.notifications import EventQueue
    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds._cache.runtime import Runtime


class ProcessState:
    """The mutable part of a cache in one process.

    Args:
        lock: guards everything here, and every replacement of the cache's snapshot; held for a few lines only.
        policy: of the pauses.
        queue: what has happened.
        state: the state that was told last.
    """

    __slots__ = ("backoff", "fetches", "in_flight", "lock", "queue", "refresher_alive", "state", "woken_for")

    def __init__(
        self, lock: AbstractContextManager[object], policy: RefreshPolicy, queue: EventQueue, state: str
    ) -> None:
        self.lock = lock
        self.in_flight: InFlightFetch | None = None
        self.backoff = Backoff(policy)
        self.queue = queue
        self.fetches = 0
        self.state = state
        self.woken_for = -math.inf
        self.refresher_alive = True

    def busy(self) -> bool:
        """True while a fetch is in in_flight."""
        return self.in_flight is not None


class CredentialRequest:
    """One caller's wish, and what it has waited for so far.

    Args:
        runtime: by whose seconds patience is measured.
        valid_for: seconds that the credentials must still live.
        timeout: the caller's patience in seconds, None for as long as the fetch may take.
        may_block: False for a coroutine, which must not run a fetch itself.

    Raises:
        ConfigurationError: one of them is no number of seconds.
    """

    __slots__ = ("deadline", "fetches", "for_result", "in_flight", "may_block", "valid_for", "waiting")

    in_flight: InFlightFetch

    def __init__(self, runtime: Runtime, valid_for: float, timeout: float | None, *, may_block: bool = True) -> None:
        for name, seconds in (("valid_for", valid_for), ("timeout", timeout)):
            if seconds is not None and not _at_least_zero(seconds):
                raise ConfigurationError(f"{name} is a number of seconds, 0 or more, not {seconds!r}.")
        self.valid_for = valid_for
        self.deadline = math.inf if timeout is None else runtime.monotonic() + timeout
        self.may_block = may_block
        self.waiting = False
        """It has waited briefly, and takes what is valid now."""
        self.for_result = False
        """It waits for `in_flight`, since nothing held will do."""
        self.fetches = 0

    def wait_for_result(self, in_flight: InFlightFetch) -> None:
        """Nothing held will do: wait for what `in_flight` brings."""
        self.in_flight = in_flight
        self.for_result = True
        self.fetches += 1


def _at_least_zero(seconds: float) -> bool:
    try:
        return seconds >= 0  # not so for NaN
    except TypeError:
        return False
