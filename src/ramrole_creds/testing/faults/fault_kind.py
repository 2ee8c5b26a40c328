"""What every kind of fault is, and what it works with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds.testing.faults.options import require_rules
from ramrole_creds.testing.server.http_parser import response_head

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ramrole_creds.testing.request_log import RecordedRequest
    from ramrole_creds.testing.server.connection import Connection
    from ramrole_creds.testing.server.http_parser import DateHeader
    from ramrole_creds.testing.server.http_server import Listening
    from ramrole_creds.testing.server.messages import WireResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """A kind of fault with its options; derive from `Modifier`, `Replacement` or `PortFault`.

    Raises:
        TypeError: an option is unknown or missing.
        ValueError: an option has a value that it does not accept.
    """

    what: ClassVar[str]

    def __post_init__(self) -> None:
        require_rules(self, f"The option {{}} of the fault {self.what!r}")

    @property
    def options(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.what}({options})" if options else self.what


class Modifier(FaultKind):
    """Changes the right answer; each method leaves everything as it is unless a fault overrides it."""

    __slots__ = ()

    def apply(self, response: WireResponse) -> WireResponse:
        """The answer with the fault in it."""
        return response

    def dated(self, date: DateHeader) -> DateHeader:
        """The Date header of the answer, which a replacement of the answer carries too."""
        return date

    def delay(self, chance: random.Random) -> float:
        """Real seconds to wait before the answer is sent."""
        return 0.0

    def clock_error(self) -> float:
        """Seconds by which the server's clock is ahead."""
        return 0.0


class Replacement(FaultKind):
    """Takes the place of the answer."""

    __slots__ = ()

    def apply(self, context: FaultContext) -> bool:
        """Send what is sent in place of the answer; True when the connection may serve another request."""
        raise NotImplementedError


class PortFault(FaultKind):
    """A state of the port."""

    __slots__ = ()

    state: ClassVar[Listening]


@dataclass(frozen=True, slots=True)
class FaultContext:
    """Everything that an answer, right or wrong, is sent with.

    `entry` records the request; its status is set before a byte is sent. `answer` makes the answer without the fault,
    `keep` says whether the client keeps the connection.
    """

    connection: Connection
    entry: RecordedRequest
    answer: Callable[[], WireResponse]
    date: DateHeader
    keep: bool

    def head(self, response: WireResponse) -> bytes:
        """The head of an answer that is about to be sent."""
        self.entry.status = response.status
        return response_head(response, date=self.date, keep=self.keep)

    def respond(self, response: WireResponse) -> bool:
        """Send a whole answer; True when the connection may serve another request."""
        return self.connection.send(self.head(response) + response.body) and self.keep

    def send_start(self, byte_count: int) -> None:
        """Send the first bytes of the right answer, its head included; nothing where the count is 0."""
        if byte_count:
            response = self.answer()
            self.connection.send((self.head(response) + response.body)[:byte_count])
