"""The kinds of faults: one dataclass each, whose fields are the options of the fault.

A `Modifier` changes the right answer and combines with others. A `Replacement` takes the place of the answer. A
`PortFault` is about the port itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ramrole_creds.testing.faults.fault_kind import FaultKind, Modifier, PortFault, Replacement
from ramrole_creds.testing.faults.options import (
    BOOLEAN,
    BYTES,
    CONTENT,
    MAX_SECONDS,
    STATUS,
    TEXT,
    Rule,
    content_bytes,
    integer,
    is_headers,
    is_names,
    is_object,
    is_text,
    number,
    option,
    or_none,
)
from ramrole_creds.testing.server.messages import WireResponse

if TYPE_CHECKING:
    import random

    from ramrole_creds.testing.faults.fault_kind import FaultContext
    from ramrole_creds.testing.server.http_parser import DateHeader
    from ramrole_creds.testing.server.http_server import Listening

GARBAGE = b"SSH-2.0-OpenSSH_9.6\r\n\x16\x03\x01\x02\x00\x01\x00\xff\xfe" + bytes(range(256))
GARBAGE_BODY = "<html><head><title>Sign in to the network</title></head><body>\x00\xff\ufeff{]</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(Modifier):
    """The answer comes later, in real time: `seconds`, and up to `jitter` seconds more."""

    what = "latency"
    seconds: float = option(number(0), 0.0)
    jitter: float = option(number(0), 0.0)

    def delay(self, chance: random.Random) -> float:
        """Real seconds to wait before the answer is sent."""
        return self.seconds + (chance.uniform(0, self.jitter) if self.jitter else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Modifier):
    """The Date header is `seconds` ahead (negative: behind), or is the text `value`."""

    what = "date"
    seconds: float = option(number(-100 * MAX_SECONDS, 100 * MAX_SECONDS), 0.0)
    value: str | None = option(or_none(TEXT), None)

    def dated(self, date: DateHeader) -> DateHeader:
        """The Date header of the answer."""
        if self.value is not None:
            return self.value
        return date + self.seconds if isinstance(date, (int, float)) else date


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDate(Modifier):
    """The answer has no Date header."""

    what = "no-date"

    def dated(self, date: DateHeader) -> DateHeader:
        """No Date header."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Age(Modifier):
    """The answer has an Age header of `seconds`, as from a cache."""

    what = "age"
    seconds: float = option(number(0), 0.0)

    def apply(self, response: WireResponse) -> WireResponse:
        """The answer with the header."""
        return response.with_header("Age", f"{int(self.seconds)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew(Modifier):
    """The server's clock is `seconds` ahead: it dates and issues by it."""

    what = "skew"
    seconds: float = option(number(-MAX_SECONDS), 0.0)

    def clock_error(self) -> float:
        """Seconds by which the server's clock is ahead."""
        return self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Modifier):
    """The answer has the header `name` with this `value`."""

    what = "header"
    name: str = option(TEXT)
    value: str = option(TEXT, "")

    def apply(self, response: WireResponse) -> WireResponse:
        """The answer with the header."""
        return response.with_header(self.name, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Modifier):
    """Keys of the JSON document that the service answers are `set` or left out (`drop`); errors stay as they are."""

    what = "document"
    set: Mapping[str, Any] | None = option(or_none(Rule("an object with text keys", is_object)), None)
    drop: Sequence[str] = option(Rule("a list of keys", is_names), ())

    def apply(self, response: WireResponse) -> WireResponse:
        """The answer with the changed document."""
        try:
            document = json.loads(response.body)
        except ValueError:
            return response
        if not isinstance(document, dict) or response.status != 200:
            return response
        document.update(self.set or {})
        for key in self.drop:
            document.pop(key, None)
        body = json.dumps(document, indent=2, separators=(",", " : ")).encode()
        return WireResponse(response.status, response.headers, body, response.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Replacement):
    """An answer with this `status`, `body`, `headers`, `reason` phrase and Retry-After header."""

    what = "status"
    status: int = option(STATUS)
    body: bytes | str | Mapping[str, Any] | Sequence[Any] | float | None = option(CONTENT, b"")
    headers: Mapping[str, str] | Sequence[Sequence[str]] = option(
        Rule("a list of name and value pairs", is_headers), ()
    )
    reason: str = option(TEXT, "")
    retry_after: float | str | None = option(
        Rule("seconds or a date", lambda value: value is None or number(0).accepts(value) or is_text(value)), None
    )

    def apply(self, context: FaultContext) -> bool:
        """Send the answer."""
        given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        headers = tuple((str(name), str(value)) for name, value in given)
        if self.retry_after is not None:
            headers += (("Retry-After", str(self.retry_after)),)
        return context.respond(WireResponse(self.status, headers, content_bytes(self.body), self.reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Replacement):
    """An answer that redirects to `location` with this `status`."""

    what = "redirect"
    location: str = option(TEXT, "http://captive.portal.invalid/login")
    status: int = option(STATUS, 302)

    def apply(self, context: FaultContext) -> bool:
        """Send the answer."""
        return context.respond(WireResponse(self.status, (("Location", self.location),)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageBody(Replacement):
    """An answer with status 200 and this `body`; by default the page of a captive portal."""

    what = "garbage-body"
    body: bytes | str | Mapping[str, Any] | Sequence[Any] | float | None = option(CONTENT, GARBAGE_BODY)

    def apply(self, context: FaultContext) -> bool:
        """Send the answer."""
        return context.respond(WireResponse(200, (("Content-Type", "text/html"),), content_bytes(self.body)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage(Replacement):
    """The bytes `data` in place of HTTP, then the end of the connection."""

    what = "garbage"
    data: bytes | str | Mapping[str, Any] | Sequence[Any] | float | None = option(CONTENT, GARBAGE)

    def apply(self, context: FaultContext) -> bool:
        """Send the bytes."""
        context.connection.send(content_bytes(self.data))
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Informational(Replacement):
    """A flood of `count` informational answers with this `status` before the right answer."""

    what = "informational"
    count: int = option(integer(0, 10_000_000), 10_000)
    status: int = option(integer(100, 199), 100)

    def apply(self, context: FaultContext) -> bool:
        """Send the flood, then the right answer."""
        line = b"HTTP/1.1 %d Informational\r\n\r\n" % self.status
        for _ in range(self.count):
            if not context.connection.send(line):
                return False
        return context.respond(context.answer())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Replacement):
    """The connection is reset, `after` so many bytes of the answer."""

    what = "reset"
    after: int = option(BYTES, 0)

    def apply(self, context: FaultContext) -> bool:
        """Reset the connection."""
        context.send_start(self.after)
        context.connection.reset()
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Replacement):
    """Every connection is reset."""

    what = "outage"

    def apply(self, context: FaultContext) -> bool:
        """Reset the connection."""
        context.connection.reset()
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(Replacement):
    """Nothing more comes `after` so many bytes of the answer, until the client leaves."""

    what = "hang"
    after: int = option(BYTES, 0)

    def apply(self, context: FaultContext) -> bool:
        """Hang."""
        context.send_start(self.after)
        context.connection.hang()
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Replacement):
    """The connection ends without a byte."""

    what = "close"

    def apply(self, context: FaultContext) -> bool:
        """Send nothing."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate(Replacement):
    """The body ends at byte `at` (by default in its middle), and the connection with it."""

    what = "truncate"
    at: int | None = option(or_none(BYTES), None)

    def apply(self, context: FaultContext) -> bool:
        """Send a part of the right answer."""
        response = context.answer()
        at = len(response.body) // 2 if self.at is None else self.at
        context.connection.send(context.head(response) + response.body[:at])
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip(Replacement):
    """The `part` ("body" or "head" and body) comes one byte at a time, every `interval` seconds."""

    what = "drip"
    interval: float = option(number(0), 0.05)
    part: Literal["body", "head"] = option(Rule('"body" or "head"', lambda value: value in ("body", "head")), "body")

    def apply(self, context: FaultContext) -> bool:
        """Send the right answer slowly."""
        response = context.answer()
        quick, slow = context.head(response), response.body
        if self.part == "head":
            quick, slow = b"", quick + slow
        sent = context.connection.send(quick)
        for index in range(len(slow)):
            if not sent:
                break
            sent = context.connection.sleep(self.interval) and context.connection.send(slow[index : index + 1])
        return sent and context.keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversize(Replacement):
    """A body of so many `bytes`, announced by a Content-Length unless `length` is false."""

    what = "oversize"
    bytes: int = option(BYTES, 8 * 1024 * 1024)
    length: bool = option(BOOLEAN, True)  # noqa: FBT003  # a default

    def apply(self, context: FaultContext) -> bool:
        """Send the body until the client leaves."""
        header = ("Content-Length", str(self.bytes)) if self.length else ("Transfer-Encoding", "identity")
        going = context.connection.send(context.head(context.answer().with_header(*header)))
        block = b"x" * 65536
        sent = 0
        while going and sent < self.bytes:
            going = context.connection.send(block[: self.bytes - sent])
            sent += len(block)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(PortFault):
    """Nothing listens at the port."""

    what = "refuse"
    state: ClassVar[Listening] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackhole(PortFault):
    """Connections to the port are never answered."""

    what = "blackhole"
    state: ClassVar[Listening] = "blackhole"


KINDS: Mapping[str, type[FaultKind]] = {
    kind.what: kind
    for kind in (
        *(Latency, Date, NoDate, Age, Skew, Header, Document),
        *(Status, Redirect, GarbageBody, Garbage, Informational, Reset, Outage, Hang, Close, Truncate, Drip, Oversize),
        *(Refuse, Blackhole),
    )
}
