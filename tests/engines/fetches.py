"""Counts at the wire which process fetched which credentials: a relay in front of the metadata service."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from tests.engines.work import Report

CHUNK = 65536
_KEY = re.compile(rb'"AccessKeyId"\s*:\s*"([^"]+)"')


class Fetches:
    """A relay to a metadata service, which knows the process at the other end of each connection. Linux only.

    Args:
        port: the port of the metadata service on loopback.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()  # guards `counts`
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.counts: Counter[tuple[int, str]] = Counter()
        """How often each process fetched each set of credentials, by its AccessKey ID."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def processes(self) -> set[int]:
        """The processes that fetched."""
        with self._lock:
            return {process for process, _ in self.counts}

    def assert_one_per_process_and_set(self, reports: list[Report], *, beside: int = 0) -> set[int]:
        """Each process fetched each set of credentials once at most, and no stranger fetched.

        Args:
            reports: what the tasks did.
            beside: how many processes without a task may fetch: the parent of the workers.

        Returns:
            The processes that had a task.
        """
        workers = {report["process"] for report in reports}
        with self._lock:
            again = {pair: count for pair, count in self.counts.items() if count > 1}
        assert not again, f"fetched more than once, by process and AccessKey ID: {again}"
        assert len(self.processes() - workers) <= beside, f"{self.processes()} fetched, {workers} worked"
        return workers

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client, address[1]), daemon=True).start()

    def _serve(self, client: socket.socket, client_port: int) -> None:
        # Refused: the cloud has ended. Without a process: it has ended and reads no answer.
        with (
            client,
            contextlib.suppress(ConnectionRefusedError, LookupError),
            socket.create_connection(self._target) as service,
        ):
            self._relay(client, client_port, service)

    def _relay(self, client: socket.socket, client_port: int, service: socket.socket) -> None:
        """Pass one connection's requests and answers on.

        What a client did not read was not fetched: its patience was over, and it asks again.
        """
        requests = _Requests(client, service)
        requests.start()
        fetched: Counter[tuple[int, str]] = Counter()
        answers = b""
        for data in _received(service):
            known, answers = len(_KEY.findall(answers)), answers + data
            keys = _KEY.findall(answers)[known:]
            new = Counter((process_of(client_port, self.port), key.decode()) for key in keys)
            if requests.left:
                return
            fetched += new
            with self._lock:
                self.counts += new
            with contextlib.suppress(OSError):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        requests.join()
        if requests.unread:
            with self._lock:
                self.counts -= fetched


class _Requests(threading.Thread):
    """Passes on what a client sends, until it leaves."""

    def __init__(self, client: socket.socket, service: socket.socket) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._service = service
        self.left = False
        self.unread = False
        """The client closed the connection without reading all of the answer: Linux then resets it."""

    def run(self) -> None:
        try:
            while data := self._client.recv(CHUNK):
                with contextlib.suppress(OSError):
                    self._service.sendall(data)
        except ConnectionResetError:
            self.unread = True
        except OSError:  # closed on this side
            pass
        self.left = True
        with contextlib.suppress(OSError):
            self._service.shutdown(socket.SHUT_WR)


def _received(source: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            yield data


def process_of(local_port: int, remote_port: int) -> int:
    """The process that opened this end of a connection on loopback. A child that was forked since holds it too.

    Raises:
        LookupError: no process does.
    """
    link = f"socket:[{_inode_of(local_port, remote_port)}]"
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208  # faster than pathlib
    for process in sorted(numbers, reverse=True):  # the youngest first: the workers
        if _holds(process, link):
            while (parent := _parent_of(process)) is not None and _holds(parent, link):
                process = parent  # noqa: PLW2901  # the search ends here
            return process
    raise LookupError(f"no process holds the connection from port {local_port}")


def _holds(process: int, link: str) -> bool:
    folder = f"/proc/{process}/fd"
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(folder):  # noqa: PTH208  # as above
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{descriptor}") == link:  # noqa: PTH115  # as above
                    return True
    return False


def _parent_of(process: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return None


def _inode_of(local_port: int, remote_port: int) -> str:
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ports == [local_port, remote_port]:
            return fields[9]
    raise LookupError(f"no connection from port {local_port} to {remote_port}")
