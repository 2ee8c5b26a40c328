"""`msvcrt.locking` as Python and the C library of Windows document it, made of Linux's byte-range locks.

Those of open file descriptions are like those of Windows: they belong to the open file and not to the process, shut out
whoever opened it anew, may lie beyond the end of the file, and go when it is closed, by the end of the process too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time

LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)
ATTEMPTS = 10
PAUSE_SECONDS = 1.0

held: set[tuple[int, int, int]] = set()
"""Descriptor, start and length of each region that was locked and not unlocked."""


def locking(fd: int, mode: int, nbytes: int, /) -> None:
    """Lock or unlock `nbytes` bytes from the current position of the file."""
    region = (fd, os.lseek(fd, 0, os.SEEK_CUR), nbytes)
    if mode == LK_UNLCK:
        if region not in held:
            raise PermissionError(errno.EACCES, "Permission denied")  # a region must have been locked as it is unlocked
        held.remove(region)
        _set(region, fcntl.F_UNLCK)
    elif mode in (LK_NBLCK, LK_NBRLCK):
        _lock(region)
    elif mode in (LK_LOCK, LK_RLCK):
        for _ in range(ATTEMPTS - 1):
            try:
                return _lock(region)
            except PermissionError:
                time.sleep(PAUSE_SECONDS)
        try:
            _lock(region)
        except PermissionError:
            raise OSError(errno.EDEADLOCK, "Resource deadlock avoided") from None
    else:
        raise OSError(errno.EINVAL, "Invalid argument")
    return None


def _lock(region: tuple[int, int, int]) -> None:
    descriptor, start, length = region
    for other, begin, size in held:
        if other == descriptor and begin < start + length and start < begin + size:
            raise PermissionError(errno.EACCES, "Permission denied")  # regions do not overlap, not even one's own
    try:
        _set(region, fcntl.F_WRLCK)
    except (BlockingIOError, PermissionError):
        raise PermissionError(errno.EACCES, "Permission denied") from None
    held.add(region)


def _set(region: tuple[int, int, int], kind: int) -> None:
    descriptor, start, length = region
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0))
