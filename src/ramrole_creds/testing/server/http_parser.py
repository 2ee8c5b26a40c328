"""Reading requests off a socket and writing response heads: HTTP/1.1 as far as a fake needs it."""

from __future__ import annotations

import contextlib
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireRequest, WireResponse

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

MAX_HEAD_BYTES = 128 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_LENGTH_DIGITS = 19
MAX_HEAD_SECONDS = 60.0
DRAIN_SECONDS = 0.05

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


class RequestReader:
    """Reads one request after the other from a socket, and keeps what was sent ahead."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = b""

    def next(self, now: Callable[[], float]) -> WireRequest | None:
        """The next request; None at the end of the connection.

        Raises:
            BadRequest: malformed, or larger than a fake accepts.
            OSError: the connection broke.
        """
        head = self._head()
        if head is None:
            return None
        method, target, version, headers = _parse_head(head)
        at = now()
        fields = {name.lower(): value for name, value in headers}
        if "100-continue" in fields.get("expect", "").lower():
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in fields.get("transfer-encoding", "").lower():
            body = self._chunks()
        else:
            body = self._exactly(_length(fields.get("content-length", "0")))
        if version == "HTTP/1.0" and "keep-alive" not in fields.get("connection", "").lower():
            headers = (*headers, ("Connection", "close"))
        return WireRequest(method, target, headers, body, at)

    def drain(self) -> None:
        """Read what still arrives, briefly, so that closing does not reset an answer that is being sent."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(DRAIN_SECONDS)
            while self._socket.recv(65536):
                pass

    def _head(self) -> bytes | None:
        deadline = time.monotonic() + MAX_HEAD_SECONDS
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
                return head
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest(431, "Request head too large")
            if time.monotonic() > deadline:
                raise BadRequest(408, "Request head too slow")
            data = self._socket.recv(65536)
            if not data:
                return None
            self._buffer += data

    def _exactly(self, count: int) -> bytes:
        parts = [self._buffer[:count]]
        missing = count - len(parts[0])
        self._buffer = self._buffer[count:]
        while missing > 0:
            data = self._socket.recv(min(missing, 1 << 20))
            if not data:
                raise ConnectionResetError("the client left inside its body")
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest(400, "Chunk head too large")
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the client left inside its body")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            try:
                size = int(self._line().partition(b";")[0].strip(), 16)
            except ValueError:
                raise BadRequest(400, "Malformed chunk") from None
            total += size
            if size < 0 or total > MAX_BODY_BYTES:
                raise BadRequest(413, "Body too large")
            if size == 0:
                while self._line():
                    pass
                return b"".join(parts)
            parts.append(self._exactly(size))
            self._exactly(2)


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
