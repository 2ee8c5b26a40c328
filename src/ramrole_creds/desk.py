"""What changes in a cache: the state of one process, and what one caller asks for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.pacing import Pacing

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ramrole_creds.flight import Flight
    from ramrole_creds.news import News
    from ramrole_creds.policy import RefreshPolicy
    from ramrole_creds.threads import Runtime


class Desk:
    """The mutable part of a cache in one process.

    Args:
        lock: guards everything here, and every replacement of the cache's snapshot; held for a few lines only.
        policy: of the pauses.
        news: what has happened.
        state: the state that was told last.
    """

    __slots__ = ("fetches", "flight", "lock", "news", "nudged_for", "pacing", "refresher_runs", "state")

    def __init__(self, lock: AbstractContextManager[object], policy: RefreshPolicy, news: News, state: str) -> None:
        self.lock = lock
        self.flight: Flight | None = None
        self.pacing = Pacing(policy)
        self.news = news
        self.fetches = 0
        self.state = state
        self.nudged_for = -math.inf
        self.refresher_runs = True

    def busy(self) -> bool:
        """True while a fetch is in flight."""
        return self.flight is not None


class Ask:
    """One caller's wish, and what it has waited for so far.

    Args:
        runtime: by whose seconds patience is measured.
        valid_for: seconds that the credentials must still live.
        timeout: the caller's patience in seconds, None for as long as the fetch may take.
        may_block: False for a coroutine, which must not run a fetch itself.

    Raises:
        ConfigurationError: one of them is no number of seconds.
    """

    __slots__ = ("deadline", "fetches", "flight", "for_result", "may_block", "valid_for", "waiting")

    flight: Flight

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
        """It waits for `flight`, since nothing held will do."""
        self.fetches = 0

    def wait_for_result(self, flight: Flight) -> None:
        """Nothing held will do: wait for what `flight` brings."""
        self.flight = flight
        self.for_result = True
        self.fetches += 1


def _at_least_zero(seconds: float) -> bool:
    try:
        return seconds >= 0  # not so for NaN
    except TypeError:
        return False
