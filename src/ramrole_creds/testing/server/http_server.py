"""An HTTP/1.1 server close enough to the socket to misbehave on purpose.

One thread accepts connections and one thread serves each connection (keep-alive, pipelining). `stop` ends all of them,
also those that hang. The application decides the answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Literal

from ramrole_creds._descriptors import at_most_half
from ramrole_creds.testing.server.connection import Connection, readable_of
from ramrole_creds.testing.server.http_parser import (
    MAX_REQUEST_SECONDS,
    BadRequest,
    BodyBudget,
    RequestReader,
    TlsNotSpoken,
)
from ramrole_creds.testing.server.messages import WireRequest, WireResponse
from ramrole_creds.testing.server.real_time import monotonic

BACKLOG = 512
MAX_CONNECTIONS = 4096
MAX_IDLE_SECONDS = 60.0
SHORT_WAIT_SECONDS = 0.1
LONG_WAIT_SECONDS = 5.0  # of a connection that is closed where no thread can be started
JOIN_SECONDS = 5.0
FILLERS = 8  # self-made connections that fill the queue of a blackholed listener

Listening = Literal["open", "refuse", "blackhole"]


# Answers one request on the connection; True keeps the connection for another.
Application = Callable[[WireRequest, Connection], bool]


class HttpServer:
    """Serves an application on one address.

    Args:
        application: answers each request.
        host: the local address.
        port: 0 for a free one.
        now: Unix time of arrival, as written into requests.
        max_idle: real seconds after which a connection that sends nothing is closed.
        max_request: real seconds from the first byte of a request to its end.
        max_connections: open connections, at most half of the files that the process may open. Beyond it the one that
            has waited longest for a request is closed.
    """

    def __init__(
        self,
        application: Application,
        host: str,
        port: int,
        now: Callable[[], float],
        max_idle: float = MAX_IDLE_SECONDS,
        max_request: float = MAX_REQUEST_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.host: str = host
        self.port: int = port
        self.tls_attempts: int = 0  # connections on which a client spoke TLS
        self._application = application
        self._now = now
        self._max_idle = max_idle
        self._max_request = max_request
        self._max_connections = max_connections
        self._budget = BodyBudget()
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards _connections and _threads
        self._connections: set[Connection] = set()
        self._threads: set[threading.Thread] = set()
        self._numbers = 0
        self._wanted: Listening = "open"
        self._changed = threading.Event()
        self._listener: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._placeholder: socket.socket | None = None
        self._wake_reader: socket.socket | None = None
        self._wake_writer: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    def start(self) -> None:
        """Bind, listen and accept; `port` is the real one afterwards.

        Raises:
            OSError: the address is taken or not local.
        """
        self._stopping.clear()
        if self._wanted == "open":
            bound = self._listener = self._listen(BACKLOG)
        else:
            bound = self._placeholder = self._bound()
        self.port = bound.getsockname()[1]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name=f"fake-cloud-{self.port}", daemon=True)
        _servers.add(self)
        self._acceptor.start()

    def stop(self) -> None:
        """End every connection and thread; what hangs is woken."""
        self._stopping.set()
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is None:
            return
        self._wake()
        acceptor.join(JOIN_SECONDS)
        with self._lock:
            connections, threads = list(self._connections), list(self._threads)
        for connection in connections:
            connection.interrupt()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(JOIN_SECONDS)
        for sock in filter(None, (self._wake_reader, self._wake_writer)):
            sock.close()
        self._wake_reader = self._wake_writer = None
        _servers.discard(self)

    def listening(self, how: Listening) -> None:
        """Switch the port: "open", "refuse" (nothing listens) or "blackhole" (connections are never answered).

        The switch is done when the method returns. Open connections are cut unless the port opens.
        """
        if self._acceptor is None or (how == self._wanted and not self._changed.is_set()):
            self._wanted = how
            return
        self._changed.clear()
        self._wanted = how
        self._wake()
        self._changed.wait(JOIN_SECONDS)
        self._changed.clear()

    def abandon_after_fork(self) -> None:
        """In a forked child: close the parent's sockets without sending anything to the clients."""
        self._stopping.set()
        self._acceptor = None
        sockets = [self._listener, self._placeholder, self._wake_reader, self._wake_writer, *self._fillers]
        for sock in filter(None, sockets):
            sock.close()
        for connection in self._connections:
            connection.close()

    def _listen(self, backlog: int) -> socket.socket:
        listener = self._bound()
        listener.listen(backlog)
        listener.settimeout(0)
        return listener

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere the option would let two servers share the port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def _wake(self) -> None:
        if self._wake_writer is not None:
            with contextlib.suppress(OSError):
                self._wake_writer.send(b"x")

    def _accept(self) -> None:
        """The accepting thread; the only one that touches listener, placeholder and fillers while it runs."""
        current: Listening = "open" if self._listener is not None else "refuse"
        reader = self._wake_reader
        assert reader is not None  # noqa: S101  # set by start() before the thread exists
        while not self._stopping.is_set():
            wanted = self._wanted
            if wanted != current:
                try:
                    self._switch(wanted)
                except (OSError, MemoryError):  # the port is taken, or nothing is left: try again
                    self._stopping.wait(0.05)
                    continue
                current = wanted
                self._changed.set()
            watched = [reader] if self._listener is None or current != "open" else [reader, self._listener]
            for sock in readable_of(watched, None):
                if sock is reader:
                    reader.recv(64)
                else:
                    self._take_all(sock)
        self._close_listener()

    def _switch(self, how: Listening) -> None:
        self._close_listener()
        if how == "open":
            self._listener = self._listen(BACKLOG)
            return
        with contextlib.suppress(OSError):
            self._placeholder = self._bound()  # holds the port while nothing listens on it
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.interrupt()
        if how == "blackhole":
            self._listener = self._listen(0)
            for _ in range(FILLERS):
                filler = socket.socket(self._listener.family, socket.SOCK_STREAM)
                filler.settimeout(0)
                filler.connect_ex((self.host, self.port))
                self._fillers.append(filler)

    def _close_listener(self) -> None:
        for sock in filter(None, (self._listener, self._placeholder, *self._fillers)):
            sock.close()
        self._listener = self._placeholder = None
        self._fillers = []

    def _take_all(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError as error:  # no connection waits, or its client has left
                if error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                    self._stopping.wait(0.05)  # out of descriptors or memory: the connection still waits
                return
            sock.settimeout(self._max_idle)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._numbers += 1
            connection = Connection(sock, self._numbers, self._stopping)
            thread = threading.Thread(
                target=self._serve, args=(connection, sock), name=f"fake-cloud-{self.port}-client", daemon=True
            )
            if not self._has_room():
                connection.close()
                continue
            with self._lock:
                self._connections.add(connection)
                self._threads.add(thread)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # no thread can be started now; the next connection may find one
                self._forget(connection, thread)
                connection.close()
                self._close_oldest(LONG_WAIT_SECONDS)

    def _has_room(self) -> bool:
        """Whether one more connection may be served, perhaps in place of one that waits.

        What was answered a moment ago is perhaps about to ask again: it is closed only where nothing else waits.
        """
        deadline = monotonic() + 2 * SHORT_WAIT_SECONDS
        while monotonic() < deadline and not self._stopping.is_set():
            with self._lock:
                full = len(self._connections) >= at_most_half(self._max_connections)
            if not full or self._close_oldest(SHORT_WAIT_SECONDS):
                return True
            self._stopping.wait(SHORT_WAIT_SECONDS / 5)
        return self._close_oldest()

    def _close_oldest(self, seconds: float = 0.0) -> bool:
        """Close the connection that has waited longest for a request; False where none has waited so many seconds."""
        latest = monotonic() - seconds
        with self._lock:
            waiting = [(since, one) for one in self._connections if (since := one.waits_since) is not None]
            if not waiting:
                return False
            since, oldest = min(waiting, key=lambda pair: (pair[0], pair[1].number))
            if since > latest:
                return False
            self._connections.discard(oldest)
        oldest.interrupt()
        return True

    def _serve(self, connection: Connection, sock: socket.socket) -> None:
        reader = RequestReader(sock, self._budget, self._max_request)
        try:
            while not self._stopping.is_set():
                connection.waits_since = monotonic()
                try:
                    request = reader.next(self._now)
                except BadRequest as bad:
                    self.tls_attempts += isinstance(bad, TlsNotSpoken)
                    connection.respond(WireResponse(bad.status, (), bad.page), date=self._now(), keep=False)
                    break
                sock.settimeout(self._max_idle)
                connection.waits_since = None
                if request is None or not self._application(request, connection):
                    break
        except OSError:
            pass
        finally:
            reader.release()
            connection.finish()
            reader.drain()
            connection.close()
            self._forget(connection, threading.current_thread())

    def _forget(self, connection: Connection, thread: threading.Thread) -> None:
        with self._lock:
            self._connections.discard(connection)
            self._threads.discard(thread)


_servers: weakref.WeakSet[HttpServer] = weakref.WeakSet()


def _abandon_all_after_fork() -> None:
    for server in list(_servers):
        server.abandon_after_fork()
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all_after_fork)
