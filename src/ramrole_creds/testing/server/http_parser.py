"""Reading requests off a socket and writing response heads: HTTP/1.1 as far as a fake needs it."""

from __future__ import annotations

import contextlib
import math
import threading
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireRequest, WireResponse
from ramrole_creds.testing.server.real_time import monotonic

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

MAX_HEAD_BYTES = 128 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_LENGTH_DIGITS = 19
MAX_BODIES_BYTES = 2 * MAX_BODY_BYTES  # of all connections together
MAX_REQUEST_SECONDS = 120.0
RECEIVED_BYTES = 65536
DRAIN_SECONDS = 0.05
TLS_HANDSHAKE = b"\x16\x03"  # a record of the kind handshake, of any version

# Of an answer: Unix seconds, a text that is sent as it is, or None for no header.
DateHeader = float | str | None

# A service may repeat text of the request in a header; a line end in it would begin another header.
_LINE_ENDS = {ord("\r"): " ", ord("\n"): " "}
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODYLESS = {204, 304}


class BadRequest(Exception):
    """The bytes are not a request that can be served."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.page: bytes = f"{why}\n".encode()


class TlsNotSpoken(BadRequest):
    """The client begins a TLS handshake."""

    def __init__(self) -> None:
        super().__init__(400, "The fake cloud does not speak TLS. Use its URL, which begins with http://.")


class BodyBudget:
    """How many bytes of bodies all connections of a server may hold at once; safe for many threads.

    Args:
        max_bytes: the maximum.
    """

    def __init__(self, max_bytes: int = MAX_BODIES_BYTES) -> None:
        self._left = max_bytes
        self._lock = threading.Lock()  # guards _left

    def take(self, count: int) -> bool:
        """Take so many bytes; False where not so many are left."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Free bytes that were taken."""
        with self._lock:
            self._left += count


class RequestReader:
    """Reads one request after the other from a socket, and keeps what was sent ahead.

    Args:
        sock: the socket; its timeout is the longest silence.
        budget: what bodies may take.
        max_seconds: from the first byte of a request to its end.
    """

    def __init__(
        self, sock: socket.socket, budget: BodyBudget | None = None, max_seconds: float = MAX_REQUEST_SECONDS
    ) -> None:
        self._socket = sock
        self._buffer = bytearray()
        self._budget = budget or BodyBudget()
        self._max_seconds = max_seconds
        self._deadline = math.inf
        self._patience = sock.gettimeout()
        self._taken = 0

    def next(self, now: Callable[[], float]) -> WireRequest | None:
        """The next request; None at the end of the connection.

        Raises:
            BadRequest: malformed, or larger than a fake accepts.
            OSError: the connection broke.
        """
        self.release()
        self._deadline = math.inf
        head = self._head()
        if head is None:
            return None
        method, target, version, headers = _parse_head(head)
        at = now()
        fields = {name.lower(): value for name, value in headers}
        if len({value for name, value in headers if name.lower() == "content-length"}) > 1:
            raise BadRequest(400, "More than one Content-Length")
        if "100-continue" in fields.get("expect", "").lower():
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        if "chunked" in fields.get("transfer-encoding", "").lower():
            self._add_chunks(body)
        else:
            self._add(body, _length(fields.get("content-length", "0")))
        if version == "HTTP/1.0" and "keep-alive" not in fields.get("connection", "").lower():
            headers = (*headers, ("Connection", "close"))
        return WireRequest(method, target, headers, bytes(body), at)

    def drain(self) -> None:
        """Read what still arrives, briefly, so that closing does not reset an answer that is being sent."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(DRAIN_SECONDS)
            while self._socket.recv(65536):
                pass

    def release(self) -> None:
        """Give back what the body of the last request took of the budget."""
        self._budget.give_back(self._taken)
        self._taken = 0

    def _fill(self) -> bool:
        """Receive some bytes of a request; False at the end of the connection.

        Raises:
            BadRequest: the request is not complete in its time.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise BadRequest(408, "Request too slow")
        if left != math.inf:
            self._socket.settimeout(left if self._patience is None else min(left, self._patience))
        data = self._socket.recv(RECEIVED_BYTES)
        self._buffer += data
        return bool(data)

    def _fill_body(self) -> None:
        if not self._fill():
            raise ConnectionResetError("the client left inside its body")

    def _head(self) -> bytes | None:
        while True:
            while self._buffer.startswith((b"\r", b"\n")):
                del self._buffer[:1]
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                head = self._cut(end)
                del self._buffer[:4]
                self._start_clock()
                return head
            if self._buffer.startswith(TLS_HANDSHAKE):
                raise TlsNotSpoken
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest(431, "Request head too large")
            if self._buffer:
                self._start_clock()
            if not self._fill():
                return None

    def _start_clock(self) -> None:
        if self._deadline == math.inf:
            self._deadline = monotonic() + self._max_seconds

    def _cut(self, count: int) -> bytes:
        """The first bytes of the buffer, which loses them."""
        part = bytes(self._buffer[:count])
        del self._buffer[:count]
        return part

    def _add(self, body: bytearray, count: int) -> None:
        """Move so many bytes of the connection to the body."""
        while count > 0:
            if not self._buffer:
                self._fill_body()
            part = self._cut(min(count, len(self._buffer)))
            if not self._budget.take(len(part)):
                raise BadRequest(503, "Too many large bodies at once")
            self._taken += len(part)
            body += part
            count -= len(part)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest(400, "Chunk head too large")
            self._fill_body()
        line = self._cut(end)
        del self._buffer[:2]
        return line

    def _add_chunks(self, body: bytearray) -> None:
        while True:
            try:
                size = int(self._line().partition(b";")[0].strip(), 16)
            except ValueError:
                raise BadRequest(400, "Malformed chunk") from None
            if size < 0 or len(body) + size > MAX_BODY_BYTES:
                raise BadRequest(413, "Body too large")
            if size == 0:
                self._skip_trailers()
                return
            self._add(body, size)
            if self._line():
                raise BadRequest(400, "Malformed chunk")

    def _skip_trailers(self) -> None:
        size = 0
        while line := self._line():
            size += len(line) + 2
            if size > MAX_HEAD_BYTES:
                raise BadRequest(431, "Trailers too large")


