"""Replaces a file of secrets as a whole: a reader sees either the old content or the new one."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from ramrole_creds.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_SECONDS: Final = 0.02
# Windows refuses to replace an open file; readers of a profile keep it open for a moment only.
READER_WAIT_SECONDS: Final = 2.0
# A new content is not much longer than the old one.
GROWTH_BYTES: Final = 16384
_MARK = "ramrole-creds-"


@contextmanager
def atomic_replace(target: Path, *, windows: bool = os.name == "nt") -> Iterator[Callable[[bytes], None]]:
    """A function that replaces the content of a file; the mode becomes 0600, the owner is kept.

    The new file is created when the block begins, and disk space is reserved for it. So a block that must not run
    twice, such as one that uses up a token, does not run at all if nothing can be written. The caller holds the lock
    of the target: new files that a killed process has left behind are removed.

    Args:
        target: the file, which need not exist; not a symbolic link.
        windows: True on Windows.

    Raises:
        ProfileError: no file can be created beside the target, or the target cannot be replaced.
    """
    _remove_leftovers(target)
    try:
        file, temporary = _create(target)
    except OSError as error:
        reason = error.strerror
    else:

        def put(content: bytes) -> None:
            try:
                _fill(file, content, target)
                _rename(temporary, target, patience=READER_WAIT_SECONDS if windows else 0.0)
            except OSError as error:
                reason = error.strerror
            else:
                return
            raise ProfileError(f"{target} cannot be written ({reason}).")

        try:
            yield put
        finally:
            _discard(file, temporary)
        return
    raise ProfileError(
        f"{target} cannot be changed: no file can be created beside it ({reason}). Free some disk space, or make the "
        "folder writable for the user of this process."
    )


def _create(target: Path) -> tuple[IO[bytes], str]:
    """A new file of mode 0600 beside the target, with room for its content."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.{_MARK}", dir=target.parent)
    file = os.fdopen(descriptor, "wb")
    try:
        size = target.stat().st_size if target.exists() else 0
        file.write(b"\0" * (size + GROWTH_BYTES))
        file.flush()
        os.fsync(descriptor)
    except BaseException:
        _discard(file, temporary)
        raise
    return file, temporary


def _discard(file: IO[bytes], temporary: str) -> None:
    with suppress(OSError):
        file.close()
    with suppress(OSError):  # it is the target now
        os.unlink(temporary)  # noqa: PTH108  # the name is a str


def _remove_leftovers(target: Path) -> None:
    with suppress(OSError):
        for path in target.parent.iterdir():
            if path.name.startswith(f".{target.name}.{_MARK}"):
                path.unlink()


def _fill(file: IO[bytes], content: bytes, target: Path) -> None:
    if hasattr(os, "fchown"):  # root keeps the owner of a user's file
        with suppress(OSError):
            owner = target.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    file.seek(0)
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
    file.close()  # Windows does not rename an open file


def _rename(temporary: str, target: Path, *, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            os.replace(temporary, target)  # noqa: PTH105  # the name is a str
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(POLL_SECONDS)
