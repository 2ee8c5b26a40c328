"""Profile files as text: found, read within bounds, and looked at for who else may read them."""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.errors import ProfileError, ProviderUnavailable, RamRoleError

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)
_warned: set[str] = set()


@dataclass(frozen=True, slots=True)
class ProfilePath:
    """Where a profile file is looked for.

    Args:
        path: the file.
        variable: the variable that names it.
        usual: True where nobody named it.
    """

    path: Path
    variable: str | None = None
    usual: bool = False

    def absent(self) -> ProviderUnavailable:
        """The error for a file that is not there; a warning, once, where a variable names it.

        The official libraries pass over it, and so must whoever takes their place. But whoever set the variable means
        the file, which failed to be mounted perhaps: what comes next is another identity.
        """
        if self.variable is None:
            return ProviderUnavailable(f"{self.path} is not there.")
        if self.variable not in _warned:
            _warned.add(self.variable)
            text = "%s is not there, although %s names it: another source of credentials will be used, if there is one"
            _log.warning(text, self.path, self.variable)
        return ProviderUnavailable(
            f"{self.path} is not there, and {self.variable} names it. Correct {self.variable}, or unset it."
        )


def read_profile_file(file: ProfilePath) -> str:
    """The file's text: UTF-8, with or without a byte order mark, whatever the locale says.

    Raises:
        ProviderUnavailable: there is no such file.
        ProfileError: it is there and cannot be read, is no file, is no text, or is too long to be one of these.
    """
    path = file.path
    if os.fspath(path) == os.devnull:
        raise ProviderUnavailable(f"{path} stands for no file.")
    # Asked first: to open a pipe would wait for somebody to write into it.
    if not stat.S_ISREG(_mode_of(file)):
        raise ProfileError(f"{path} is no file but a directory, a pipe or a device.", unrecoverable=True)
    try:
        with path.open("rb") as opened:
            return _decoded(opened.read(MAX_FILE_BYTES + 1), path)
    except FileNotFoundError:
        reason = None
    except OSError as error:
        reason = error.strerror
    if reason is None:
        raise file.absent()
    raise ProfileError(f"{path} cannot be read ({reason}); look at its owner and mode.")


def is_there(path: Path) -> bool:
    """True where a file is to be seen; False too where its folder may not be entered."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


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


def _mode_of(file: ProfilePath) -> int:
    try:
        return file.path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        error: RamRoleError = file.absent()
    except ValueError:  # a NUL in the path
        error = ProfileError(f"{file.path} is no path that a file can have.")
    except OSError as problem:
        if file.usual and isinstance(problem, PermissionError):
            # A container that runs as somebody else than its image meant has HOME=/root: nobody put anything there.
            error = ProviderUnavailable(f"{file.path} lies in a folder that this user may not enter.")
        else:
            error = ProfileError(f"{file.path} cannot be looked at ({problem.strerror}); look at its folders' modes.")
    raise error


def _decoded(content: bytes, path: Path) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise ProfileError(f"{path} is longer than {MAX_FILE_BYTES} bytes: it is no profile file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "no UTF-8"
    raise ProfileError(f"{path} is {problem}.")
