"""A network namespace for the tests: loopback alone, and a trap at the metadata address.

Rules on the sockets of Python bind neither children nor code that connects in C. In the namespace these reach nothing
outside of this machine, and a connection to 100.100.100.200 is noticed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

METADATA_ADDRESS = ("100.100.100.200", 80)
CLONE_NEWNET = 0x40000000


@cache
def no_namespaces() -> str:
    """Why no network namespace can be made here; "" where one can."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return "unshare and ip of Linux are needed for a network namespace"
    tried = subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "no network namespace may be made here (it takes root)"


class Trap:
    """Listens at the metadata address, and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(METADATA_ADDRESS)
        self._listener.setblocking(False)

    def caught(self) -> int:
        """How many connections were made since it was last asked."""
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return number
            connection.close()
            number += 1

    def close(self) -> None:
        self._listener.close()


@contextmanager
def own_network() -> Iterator[Trap]:
    """Move this thread, and all threads and processes that it starts, into a new network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def checked(outcome: int) -> None:
        if outcome:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    own = _own_addresses()
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(libc.unshare(CLONE_NEWNET))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for address in {METADATA_ADDRESS[0], *own}:
                subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
            trap = Trap()
            try:
                yield trap
            finally:
                trap.close()
        finally:
            checked(libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)


def _own_addresses() -> list[str]:
    """The addresses outside of loopback that this machine's name has; engines talk to themselves there."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    except OSError:
        return []
    return [one for one in found if not one.startswith("127.")]
