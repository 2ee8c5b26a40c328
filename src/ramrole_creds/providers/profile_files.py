"""Profile files as text: found, read within bounds, and looked at for who else may read them."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING

from ramrole_creds.errors import ProfileError, ProviderUnavailable

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_FILE_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)
_warned: set[str] = set()


def read_profile_file(path: Path) -> str:
    """The file's text: UTF-8, with or without a byte order mark, whatever the locale says.

    Raises:
        ProviderUnavailable: there is no such file.
        ProfileError: it is there and cannot be read, is no file, is no text, or is too long to be one of these.
    """
    try:
        # Asked first: to open a pipe would wait for somebody to write into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProfileError(f"{path} is no file but a directory, a pipe or a device.", unrecoverable=True)
        with path.open("rb") as file:
            return _decoded(file.read(LONGEST_FILE_BYTES + 1), path)
    except (FileNotFoundError, NotADirectoryError):
        problem = None
    except ValueError:  # a NUL in the path
        problem = "is no path that a file can have"
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); look at its owner and mode"
    if problem is None:
        raise ProviderUnavailable(f"{path} is not there.")
    raise ProfileError(f"{path} {problem}.")


def warn_of_readers(path: Path, *, posix: bool = os.name == "posix") -> None:
    """Warn, once for each file, where everybody on this machine may read a file with secrets."""
    if not posix or str(path) in _warned:
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        _warned.add(str(path))
        _log.warning("%s holds secrets, and every user of this machine may read it: chmod 600 %s", path, path)


def _decoded(content: bytes, path: Path) -> str:
    if len(content) > LONGEST_FILE_BYTES:
        raise ProfileError(f"{path} is longer than {LONGEST_FILE_BYTES} bytes: it is no profile file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "no UTF-8"
    raise ProfileError(f"{path} is {problem}.")
