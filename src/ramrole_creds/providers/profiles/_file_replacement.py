"""A file of secrets that is replaced as a whole: whoever reads meanwhile sees the old one or the new one."""

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
# Windows refuses to replace a file that somebody has open; readers of a profile have it open for a moment only.
PATIENCE_WITH_READERS_SECONDS = 2.0


@contextmanager
def atomic_replace(target: Path, *, windows: bool = os.name == "nt") -> Iterator[Callable[[bytes], None]]:
    """What puts a new content in the place of a file's old one: mode 0600, and the owner as before.

    The new file is made when the block begins: what is done in it and cannot be done twice, such as using up a token,
    is not done at all where nothing can be written.

    Args:
        target: the file, no symbolic link.
        windows: True on Windows.

    Raises:
        ProfileError: no file can be made beside the target, or not take its place.
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
                _rename(temporary, target, patience=PATIENCE_WITH_READERS_SECONDS if windows else 0.0)
            except OSError as error:
                reason = error.strerror
            else:
                return
            raise ProfileError(
                f"{target} cannot be written ({reason}): the sign-in's new tokens are lost, and the old ones are used "
                "up. Make room for it and sign in again with the aliyun CLI."
            )

        try:
            yield put
        finally:
            with suppress(OSError):
                file.close()
            with suppress(OSError):  # it has become the target
                os.unlink(temporary)  # noqa: PTH108  # the name is text already
        return
    raise ProfileError(
        f"No file can be made beside {target} ({reason}), and a renewed sign-in must be kept there: it is not renewed. "
        "Make the folder writable for the user that this process runs as."
    )


def _fill(file: IO[bytes], content: bytes, target: Path) -> None:
    if hasattr(os, "fchown"):  # a process of root leaves a user's file to the user
        with suppress(OSError):
            owner = target.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
    file.close()  # Windows renames no file that is open


def _rename(temporary: str, target: Path, *, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            os.replace(temporary, target)  # noqa: PTH105  # the name is text already
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(POLL_SECONDS)
