"""uvicorn's HTTP/1.1 protocol with bounds on size and time, and with the peer of a Unix socket."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from ramrole_creds.local_service._limits import ServiceLimits

PEER = "ramrole_creds.peer_uid"

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_PEER_FORMAT = "3i"  # struct ucred: pid, uid, gid


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that send too much or too slowly. A subclass per service sets `limits`."""

    limits: ServiceLimits

    _timer: asyncio.TimerHandle | None = None
    _peer_uid: int | None = None
    _head_bytes = 0
    _body_bytes = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to count, and find out who is at the other end."""
        super().connection_made(transport)
        self._peer_uid = peer_uid(transport.get_extra_info("socket"))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the request is too large."""
        if not self._in_body:
            self._head_bytes += len(data)
        if self._timer is None:
            self._start_timer()
        super().data_received(data)
        if not self._in_body and self._head_bytes > self.limits.max_head_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._body_bytes = 0
        if self._peer_uid is not None:
            self.scope["extensions"] = {PEER: {"uid": self._peer_uid}}

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._in_body = True
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which no request needs."""
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.max_body_bytes:
            self.transport.close()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come as a whole."""
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.limits.request_seconds, self._cut_off)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


def peer_uid(connection: Any) -> int | None:  # noqa: ANN401  # what asyncio or uvloop calls a socket
    """The user id of the process at the other end of a Unix socket; None for TCP, and where the system cannot say."""
    if getattr(connection, "family", None) != getattr(socket, "AF_UNIX", -1):
        return None
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # macOS, Windows
        return None
    content = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize(_PEER_FORMAT))
    return int(struct.unpack(_PEER_FORMAT, content)[1])
