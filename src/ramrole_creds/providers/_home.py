"""Where the files of the user are, by the rules that the aliyun CLI and the official libraries share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping


def home_directory(environ: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> Path:
    """The home directory: HOME; on Windows else HOMEDRIVE and HOMEPATH, else USERPROFILE; elsewhere the user's entry.

    Args:
        environ: the environment.
        windows: True on Windows.

    Raises:
        ProviderUnavailable: neither environment nor system know one, for certain. A guess could read the files of
            another user.
    """
    if environ.get("HOME"):
        return Path(environ["HOME"])
    if windows:
        if environ.get("HOMEDRIVE") and environ.get("HOMEPATH"):
            return Path(environ["HOMEDRIVE"] + environ["HOMEPATH"])
        if environ.get("USERPROFILE"):
            return Path(environ["USERPROFILE"])
        raise ProviderUnavailable(
            "No home directory is known: HOME, HOMEDRIVE with HOMEPATH, and USERPROFILE are not set, as in a service "
            "without a user profile. Set USERPROFILE, or name the file."
        )
    try:
        return _home_of_user()
    except (KeyError, ImportError):
        os.close(
            os.open(os.devnull, os.O_RDONLY)
        )  # raises if no descriptor is left, which the system reports like this
        raise ProviderUnavailable(
            "No home directory is known: HOME is not set, and the system has no entry for this user. Set HOME, or name "
            "the file."
        ) from None


def path_text(path: str | os.PathLike[str]) -> str:
    """The path as a text.

    Raises:
        ConfigurationError: the value is not a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(f"A file must be named by its path, not by {type(path).__name__}.")
    return os.fspath(path)


def expand_path(path: str | os.PathLike[str]) -> Path:
    """The path, with `~` expanded to the home directory.

    Raises:
        ConfigurationError: the value is not a path.
    """
    # If no user has the name after `~`, the text stays as it is, and names a file that does not exist.
    return Path(os.path.expanduser(path_text(path)))  # noqa: PTH111  # Path.expanduser raises there


def _home_of_user() -> Path:
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)
