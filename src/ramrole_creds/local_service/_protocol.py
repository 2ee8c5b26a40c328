"""uvicorn's HTTP/1.1 protocol with bounds on size, time and connections, and with the peer of a Unix socket."""

from __future__ import annotations

import logging
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from ramrole_creds.local_service._history import History
    from ramrole_creds.local_service._limits import ServiceLimits

PEER: Final = "ramrole_creds.peer_uid"

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_PEER_FORMAT: Final = "iII"  # Linux, struct ucred: pid, uid, gid
_DARWIN_PEER_FORMAT: Final = "IIh2x16I"  # macOS, struct xucred: version, uid, number of groups, groups
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1  # macOS, <sys/un.h>
_BYTES_AROUND_A_HEADER: Final = 4  # ": " and the line end
# uvicorn warns of each request that a client got wrong; here these are counted, and nobody else may fill the log.
_logger: Final = logging.getLogger("ramrole_creds.local_service.http")
_logger.addFilter(lambda record: record.levelno != logging.WARNING)


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that send too much or too slowly. `protocol_for` makes the subclass of a service."""

    limits: ServiceLimits
    history: History
    # Connections that wait for a request, the longest wait first; used by the service's one event loop.
    waiting: dict[LimitedProtocol, None]

    _timer: asyncio.TimerHandle | None = None
    _peer_uid: int | None = None
    _head_bytes = 0
    _body_bytes = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to count, and find out who is at the other end."""
        self.logger, self.access_log = _logger, False  # the path is a secret
        super().connection_made(transport)
        self._peer_uid = peer_uid(transport.get_extra_info("socket"))
        self._start_timer()
        self.waiting[self] = None
        # Not yet, but after the next reads of the loop: many may be accepted at once, and a request may be among them.
        self.loop.call_soon(self.loop.call_soon, self._make_room)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the request is too large."""
        if not self._in_body:
            self._head_bytes += len(data)
        if self._timer is None:
            self._start_timer()
        super().data_received(data)
        if not self._in_body and self._head_bytes > self.limits.max_head_bytes and not self.transport.is_closing():
            self.history.count("too_large")
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._body_bytes = 0
        if self._peer_uid is not None:
            self.scope["extensions"] = {PEER: {"uid": self._peer_uid}}

    def on_headers_complete(self) -> None:
        """The head has come: choose who answers."""
        self._in_body = True
        self._head_bytes = 0
        outcome = self._refusal()
        self.app = self.config.loaded_app if outcome is None else _REFUSALS[outcome]
        if outcome is not None:
            self.history.count(outcome)
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
        self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer was sent; the connection may be used again."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # no pipelined request follows
            self.waiting[self] = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not a request."""
        self.history.count("bad_request")
        super().send_400_response(msg)

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is ignored, as HTTP allows."""

    def _refusal(self) -> str | None:
        """Why the request does not reach the application, None where it does."""
        size = len(self.url) + sum(len(name) + len(value) + _BYTES_AROUND_A_HEADER for name, value in self.headers)
        if size > self.limits.max_head_bytes:
            return "too_large"
        # The absolute form is for proxies, and its authority would count instead of Host; two Hosts are one too many.
        if not self.url.startswith(b"/") or sum(name == b"host" for name, _ in self.headers) > 1:
            return "bad_request"
        others = len(self.connections) - len(self.waiting) - (self not in self.waiting)
        return "busy" if others >= self.limits.max_connections else None

    def _make_room(self) -> None:
        """Close the connection that has waited longest: many that say nothing must not keep out one that asks."""
        oldest = next(iter(self.waiting), None)
        if oldest is not None and len(self.connections) > self.limits.max_connections:
            del self.waiting[oldest]
            oldest.connections.discard(oldest)
            oldest.transport.close()

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


def protocol_for(limits: ServiceLimits, history: History) -> type[LimitedProtocol]:
    """The protocol of one server of a service.

    Args:
        limits: see `ServiceLimits`.
        history: counts what is refused before the application.
    """
    return type("Protocol", (LimitedProtocol,), {"limits": limits, "history": history, "waiting": {}})


def peer_uid(connection: Any, platform: str = sys.platform) -> int | None:  # noqa: ANN401  # asyncio's or uvloop's
    """The user id of the process at the other end of a Unix socket; None for TCP, and where the system cannot say."""
    if getattr(connection, "family", None) != getattr(socket, "AF_UNIX", -1):
        return None
    if platform == "darwin":
        level, option, layout = _SOL_LOCAL, _LOCAL_PEERCRED, _DARWIN_PEER_FORMAT
    elif hasattr(socket, "SO_PEERCRED"):
        level, option, layout = socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_FORMAT
    else:
        return None
    content = connection.getsockopt(level, option, struct.calcsize(layout))
    return int(struct.unpack(layout, content)[1])


def _refuse_with(status: int) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-length", b"0"), (b"connection", b"close"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return refuse


_REFUSALS: Final = {"too_large": _refuse_with(431), "bad_request": _refuse_with(400), "busy": _refuse_with(503)}
