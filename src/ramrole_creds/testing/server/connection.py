"""The connection of one client, with the methods that faults use."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.http_parser import response_head
from ramrole_creds.testing.server.real_time import monotonic

if TYPE_CHECKING:
    import threading

    from ramrole_creds.testing.server.messages import WireResponse

HANG_SECONDS = 3600.0


class Connection:
    """The connection of one client, and everything that a fault may do to it."""

    def __init__(self, sock: socket.socket, number: int, stopping: threading.Event) -> None:
        self.number = number
        self.waits_since: float | None = monotonic()
        """Since when it waits for a request; None while one is answered."""
        self._socket = sock
        self._stopping = stopping

    def send(self, data: bytes) -> bool:
        """Put bytes on the wire; False when the client has gone."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def respond(self, response: WireResponse, *, date: float | None, keep: bool) -> bool:
        """Send a whole response; True when the connection may serve another request."""
        head = response_head(response, date=date, keep=keep)
        return self.send(head + response.body) and keep

    def sleep(self, seconds: float) -> bool:
        """Wait; False when the client left or the server stops meanwhile."""
        deadline = monotonic() + seconds
        while not self._stopping.is_set():
            left = deadline - monotonic()
            if left <= 0:
                return True
            try:
                readable = readable_of([self._socket], min(left, 0.2))
                if readable and not self._socket.recv(1, socket.MSG_PEEK):
                    return False
                if readable:  # a pipelined request waits; do not spin on it
                    self._stopping.wait(min(left, 0.05))
            except (OSError, ValueError):
                return False
        return False

    def hang(self) -> None:
        """Answer nothing until the client leaves or the server stops."""
        while self.sleep(HANG_SECONDS):
            pass

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        with contextlib.suppress(OSError):
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def finish(self) -> None:
        """End the connection with FIN."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """Wake whoever reads or writes the connection; called from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with contextlib.suppress(OSError):
            self._socket.close()


def readable_of(sockets: list[socket.socket], timeout: float | None) -> list[socket.socket]:
    """Those of the sockets that have something to read (or their end) within `timeout` seconds."""
    if not hasattr(select, "poll"):
        return select.select(sockets, [], [], timeout)[0]
    poll = select.poll()  # select() refuses descriptors above 1023, which crowds of clients reach
    for sock in sockets:
        poll.register(sock, select.POLLIN)
    ready = {number for number, _ in poll.poll(None if timeout is None else timeout * 1000)}
    return [sock for sock in sockets if sock.fileno() in ready]
