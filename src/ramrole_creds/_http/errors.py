"""How a request can go without a usable answer; every text is safe to print."""

from __future__ import annotations

from ramrole_creds.errors import FetchError


class HttpError(FetchError):
    """A request that got no usable answer.

    Args:
        connected: True where the server had been reached.
        retriable: True where the same request may succeed in a moment.
        local: True where this process or machine has run out of something.
    """

    answered = False
    """True where bytes of an answer had come, to this try or to one before it."""

    def __init__(
        self, message: str = "", *, connected: bool = False, retriable: bool = False, local: bool = False
    ) -> None:
        super().__init__(message)
        self.connected = connected
        self.retriable = retriable
        self.local = local


class ConnectTimeout(HttpError):
    """Nobody answered the attempt to connect: packets are dropped on the way."""


class ConnectFailed(HttpError):
    """Refused, unreachable, or a name that does not resolve."""


class ReadTimeout(HttpError):
    """Connected, and then no answer in time."""


class TimeLimitExceeded(HttpError):
    """The time limit of the whole was used up."""


class ConnectionBroken(HttpError):
    """The connection ended before the answer did."""


class BadResponse(HttpError):
    """What came back is not HTTP, or cannot be decoded."""


class BodyTooLarge(HttpError):
    """The answer is longer than anything sensible; reading was stopped at the cap."""
