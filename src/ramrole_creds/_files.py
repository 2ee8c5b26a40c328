"""Reads files within bounds, and writes files as a whole."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Opening a pipe to read would wait for a writer; Windows translates line ends unless asked not to.
_COMMON = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _COMMON
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | _COMMON


class NotARegularFile(OSError):
    """The path names a directory, a pipe, a socket or a device."""

    def __init__(self) -> None:
        super().__init__(None, "it is a directory, a pipe or a device, not a regular file")


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The first `max_bytes` bytes of a file. Pipes and devices are not read: they may have no end.

    Raises:
        OSError: the file cannot be read, or is not a regular file; `strerror` says why.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except ValueError:  # a NUL character in the path
        raise OSError(None, "the path is not valid") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotARegularFile
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes)
    finally:
        os.close(descriptor)


def write_whole_file(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file of which a reader sees the old content or the new one, whatever fails.

    A link is replaced and not followed. A pipe or a terminal is written to as it is.

    Args:
        path: the file.
        text: its content.
        mode: the mode of the file; the umask restricts it.

    Raises:
        OSError: the file cannot be written. The old one is unchanged, and nothing is left beside it.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    temporary = path.with_name(f".ramrole-creds-{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, _NEW, mode)
    except OSError as error:
        error.filename = os.fspath(path)  # the caller does not know the temporary file
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
