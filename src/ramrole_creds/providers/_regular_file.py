"""Reads a file that holds a token or a key, within bounds."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Opening a pipe to read would wait for a writer; Windows translates line ends unless asked not to.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


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
