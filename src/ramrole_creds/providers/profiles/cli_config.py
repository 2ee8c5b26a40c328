"""The aliyun CLI's ~/.aliyun/config.json: reading its profiles, and changing one without losing the others."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ramrole_creds._checks import is_number
from ramrole_creds.errors import ProfileError, ProviderUnavailable
from ramrole_creds.providers._home import expand_path, home_directory
from ramrole_creds.providers.profiles._file_lock import LockSystem, file_lock
from ramrole_creds.providers.profiles._file_replacement import atomic_replace
from ramrole_creds.providers.profiles.files import ProfilePath, read_profile_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONFIG_VARIABLE: Final = "ALIBABA_CLOUD_CONFIG_FILE"
MAX_SECONDS: Final = 1e12


@dataclass(frozen=True, slots=True, repr=False)
class CliProfile:
    """One profile of a config file.

    Args:
        path: the file.
        name: the name of the profile.
        fields: the fields of the profile; a value may have any JSON type.
    """

    path: Path
    name: str
    fields: Mapping[str, object]

    def text(self, key: str) -> str:
        """The text of a field; "" if it is missing or null.

        Raises:
            ProfileError: the field is not a text.
        """
        value = self.fields.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.problem(f"{key} must be a text")
        return value.strip() if key != "private_key" else value

    def flag(self, key: str) -> bool | None:
        """The truth value of a field; None if it is missing."""
        value = self.fields.get(key)
        if isinstance(value, str):
            return value.strip().lower() == "true" if value.strip() else None
        return value if isinstance(value, bool) else None

    def seconds(self, key: str) -> float | None:
        """The number of a field; None if it is missing or 0.

        Raises:
            ProfileError: the field is not a number of seconds.
        """
        value = self.fields.get(key)
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
            value = float(value)  # of any length, which int() does not take
        if value is None or value == "":
            return None
        if not is_number(value) or not 0 <= value < MAX_SECONDS:
            raise self.problem(f"{key} must be a number of seconds")
        return float(value) or None

    def problem(self, what: str) -> ProfileError:
        """An error about this profile; `what` must not contain a value of it."""
        return ProfileError(f"Profile {self.name!r} in {self.path}: {what}.", unrecoverable=True)

    def __repr__(self) -> str:
        return f"<CliProfile {self.name!r} in {self.path}>"


def config_path(path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> ProfilePath:
    """The file: the argument, else ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json.

    Args:
        path: the file that a caller named.
        environ: the environment.

    Raises:
        ConfigurationError: the argument is not a path.
        ProviderUnavailable: there is no home directory.
    """
    if path:
        return ProfilePath(expand_path(path))
    if given := environ.get(CONFIG_VARIABLE):
        return ProfilePath(expand_path(given), CONFIG_VARIABLE)
    return ProfilePath(home_directory() / ".aliyun" / "config.json", usual=True)


def load_config(file: ProfilePath) -> dict[str, object]:
    """The content of the file.

    Raises:
        ProviderUnavailable: there is no such file, or it is empty.
        ProfileError: the file cannot be used.
    """
    text, path = read_profile_file(file), file.path
    if not text.strip():
        raise ProviderUnavailable(f"{path} is empty: it has no credentials. Run `aliyun configure` to use it.")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"it is not JSON (line {error.lineno}, column {error.colno})"
    except (ValueError, RecursionError):
        problem = "it is not JSON"
    else:
        if isinstance(document, dict):
            return document
        if document is None:
            return {}
        problem = "it does not hold a JSON object"
    raise ProfileError(f"{path} cannot be used: {problem}. Correct it, or run `aliyun configure`.", unrecoverable=True)


def profiles_of(document: Mapping[str, object], path: Path) -> list[dict[str, object]]:
    """All profiles of a file.

    Raises:
        ProfileError: `profiles` is not a list of objects.
    """
    profiles = document.get("profiles") or []
    if not isinstance(profiles, list) or not all(isinstance(profile, dict) for profile in profiles):
        raise ProfileError(f"{path} cannot be used: `profiles` must be a list of objects.", unrecoverable=True)
    return profiles


def find_profile(document: Mapping[str, object], path: Path, name: str) -> CliProfile | None:
    """The profile of that name; None if there is none.

    Raises:
        ProfileError: the profiles of the file cannot be used.
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
    """Change fields of one profile under a lock between processes; a reader sees either all changes or none.

    Every other field and profile is kept, known to this library or not. The file is replaced, not written in place:
    its mode is 0600, and a symbolic link stays a link. The lock is a separate file, since the file itself is replaced.

    Args:
        path: the file.
        name: the profile.
        change: called under the lock with the current profile; returns the fields to set, empty for no change.
        time_limit: seconds to wait for the lock.
        locks: how to lock; the platform's own locks if None.

    Raises:
        ProviderUnavailable: there is no such file.
        ProfileError: file or profile cannot be used, or the file cannot be written.
        FetchError: the lock was not free in time.
    """
    target = Path(os.path.realpath(path))
    file = ProfilePath(target)
    load_config(file)  # if there is no such file, no lock file is left beside it
    with file_lock(target.with_name(f"{target.name}.lock"), time_limit, locks=locks):
        document = load_config(file)
        profile = find_profile(document, path, name)
        if profile is None:
            raise ProfileError(f"{path} no longer has a profile {name!r}.", unrecoverable=True)
        with atomic_replace(target) as put:
            fields = change(profile)
            if not fields:
                return profile
            updated = {**profile.fields, **fields}
            # If two profiles have the same name, the first one is the one that was read.
            document["profiles"] = [updated if one is profile.fields else one for one in profiles_of(document, path)]
            put(_as_json(document))
        return CliProfile(path, name, updated)


def add_profile(path: Path, fields: Mapping[str, str], *, time_limit: float, locks: LockSystem | None = None) -> None:
    """Add a profile to a file, which is created with mode 0600 if it is missing; `current` does not change.

    A profile that has exactly these fields already is not changed.

    Args:
        path: the file.
        fields: the profile, with its `name`.
        time_limit: seconds to wait for the lock.
        locks: how to lock; the platform's own locks if None.

    Raises:
        ProfileError: the file cannot be used, or has another profile of that name.
        FetchError: the lock was not free in time.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(target.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise ProfileError(f"The profile was not added: this user may not write to {target.parent}.")
    with file_lock(target.with_name(f"{target.name}.lock"), time_limit, locks=locks):
        try:
            document = load_config(ProfilePath(target))
        except ProviderUnavailable:
            document = {"current": fields["name"], "profiles": []}
        profiles = profiles_of(document, path)
        held = find_profile(document, path, fields["name"])
        if held is not None:
            if held.fields == fields:
                return
            raise held.problem("it exists already. Choose another name")
        document["profiles"] = [*profiles, dict(fields)]
        with atomic_replace(target) as put:
            put(_as_json(document))


def _as_json(document: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(document, indent="\t", ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold only as an escape
        return json.dumps(document, indent="\t").encode() + b"\n"
