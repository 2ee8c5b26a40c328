"""The profile files: which are there, who may read them, and whether long-term keys lie in them."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ramrole_creds import RamRoleError
from ramrole_creds._files import read_regular_file
from ramrole_creds.cli.diagnosis.report import Check
from ramrole_creds.credentials import shorten_id
from ramrole_creds.providers.profiles.cli_config import config_path
from ramrole_creds.providers.profiles.ini_profile import ini_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.providers.profiles.files import ProfilePath

# Files of other tools that hold keys: OSS's command and an older command line.
OTHER_FILES: Final = (".ossutilconfig", ".aliyuncli/credentials")
MAX_SCANNED_BYTES: Final = 1 << 20
OPEN_TO_OTHERS: Final = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH

_INI_ID = re.compile(r"(?im)^[ \t]*(?:aliyun_)?access_?key_?id[ \t]*=[ \t]*[\"']?([A-Za-z0-9.]{8,})")


def check_files(*, posix: bool = os.name == "posix") -> Iterator[Check]:
    """One line per profile file that is there or that a variable names."""
    try:
        files = [config_path(), *ini_paths()]
    except RamRoleError as error:
        yield Check("files", "warning", error.message)
        return
    found = [check for file in files for check in _about_profile(file, posix=posix)]
    found += [check for path in _other_files() for check in _about(path, ", of another tool", posix=posix)]
    nothing = Check("files", "ok", "No profile file is there.", tuple(str(file.path) for file in files))
    yield from found or [nothing]


def long_term_ids(text: str) -> list[str]:
    """The ids of long-term keys in a file's text, shortened."""
    ids = _ids_in_json(text) if text.lstrip().startswith("{") else _INI_ID.findall(text)
    return list(dict.fromkeys(shorten_id(one) for one in ids if one and not one.startswith("STS.")))


def _about_profile(file: ProfilePath, *, posix: bool) -> Iterator[Check]:
    named = f", named by {file.variable}" if file.variable else ""
    if file.variable and not _exists(file.path):
        yield Check("files", "warning", f"{file.path} is not there{named}.")
    yield from _about(file.path, named, posix=posix)


def _about(path: Path, named: str, *, posix: bool) -> Iterator[Check]:
    if os.fspath(path) == os.devnull:
        return
    try:
        mode = path.stat().st_mode
        content = read_regular_file(path, MAX_SCANNED_BYTES)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return
    except OSError as error:  # there, or behind a directory that this user may not enter
        yield Check("files", "failed", f"{path} cannot be read{named}: {error.strerror}.")
        return
    yield Check("files", "ok", f"{path} is there{named}.")
    if posix and mode & OPEN_TO_OTHERS:
        yield Check(
            "files", "warning", f"{path} may be read by other users (mode {mode & 0o777:04o}): chmod 600 {path}"
        )
    ids = long_term_ids(content.decode("utf-8", "replace"))
    if ids:
        yield Check(
            "long-term-keys",
            "warning",
            f"{path} holds long-term keys ({', '.join(ids)}): use the instance's role instead, then disable and delete "
            "them in RAM.",
        )


def _ids_in_json(text: str) -> list[str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    profiles = document.get("profiles") if isinstance(document, dict) else None
    rows = [one for one in profiles if isinstance(one, dict)] if isinstance(profiles, list) else []
    return [str(one["access_key_id"]) for one in rows if one.get("access_key_id") and not one.get("sts_token")]


def _other_files() -> list[Path]:
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    return [Path(home) / name for name in OTHER_FILES] if home else []


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
