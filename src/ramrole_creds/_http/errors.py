"""How a request can end without a usable answer. Every text is safe to print."""

from __future__ import annotations

from ramrole_creds.errors import FetchError


class HttpError(FetchError):
    """A request got no usable answer.

    Args:
        message: what was requested and what came back.
        connected: True if the server had been reached.
        retriable: True if the same request may succeed in a moment.
        local: True if this process or machine has run out of a resource, so that nothing is known of the server.
    """

    answered: bool = False
    """True if bytes of an answer had come, to this attempt or to an earlier one."""

    def __init__(
        self, message: str = "", *, connected: bool = False, retriable: bool = False, local: bool = False
    ) -> None:
        super().__init__(message)
        self.connected = connected
        self.retriable = retriable
        self.local = local


class ConnectTimeout(HttpError):
    """The attempt to connect was not answered: packets are dropped on the way."""


class ConnectFailed(HttpError):
    """The connection was refused, the address is unreachable, or the name does not resolve."""


class ProxyUnusable(ConnectFailed):
    """The proxy that the environment names cannot be used; nothing reached the server."""


class ReadTimeout(HttpError):
    """The server accepted the connection and did not answer in time."""


class TimeLimitExceeded(HttpError):
    """The time limit of all requests together has passed."""


class ConnectionBroken(HttpError):
    """The connection ended before the answer was complete."""


class BadResponse(HttpError):
    """The answer is not HTTP, or cannot be decoded."""


class BodyTooLarge(HttpError):
    """The answer is longer than the limit; reading stopped there."""
