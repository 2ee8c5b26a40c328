"""The sockets that a service listens on, and how they are taken away again."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ramrole_creds._http.urls import authority_of
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MAX_SOCKET_PATH_BYTES: Final = 107
"""What every system's `sockaddr_un` holds at least, less the closing zero; macOS takes 103."""
PROBE_SECONDS: Final = 1.0


def bind_tcp(host: str, port: int) -> socket.socket:
    """A socket on a local address; a port of 0 takes a free one.

    Raises:
        OSError: the address is taken or not local.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except BaseException:
        listening.close()
        raise
    return listening


class UnixSocket:
    """A Unix socket with its mode from its first moment on; a stale one of an earlier run is replaced.

    Args:
        path: where it is.
        mode: its mode.

    Raises:
        ConfigurationError: another service listens there, something else is there, or the path is too long.
        OSError: the directory is missing, or not writable.
    """

    def __init__(self, path: Path, mode: int) -> None:
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            raise ConfigurationError(
                f"{path} is too long for a Unix socket, which takes {MAX_SOCKET_PATH_BYTES} bytes. Choose a shorter "
                "path, for instance below /run."
            )
        _remove_stale(path)
        self._path = path
        self.listening: socket.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self.listening.bind(str(path))
        except BaseException:
            self.listening.close()
            raise
        finally:
            os.umask(before)
        path.chmod(mode)
        self._made = _identity(path)

    def remove(self) -> None:
        """Remove the file, unless something else took its place meanwhile."""
        if _identity(self._path) == self._made:
            self._path.unlink(missing_ok=True)


def base_url(host: str, port: int) -> str:
    """The URL of an address."""
    return f"http://{authority_of(host, port)}"


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{path} is there and is not a socket. Choose another path, or remove it.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:  # somebody is there and does not answer, or may not be asked
            pass
    raise ConfigurationError(f"Another process listens on {path}. Choose another path, or end that process.")


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.lstat()
        return found.st_dev, found.st_ino
    return None
