"""A lock that all processes of a machine share: a lock file, by what the platform has for that."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from ramrole_creds.errors import FetchError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS = 0.05
# What a platform says where another one holds the lock; anything else means that it cannot lock here at all.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)


class LockSystem(Protocol):
    """How a platform locks a file that is open."""

    def try_lock(self, descriptor: int) -> None:
        """Take the lock without waiting; OSError where that cannot be."""

    def unlock(self, descriptor: int) -> None:
        """Give it back; OSError where it was not taken."""


class PosixLocks:
    """`flock`, which belongs to the open file: closing it in a forked child gives nothing back."""

    def try_lock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(self, descriptor: int) -> None:
        """See `LockSystem`. Closing would not do where a child was forked meanwhile: it has the descriptor too."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


class WindowsLocks:
    """The first byte of the file, which need not be there.

    `msvcrt.locking` begins at the position in the file: nobody reads or writes here, so that it stays 0.
    LK_LOCK would wait ten seconds, whatever our time limit is. The C library asks for regions to be unlocked before
    the file is closed: the system does it at the close too, but in its own time.
    """

    def try_lock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # there on Windows

    def unlock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # there on Windows


SYSTEM_LOCKS: LockSystem = WindowsLocks() if os.name == "nt" else PosixLocks()


@contextmanager
def file_lock(path: Path, time_limit: float, *, locks: LockSystem | None = None) -> Iterator[None]:
    """Hold the lock file `path`, made where it is not there, alone among all processes.

    Args:
        path: the lock file.
        time_limit: seconds to wait for it.
        locks: how to lock; what the platform has where None.

    Raises:
        FetchError: another process holds it for longer than that.
        ProfileError: it cannot be made, or files cannot be locked here.
    """
    locks = locks or SYSTEM_LOCKS
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ProfileError(f"The lock file {path} cannot be opened ({error.strerror}).") from None
    try:
        _wait_for(locks, descriptor, path, time_limit)
        try:
            yield
        finally:
            with suppress(OSError):
                locks.unlock(descriptor)
    finally:
        os.close(descriptor)


def _wait_for(locks: LockSystem, descriptor: int, path: Path, time_limit: float) -> None:
    deadline = time.monotonic() + time_limit
    while (problem := _problem_with(locks, descriptor)) is not None:
        if problem.errno not in _HELD:
            raise ProfileError(
                f"{path} cannot be locked ({problem.strerror}): its file system has no locks, perhaps, as some network "
                "shares have none. Put the file elsewhere."
            )
        if time.monotonic() >= deadline:
            raise FetchError(f"Another process has held {path} for {time_limit:.0f} s. Is one of them hanging?")
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _problem_with(locks: LockSystem, descriptor: int) -> OSError | None:
    try:
        locks.try_lock(descriptor)
    except OSError as error:
        return error
    return None
