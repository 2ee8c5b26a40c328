"""How each fault looks on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.server.http_parser import response_head
from ramrole_creds.testing.server.messages import WireResponse

if TYPE_CHECKING:
    from ramrole_creds.testing.faults.script import Fault, MatchedFaults
    from ramrole_creds.testing.request_log import RecordedRequest
    from ramrole_creds.testing.server.http_server import Connection

Options = Mapping[str, Any]

OVERSIZE_BYTES = 8 * 1024 * 1024
DRIP_SECONDS = 0.05
FLOOD = 10_000
GARBAGE = b"SSH-2.0-OpenSSH_9.6\r\n\x16\x03\x01\x02\x00\x01\x00\xff\xfe" + bytes(range(256))
GARBAGE_BODY = "<html><head><title>Sign in to the network</title></head><body>\x00\xff\ufeff{]</body></html>"


def modify(response: WireResponse, matched: MatchedFaults, date: float) -> tuple[WireResponse, float | None]:
    """The answer with all modifiers applied, and its Date (None for none)."""
    sends_date: float | None = date
    for fault in matched.modifiers:
        options = fault.options
        if fault.what == "no-date":
            sends_date = None
        elif fault.what == "date" and "value" in options:
            sends_date = None
            response = with_header(response, "Date", str(options["value"]))
        elif fault.what == "date" and sends_date is not None:
            sends_date += float(options.get("seconds", 0.0))
        elif fault.what == "age":
            response = with_header(response, "Age", f"{int(options.get('seconds', 0))}")
        elif fault.what == "header":
            response = with_header(response, str(options["name"]), str(options.get("value", "")))
        elif fault.what == "document":
            response = _with_document(response, options)
    return response, sends_date


@dataclass(frozen=True, slots=True)
class FaultContext:
    """What an answer, right or wrong, is played on.

    Args:
        connection: where it goes.
        entry: the request's record; it learns the status before a byte of it is on the wire.
        answer: makes the answer there would be without the fault.
        date: the answer's Date, None for none.
        keep: whether the client keeps the connection.
    """

    connection: Connection
    entry: RecordedRequest
    answer: Callable[[], WireResponse]
    date: float | None
    keep: bool

    def head(self, response: WireResponse) -> bytes:
        """The head of an answer that is about to be sent."""
        self.entry.status = response.status
        return response_head(response, date=self.date, keep=self.keep)

    def respond(self, response: WireResponse) -> bool:
        """Send a whole answer; True when the connection may serve another request."""
        return self.connection.send(self.head(response) + response.body) and self.keep


def play(fault: Fault, context: FaultContext) -> bool:
    """Put a fault on the wire in place of the answer; True when the connection may serve another request."""
    return _PLAYS[fault.what](fault.options, context)


def with_header(response: WireResponse, name: str, value: str) -> WireResponse:
    """The answer with a header set."""
    others = tuple(pair for pair in response.headers if pair[0].lower() != name.lower())
    return WireResponse(response.status, (*others, (name, value)), response.body, response.reason)


def _status(options: Options, context: FaultContext) -> bool:
    headers = options.get("headers", {})
    pairs = tuple(headers.items()) if isinstance(headers, Mapping) else tuple(tuple(pair) for pair in headers)
    if "retry_after" in options:
        pairs += (("Retry-After", str(options["retry_after"])),)
    body = _bytes(options.get("body", ""))
    return context.respond(WireResponse(int(options["status"]), pairs, body, str(options.get("reason", ""))))


def _redirect(options: Options, context: FaultContext) -> bool:
    location = str(options.get("location", "http://captive.portal.invalid/login"))
    return context.respond(WireResponse(int(options.get("status", 302)), (("Location", location),)))


def _garbage_body(options: Options, context: FaultContext) -> bool:
    body = _bytes(options.get("body", GARBAGE_BODY))
    return context.respond(WireResponse(200, (("Content-Type", "text/html"),), body))


def _garbage(options: Options, context: FaultContext) -> bool:
    context.connection.send(_bytes(options.get("data", GARBAGE)))
    return False


def _informational(options: Options, context: FaultContext) -> bool:
    line = b"HTTP/1.1 %d Informational\r\n\r\n" % int(options.get("status", 100))
    for _ in range(int(options.get("count", FLOOD))):
        if not context.connection.send(line):
            return False
    return context.respond(context.answer())


def _reset(options: Options, context: FaultContext) -> bool:
    _begin(options, context)
    context.connection.reset()
    return False


def _hang(options: Options, context: FaultContext) -> bool:
    _begin(options, context)
    context.connection.hang()
    return False


def _close(_options: Options, _stage: FaultContext) -> bool:
    return False


def _begin(options: Options, context: FaultContext) -> None:
    """The first bytes of the answer, where the fault comes only after them."""
    after = int(options.get("after", 0))
    if after:
        response = context.answer()
        context.connection.send((context.head(response) + response.body)[:after])


def _truncate(options: Options, context: FaultContext) -> bool:
    response = context.answer()
    at = int(options.get("at", len(response.body) // 2))
    context.connection.send(context.head(response) + response.body[:at])
    return False


def _drip(options: Options, context: FaultContext) -> bool:
    response = context.answer()
    quick = context.head(response)
    slow = response.body
    if options.get("part", "body") == "head":
        quick, slow = b"", quick + slow
    interval = float(options.get("interval", DRIP_SECONDS))
    sent = context.connection.send(quick)
    for index in range(len(slow)):
        if not sent:
            break
        sent = context.connection.sleep(interval) and context.connection.send(slow[index : index + 1])
    return sent and context.keep


def _oversize(options: Options, context: FaultContext) -> bool:
    size = int(options.get("bytes", OVERSIZE_BYTES))
    header = ("Content-Length", str(size)) if options.get("length", True) else ("Transfer-Encoding", "identity")
    response = with_header(context.answer(), *header)
    going = context.connection.send(context.head(response))
    block = b"x" * 65536
    sent = 0
    while going and sent < size:
        going = context.connection.send(block[: size - sent])
        sent += len(block)
    return False


_PLAYS: Mapping[str, Callable[[Options, FaultContext], bool]] = {
    "status": _status,
    "redirect": _redirect,
    "garbage-body": _garbage_body,
    "garbage": _garbage,
    "informational": _informational,
    "reset": _reset,
    "outage": _reset,
    "hang": _hang,
    "close": _close,
    "truncate": _truncate,
    "drip": _drip,
    "oversize": _oversize,
}


def _with_document(response: WireResponse, options: Mapping[str, Any]) -> WireResponse:
    """Change keys of a credential document; an answer that is none stays as it is."""
    try:
        document = json.loads(response.body)
    except ValueError:
        return response
    if not isinstance(document, dict) or response.status != 200:
        return response
    document.update(options.get("set", {}))
    for key in options.get("drop", ()):
        document.pop(key, None)
    body = json.dumps(document, indent=2, separators=(",", " : ")).encode()
    return WireResponse(response.status, response.headers, body, response.reason)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return json.dumps(value).encode()
