"""What a fault gets to work with: the connection, and the answer that it replaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.http_parser import response_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.request_log import RecordedRequest
    from ramrole_creds.testing.server.http_parser import DateHeader
    from ramrole_creds.testing.server.http_server import Connection
    from ramrole_creds.testing.server.messages import WireResponse


@dataclass(frozen=True, slots=True)
class FaultContext:
    """Everything that an answer, right or wrong, is sent with.

    Args:
        connection: the client's connection.
        entry: the request's record. Its status is set before a byte of the answer is sent.
        answer: makes the answer that the client would get without the fault.
        date: the Date header of the answer.
        keep: whether the client keeps the connection.
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
