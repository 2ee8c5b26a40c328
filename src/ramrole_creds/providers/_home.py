"""Where the user's files are, by the rules that the aliyun CLI and the official libraries share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping


def home_directory(environ: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> Path:
    """The home directory: HOME; on Windows else HOMEDRIVE and HOMEPATH, else USERPROFILE; else what the system says.

    Args:
        environ: the environment.
        windows: True on Windows.

    Raises:
        ProviderUnavailable: there is none; guessing one would read somebody else's files.
    """
    if environ.get("HOME"):
        return Path(environ["HOME"])
    if windows:
        if environ.get("HOMEDRIVE") and environ.get("HOMEPATH"):
            return Path(environ["HOMEDRIVE"] + environ["HOMEPATH"])
        if environ.get("USERPROFILE"):
            return Path(environ["USERPROFILE"])
        raise ProviderUnavailable(
            "No home directory: none of HOME, HOMEDRIVE with HOMEPATH, and USERPROFILE is set, as in a service without "
            "a user profile. Set USERPROFILE, or name the file."
        )
    try:
        return _home_of_user()
    except (KeyError, ImportError):
        raise ProviderUnavailable(
            "No home directory: HOME is not set and the system does not know this user. Set HOME, or name the file."
        ) from None


def expand_path(path: str | os.PathLike[str]) -> Path:
    """A path that somebody named, with `~` for the home directory.

    Raises:
        ConfigurationError: it is no path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigurationError(f"A file is named by its path, not by {type(path).__name__}.")
    # Where nobody has that name, the words stay as they are, and name a file that is not there.
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path.expanduser raises there


def _home_of_user() -> Path:
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)
