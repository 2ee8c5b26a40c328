"""Connects to a host with one time limit over name resolution and all addresses of the name together."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from ramrole_creds._http.urls import is_address

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HANGING_LOOKUPS = 16
MIN_TIMEOUT_SECONDS = 0.001
RESOURCE_ERRNOS: frozenset[int] = frozenset({12, 23, 24, 105})  # ENOMEM, ENFILE, EMFILE, ENOBUFS

_lookups = threading.BoundedSemaphore(MAX_HANGING_LOOKUPS)


class LookupTimeout(TimeoutError):
    """The name was not resolved in time."""


class ThreadLimit(Exception):  # not an error of an operating system's call
    """No thread can be started to resolve the name."""


class LookupLimit(Exception):  # as above
    """Too many lookups hang already."""


def connect(host: str, port: int, deadline: float, options: Sequence[tuple[Any, ...]] | None) -> socket.socket:
    """A connected socket.

    Each address gets an equal part of the time that is left, so one that drops packets does not use up the time of
    those after it.

    Args:
        host: name or address, without brackets.
        port: the port.
        deadline: end of the attempt on `time.monotonic`.
        options: arguments of `setsockopt`.

    Raises:
        LookupTimeout: the name was not resolved in time.
        ThreadLimit: there is no thread to resolve it.
        LookupLimit: too many lookups hang.
        OSError: no address accepts connections, or the name does not resolve.
    """
    found = _resolve(host.strip("[]"), port, deadline)
    failure = OSError(f"no address found for port {port}")
    for index, (family, kind, protocol, _, address) in enumerate(found):
        share = (deadline - time.monotonic()) / (len(found) - index)
        try:
            return _open((family, kind, protocol), address, max(MIN_TIMEOUT_SECONDS, share), options)
        except OSError as error:
            failure = error
            if error.errno in RESOURCE_ERRNOS:
                break
    raise failure


def _open(
    kind: tuple[int, int, int],
    address: tuple[Any, ...],
    timeout: float,
    options: Sequence[tuple[Any, ...]] | None,
) -> socket.socket:
    opened = socket.socket(*kind)
    try:
        for option in options or ():
            opened.setsockopt(*option)
        opened.settimeout(timeout)
        opened.connect(address)
    except BaseException:
        opened.close()
        raise
    return opened


def _resolve(host: str, port: int, deadline: float) -> list[tuple[Any, ...]]:
    """The addresses of a name. The system's resolver cannot be interrupted, so it runs on a thread."""
    if is_address(host):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    socket.socket().close()  # where no descriptor is left, the resolver says that there is no such name
    lookups = _lookups
    if not lookups.acquire(blocking=False):
        raise LookupLimit
    outcome: list[list[tuple[Any, ...]] | Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            outcome.append(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:  # noqa: BLE001  # raised by the waiter
            outcome.append(error)
        finally:
            lookups.release()
            done.set()

    try:
        threading.Thread(target=look_up, name="ramrole-creds-lookup", daemon=True).start()
    except (RuntimeError, MemoryError):
        lookups.release()
        raise ThreadLimit from None
    if not done.wait(max(MIN_TIMEOUT_SECONDS, deadline - time.monotonic())):
        raise LookupTimeout
    found = outcome[0]
    if isinstance(found, Exception):
        raise found
    return found


def _after_fork_in_child() -> None:
    global _lookups  # noqa: PLW0603  # threads of the parent do not come along
    _lookups = threading.BoundedSemaphore(MAX_HANGING_LOOKUPS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
