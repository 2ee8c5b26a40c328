"""A lock between the processes of a machine: a lock file, locked by the means of the platform."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from ramrole_creds.errors import FetchError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS: Final = 0.05
# A link that another user has put in place of the lock file is not followed.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# The errors by which a platform says that another process holds the lock. Any other error: it cannot lock here.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)


class LockSystem(Protocol):
    """How a platform locks an open file."""

    def try_lock(self, descriptor: int) -> None:
        """Take the lock without waiting; raises OSError if that is not possible."""

    def unlock(self, descriptor: int) -> None:
        """Release the lock; raises OSError if it was not taken."""


class PosixLocks:
    """`flock`, which belongs to the open file: closing the descriptor in a forked child does not release it."""

    def try_lock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(self, descriptor: int) -> None:
        """See `LockSystem`. Closing the descriptor is not enough: a child that was forked meanwhile has it too."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


class WindowsLocks:
    """Locks the first byte of the file, which need not exist.

    `msvcrt.locking` begins at the position in the file, which stays 0, since nobody reads or writes here. LK_LOCK
    would wait ten seconds, whatever our time limit is. The C library requires regions to be unlocked before the file
    is closed; the system unlocks them at the close too, but later.
    """

    def try_lock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only

    def unlock(self, descriptor: int) -> None:
        """See `LockSystem`."""
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only


SYSTEM_LOCKS: LockSystem = WindowsLocks() if os.name == "nt" else PosixLocks()


@contextmanager
def file_lock(path: Path, time_limit: float, *, locks: LockSystem | None = None) -> Iterator[None]:
    """Hold an exclusive lock between processes on the file `path`, which is created if needed.

    Args:
        path: the lock file.
        time_limit: seconds to wait for the lock.
        locks: how to lock; the platform's own locks if None.

    Raises:
        FetchError: another process held the lock for the whole time limit.
        ProfileError: the file cannot be created, or files cannot be locked here.
    """
    locks = locks or SYSTEM_LOCKS
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise ProfileError(
            f"The lock file {path} cannot be opened ({reason}). Check its folder, or remove it."
        ) from None
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
                f"{path} cannot be locked ({problem.strerror}). Its file system, perhaps a network share, may not "
                "support locks. Put the file elsewhere."
            )
        if time.monotonic() >= deadline:
            raise FetchError(
                f"Another process has held {path} for {time_limit:.0f} s. Check whether that process hangs."
            )
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _problem_with(locks: LockSystem, descriptor: int) -> OSError | None:
    try:
        locks.try_lock(descriptor)
    except OSError as error:
        return error
    return None
