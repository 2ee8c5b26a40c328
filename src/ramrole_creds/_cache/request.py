"""What one caller asks for, and what it has waited for so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ramrole_creds._cache.decisions import Ask
from ramrole_creds._checks import checked_patience

if TYPE_CHECKING:
    from ramrole_creds._cache.in_flight import InFlightFetch


class CredentialRequest:
    """One call.

    Args:
        now: the runtime's seconds, in which timeouts are measured.
        valid_for: seconds that the credentials must still live.
        timeout: how long the caller waits, in seconds, None for as long as the fetch may take.
        may_block: False for a coroutine, which must not run a fetch itself.

    Raises:
        ConfigurationError: one of them is not a number of seconds.
    """

    __slots__ = ("deadline", "fetches", "for_result", "in_flight", "may_block", "valid_for", "waited")

    def __init__(self, now: float, valid_for: float, timeout: float | None, *, may_block: bool = True) -> None:
        self.valid_for = checked_patience("valid_for", valid_for)
        self.deadline = math.inf if timeout is None else now + checked_patience("timeout", timeout)
        self.may_block = may_block
        self.in_flight: InFlightFetch | None = None
        self.waited = False
        """It has waited briefly, and takes what is valid now."""
        self.for_result = False
        """It waits for the outcome of `in_flight`, since nothing held suffices."""
        self.fetches = 0

    def ask(self) -> Ask:
        """What it wants and has waited for, at this instant."""
        in_flight = self.in_flight
        if not self.for_result or in_flight is None or not in_flight.done():
            return Ask(self.valid_for, self.deadline, self.waited, self.for_result, fetches=self.fetches)
        if in_flight.withdrawn:  # nothing came of it
            self.for_result = False
            return Ask(self.valid_for, self.deadline, self.waited, fetches=self.fetches)
        return Ask(
            self.valid_for,
            self.deadline,
            self.waited,
            for_result=True,
            landed=True,
            error=in_flight.error,
            unchanged=in_flight.unchanged,
            fetches=self.fetches,
        )

    def wait_for_result(self, in_flight: InFlightFetch) -> None:
        """Nothing held suffices: wait for the outcome of `in_flight`."""
        if not self.for_result or self.in_flight is not in_flight:
            self.fetches += 1
        self.in_flight = in_flight
        self.for_result = True

    def wait_briefly(self, in_flight: InFlightFetch) -> None:
        """Give `in_flight` a moment, then take what is valid."""
        self.in_flight = in_flight
        self.waited = True