def response_head(response: WireResponse, *, date: DateHeader, keep: bool) -> bytes:
    """Status line and header fields, the blank line included.

    `Date` (where `date` is given), `Content-Length` and `Connection` are added unless the response brings its own.
    """
    reason = response.reason or _REASONS.get(response.status, "Unknown")
    headers = _completed(response, date=date, keep=keep)
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join(line.translate(_LINE_ENDS) for line in lines) + "\r\n\r\n"
    try:
        return head.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a service repeats text of the request
        return head.encode("utf-8", "replace")


def _completed(response: WireResponse, *, date: DateHeader, keep: bool) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in response.headers}
    headers = [*response.headers]
    if date is not None and "date" not in given:
        headers.insert(0, ("Date", date if isinstance(date, str) else formatdate(date, usegmt=True)))
    if given.isdisjoint({"content-length", "transfer-encoding"}) and response.status not in _BODYLESS:
        headers.append(("Content-Length", str(len(response.body))))
    if "connection" not in given:
        headers.append(("Connection", "keep-alive" if keep else "close"))
    return headers


def keeps_alive(request: WireRequest) -> bool:
    """True when the client will use the connection again."""
    return not any(name.lower() == "connection" and "close" in value.lower() for name, value in request.headers)


def _parse_head(head: bytes) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400, "Malformed request line")
    method, target, version = parts
    if "://" in target.partition("?")[0] and not target.startswith("/"):  # absolute form, as sent to a proxy
        target = "/" + target.partition("://")[2].partition("/")[2]
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "Malformed header")
        headers.append((name, value.strip(" \t")))
    return method, target, version, tuple(headers)


def _length(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadRequest(400, "Malformed Content-Length")
    if len(text) > MAX_LENGTH_DIGITS or int(text) > MAX_BODY_BYTES:
        raise BadRequest(413, "Body too large")
    return int(text)
