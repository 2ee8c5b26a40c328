"""What a fetch may know, and what it may report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ramrole_creds._checks import checked_duration, checked_patience
from ramrole_creds._pickling import BoundToProcess
from ramrole_creds.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials

MAY_CHANGE_SECONDS = 300.0


class FetchContext(BoundToProcess):
    """What a fetch may know, and what it may report.

    A provider on top of another passes its context on, so that one time limit bounds the whole.

    Args:
        valid_for: seconds that the caller wants the credentials to live.
        rejected: the credentials that a service rejected, where that is why new ones are fetched.
        clock: the provider's clock.
        deadline: end of the fetch's time limit on `monotonic`.
        monotonic: seconds by which `remaining` is measured: real time, whatever `clock` says.
    """

    __slots__ = ("_deadline", "_monotonic", "clock", "refetch_after", "rejected", "server_time", "valid_for")

    _instead = "it measures the time of a fetch in this process. Send the number that remaining() returns."

    def __init__(
        self,
        *,
        valid_for: float,
        rejected: Credentials | None,
        clock: Clock,
        deadline: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.valid_for: float = valid_for
        self.rejected: Credentials | None = rejected
        self.clock: Clock = clock
        self.server_time: tuple[float, float] | None = None
        """What `record_server_time` was called with, and `clock.monotonic()` then; None before."""
        self.refetch_after: float | None = None
        """What `recheck_after` was called with, in seconds; None before."""
        self._deadline = deadline
        self._monotonic = monotonic

    @classmethod
    def create(
        cls,
        time_limit: float = 10.0,
        *,
        valid_for: float = 0.0,
        rejected: Credentials | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> FetchContext:
        """A context for calling `fetch` directly, without a cache; `time_limit` in seconds.

        Raises:
            ConfigurationError: `time_limit` or `valid_for` is not a number of seconds.
        """
        deadline = time.monotonic() + checked_patience("time_limit", time_limit)
        valid_for = checked_patience("valid_for", valid_for)
        return cls(valid_for=valid_for, rejected=rejected, clock=clock, deadline=deadline, monotonic=time.monotonic)

    def remaining(self) -> float:
        """Real seconds left of the fetch's own time limit, 0 when it has run out."""
        return max(0.0, self._deadline - self._monotonic())

    def record_server_time(self, unix_seconds: float) -> None:
        """Report the server's time when it answered with the credentials (its Date plus Age).

        Their remaining life is then computed from it, and a wrong local clock refreshes neither late nor early.

        Raises:
            ConfigurationError: it is not a number of seconds.
        """
        self.server_time = (checked_duration("unix_seconds", unix_seconds), self.clock.monotonic())

    def recheck_after(self, after: float = MAY_CHANGE_SECONDS) -> None:
        """Mark credentials without an expiry as replaceable at their source, as a key in a file may be edited.

        The first reader who comes more than `after` seconds later has them fetched again. Without effect on
        credentials that expire.

        Raises:
            ConfigurationError: `after` is not a number of seconds.
        """
        self.refetch_after = checked_duration("after", after)

    def limited_to(self, time_limit: float) -> FetchContext:
        """A context for one of several sources, with its own time limit within that of the whole.

        Raises:
            ConfigurationError: `time_limit` is not a number of seconds.
        """
        time_limit = checked_patience("time_limit", time_limit)
        return FetchContext(
            valid_for=self.valid_for,
            rejected=self.rejected,
            clock=self.clock,
            deadline=min(self._deadline, self._monotonic() + time_limit),
            monotonic=self._monotonic,
        )

    def merge(self, part: FetchContext) -> None:
        """Take over what `part` reported, now that its credentials are those of the whole."""
        self.server_time = part.server_time if part.server_time is not None else self.server_time
        self.refetch_after = part.refetch_after
