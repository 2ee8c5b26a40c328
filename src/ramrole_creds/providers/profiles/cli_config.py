"""The aliyun CLI's ~/.aliyun/config.json: which profile, what is in it, and how it is changed without losing any."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ramrole_creds.errors import ProfileError
from ramrole_creds.providers._home import expand_path, home_directory
from ramrole_creds.providers.profiles._file_lock import LockSystem, file_lock
from ramrole_creds.providers.profiles._file_replacement import atomic_replace
from ramrole_creds.providers.profiles.files import ProfilePath, read_profile_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONFIG_VARIABLE = "ALIBABA_CLOUD_CONFIG_FILE"


@dataclass(frozen=True, slots=True, repr=False)
class CliProfile:
    """One profile of a config file.

    Args:
        path: the file.
        name: the profile's name.
        fields: what is in it; values may be of any JSON type.
    """

    path: Path
    name: str
    fields: Mapping[str, object]

    def text(self, key: str) -> str:
        """A field's text, "" where it is missing or null.

        Raises:
            ProfileError: it is there and no text.
        """
        value = self.fields.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.problem(f"{key} is no text")
        return value.strip() if key != "private_key" else value

    def seconds(self, key: str) -> float | None:
        """A field's number, None where it is missing or 0.

        Raises:
            ProfileError: it is there and no number.
        """
        value = self.fields.get(key)
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
            value = float(value)  # of any length, which int() does not take
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
            raise self.problem(f"{key} is no number of seconds")
        return float(value) or None

    def problem(self, what: str) -> ProfileError:
        """An error about this profile; `what` holds no value of it."""
        return ProfileError(f"Profile {self.name!r} in {self.path}: {what}.", unrecoverable=True)

    def __repr__(self) -> str:
        return f"<CliProfile {self.name!r} of {self.path}>"


def config_path(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> ProfilePath:
    """The file: the argument, else ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json.

    Args:
        path: the file that somebody named.
        environ: where the variable is looked for.

    Raises:
        ConfigurationError: the argument is no path.
        ProviderUnavailable: there is no home directory.
    """
    if path:
        return ProfilePath(expand_path(path))
    if given := environ.get(CONFIG_VARIABLE):
        return ProfilePath(expand_path(given), CONFIG_VARIABLE)
    return ProfilePath(home_directory() / ".aliyun" / "config.json", usual=True)


def load_config(file: ProfilePath) -> dict[str, object]:
    """The file's content.

    Raises:
        ProviderUnavailable: there is no such file.
        ProfileError: it is there and cannot be used.
    """
    text, path = read_profile_file(file), file.path
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"it is no JSON (line {error.lineno}, column {error.colno})" if text.strip() else "it is empty"
    except (ValueError, RecursionError):
        problem = "it is no JSON"
    else:
        if isinstance(document, dict):
            return document
        problem = "it holds no JSON object"
    raise ProfileError(f"{path} cannot be used: {problem}. Mend it, or run `aliyun configure`.", unrecoverable=True)


def profiles_of(document: Mapping[str, object], path: Path) -> list[dict[str, object]]:
    """All profiles of a file.

    Raises:
        ProfileError: `profiles` is no list of objects.
    """
    profiles = document.get("profiles") or []
    if not isinstance(profiles, list) or not all(isinstance(profile, dict) for profile in profiles):
        raise ProfileError(f"{path} cannot be used: profiles is no list of objects.", unrecoverable=True)
    return profiles


def find_profile(document: Mapping[str, object], path: Path, name: str) -> CliProfile | None:
    """The profile of that very name.

    Raises:
        ProfileError: the file's profiles cannot be used.
    """
    for profile in profiles_of(document, path):
        if profile.get("name") == name:
            return CliProfile(path, name, profile)
    return None


def update_profile(
    path: Path,
    name: str,
    change: Callable[[CliProfile], Mapping[str, object]],
    *,
    time_limit: float,
    locks: LockSystem | None = None,
) -> CliProfile:
    """Change fields of one profile under a lock between processes; whoever reads meanwhile sees all or nothing.

    Every other field and profile stays, those unknown to us too. The file is replaced, not written to: mode 0600, and
    a symbolic link stays one. The lock is a file beside it: the file itself is no place for one, since it is replaced.

    Args:
        path: the file.
        name: the profile.
        change: called under the lock with the profile as it is now; gives the fields to set, none for no change.
        time_limit: seconds to wait for the lock.
        locks: how to lock; what the platform has where None.

    Raises:
        ProviderUnavailable: there is no such file.
        ProfileError: file or profile cannot be used, or not be written.
        FetchError: the lock was not to be had.
    """
    target = Path(os.path.realpath(path))
    file = ProfilePath(target)
    load_config(file)  # where there is no such file, no lock is left beside it
    with file_lock(target.with_name(f"{target.name}.lock"), time_limit, locks=locks):
        document = load_config(file)
        profile = find_profile(document, path, name)
        if profile is None:
            raise ProfileError(f"{path} has no profile {name!r} any more.", unrecoverable=True)
        with atomic_replace(target) as put:
            fields = change(profile)
            if not fields:
                return profile
            updated = {**profile.fields, **fields}
            # Of two profiles of one name the first is the one that was read.
            document["profiles"] = [updated if one is profile.fields else one for one in profiles_of(document, path)]
            put(_as_json(document))
        return CliProfile(path, name, updated)


def _as_json(document: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(document, indent="\t", ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold as an escape only
        return json.dumps(document, indent="\t").encode() + b"\n"
