"""Replaces a file of secrets as a whole: a reader sees either the old content or the new one."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from ramrole_creds.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_SECONDS = 0.02
# Windows refuses to replace an open file; readers of a profile keep it open for a moment only.
READER_WAIT_SECONDS = 2.0


@contextmanager
def atomic_replace(target: Path, *, windows: bool = os.name == "nt") -> Iterator[Callable[[bytes], None]]:
    """A function that replaces the content of a file; the mode becomes 0600, the owner is kept.

    The new file is created when the block begins. So a block that must not run twice, such as one that uses up a
    token, does not run at all if nothing can be written.

    Args:
        target: the file; not a symbolic link.
        windows: True on Windows.

    Raises:
        ProfileError: no file can be created beside the target, or the target cannot be replaced.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    except OSError as error:
        reason = error.strerror
    else:
        file = os.fdopen(descriptor, "wb")

        def put(content: bytes) -> None:
            try:
                _fill(file, content, target)
                _rename(temporary, target, patience=READER_WAIT_SECONDS if windows else 0.0)
            except OSError as error:
                reason = error.strerror
            else:
                return
            raise ProfileError(
                f"{target} cannot be written ({reason}): the new tokens of the sign-in are lost, and the old ones are "
                "used up. Free some disk space, and sign in again with the aliyun CLI."
            )

        try:
            yield put
        finally:
            with suppress(OSError):
                file.close()
            with suppress(OSError):  # it is the target now
                os.unlink(temporary)  # noqa: PTH108  # the name is a str
        return
    raise ProfileError(
        f"The sign-in is not renewed: no file can be created beside {target} ({reason}) to save it in. Make the folder "
        "writable for the user of this process."
    )


def _fill(file: IO[bytes], content: bytes, target: Path) -> None:
    if hasattr(os, "fchown"):  # root keeps the owner of a user's file
        with suppress(OSError):
            owner = target.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    file.write(content)
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
