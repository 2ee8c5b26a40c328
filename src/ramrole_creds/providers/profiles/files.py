"""Profile files as text: found, read within bounds, and checked for who else may read them."""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ramrole_creds._files import NotARegularFile, read_regular_file
from ramrole_creds.errors import ProfileError, ProviderUnavailable, RamRoleError

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE_BYTES: Final = 1024 * 1024

_log = logging.getLogger(__name__)
_warned: set[str] = set()


@dataclass(frozen=True, slots=True)
class ProfilePath:
    """Where a profile file is expected.

    Args:
        path: the file.
        variable: the environment variable that names it.
        usual: True for the default path, which nobody named.
    """

    path: Path
    variable: str | None = None
    usual: bool = False

    def absent(self) -> ProviderUnavailable:
        """The error for a file that does not exist; also logs a warning, once, if a variable names it.

        The official libraries skip a missing file, and so must a replacement for them. But the user who set the
        variable means the file, perhaps on a volume that was not mounted, and the next source is another identity.
        """
        if self.variable is None:
            return ProviderUnavailable(f"{self.path} does not exist.")
        if self.variable not in _warned:
            _warned.add(self.variable)
            text = "%s does not exist, although %s names it: another source of credentials is used, if there is one"
            _log.warning(text, self.path, self.variable)
        return ProviderUnavailable(
            f"{self.path} does not exist, and {self.variable} names it. Correct {self.variable}, or unset it."
        )


def read_profile_file(file: ProfilePath) -> str:
    """The text of the file: UTF-8, with or without a byte order mark, in every locale.

    Raises:
        ProviderUnavailable: there is certainly no such file: the system says so, or nobody named the file and its
            folder is closed to this user.
        ProfileError: it cannot be read, is not a regular file or not text, or is too long for a profile file.
    """
    path = file.path
    if os.fspath(path) == os.devnull:
        raise ProviderUnavailable(f"{path} means: use no profile file.")
    if not stat.S_ISREG(_mode_of(file)):  # also says why a file cannot even be looked at
        raise _not_regular(path)
    try:
        content = read_regular_file(path, MAX_FILE_BYTES + 1)
    except NotARegularFile:
        problem: RamRoleError = _not_regular(path)
    except FileNotFoundError:
        problem = file.absent()
    except OSError as error:
        problem = ProfileError(f"{path} cannot be read ({error.strerror}). Check its owner and mode.")
    else:
        return _decoded(content, path)
    raise problem


def is_there(path: Path) -> bool:
    """False if the file certainly does not exist, or its folder may not be entered.

    A file that cannot be looked at for another reason counts as one that is there: reading it reports the reason.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return False
    except OSError:
        return True
    return True


def warn_of_readers(path: Path, *, posix: bool = os.name == "posix") -> None:
    """Warn, once for each file, if every user of this machine may read a file with secrets."""
    if not posix or str(path) in _warned:
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        _warned.add(str(path))
        _log.warning("%s holds secrets, and every user of this machine can read it. Run: chmod 600 %s", path, path)


def _not_regular(path: Path) -> ProfileError:
    return ProfileError(
        f"{path} is not a regular file: it is a directory, a pipe or a device. Move it away, or name another file.",
        unrecoverable=True,
    )


def _mode_of(file: ProfilePath) -> int:
    try:
        return file.path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        error: RamRoleError = file.absent()
    except ValueError:  # a NUL in the path
        error = ProfileError(f"{file.path} is not a valid path of a file.")
    except OSError as problem:
        if file.usual and isinstance(problem, PermissionError):
            # A container that runs as another user than its image expects has HOME=/root: nobody put a file there.
            error = ProviderUnavailable(f"{file.path} is in a folder that this user may not enter.")
        else:
            error = ProfileError(
                f"{file.path} cannot be accessed ({problem.strerror}). Check the modes of its folders."
            )
    raise error


def _decoded(content: bytes, path: Path) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise ProfileError(f"{path} is longer than {MAX_FILE_BYTES} bytes, so it is not a profile file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = "in UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "not valid UTF-8"
    raise ProfileError(f"{path} is {problem}. Save it as UTF-8.")
