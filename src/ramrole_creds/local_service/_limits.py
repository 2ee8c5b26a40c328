"""How much a client may ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ramrole_creds._checks import is_number
from ramrole_creds._descriptors import at_most_half
from ramrole_creds.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Limits of a local service.

    Args:
        requests_per_second: how many requests a client may send on average; 0 for any number.
        burst: how many it may send at once.
        max_head_bytes: request line and headers.
        max_body_bytes: a body, which no request needs.
        max_connections: open connections of all clients, at most half of the files that the process may open. Beyond it
            the one that has waited longest for a request is closed.
        request_seconds: from a request's first byte, or a connection's start, to the request's end.
        idle_seconds: between two requests of a connection.
        fetch_seconds: how long a client waits for credentials that must be fetched.
        drain_seconds: how long `close` waits for the requests that are being answered.

    Raises:
        ConfigurationError: a value is negative or not a number, or must be above 0.
    """

    requests_per_second: float = 200.0
    burst: float = 400.0
    max_head_bytes: int = 16384
    max_body_bytes: int = 1024
    max_connections: int = 512
    request_seconds: float = 5.0
    idle_seconds: float = 30.0
    fetch_seconds: float = 10.0
    drain_seconds: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not is_number(value) or value < 0:
                raise ConfigurationError(f"{field.name} must be a number, 0 or more, not {value!r}.")
            if value == 0 and field.name != "requests_per_second":
                raise ConfigurationError(f"{field.name} must be above 0.")


def within_descriptors(limits: ServiceLimits) -> ServiceLimits:
    """The limits with connections that leave the process half of its descriptors."""
    return replace(limits, max_connections=at_most_half(limits.max_connections))
