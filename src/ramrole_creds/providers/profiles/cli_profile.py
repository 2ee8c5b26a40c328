"""Credentials of a profile of the aliyun CLI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.errors import FetchError, ProfileError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.ecs_ram_role import flag
from ramrole_creds.providers.profiles._options import ProfileOptions, fetch_from_profile
from ramrole_creds.providers.profiles.cli_config import (
    CONFIG_VARIABLE,
    CliProfile,
    config_path,
    find_profile,
    load_config,
    profiles_of,
)
from ramrole_creds.providers.profiles.files import is_there, warn_of_readers
from ramrole_creds.providers.profiles.ini_profile import FILE_VARIABLE, ini_paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

PROFILE_VARIABLE = "ALIBABA_CLOUD_PROFILE"
DISABLED_VARIABLE = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"
IGNORE_VARIABLES = ("ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_IGNORE_PROFILE")
SECRET_FIELDS = (
    "access_key_secret",
    "sts_token",
    "access_token",
    "oauth_access_token",
    "oauth_refresh_token",
    "bearer_token",
)


class CliProfileProvider(CredentialProvider):
    """Does what a profile of ~/.aliyun/config.json says, in every mode of the aliyun CLI that has keys.

    The file is read at each fetch, so that an edited profile is seen. It is changed in one case only: a renewed OAuth
    token is kept there, as the CLI itself does it.

    Args:
        profile_name: the profile; else ALIBABA_CLOUD_PROFILE, else the file's `current`.
        path: the file; else ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json.
        endpoint: base URL of the metadata service, for modes that ask it.
        sts_endpoint: host or URL of STS; before the profile's own.
        oauth_endpoint: base URL of the OAuth sign-in service.
        options: `policy`, `clock` and `on_event` of every provider.
    """

    name: ClassVar[str] = "cli_profile"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=60.0)

    def __init__(
        self,
        profile_name: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        endpoint: str | None = None,
        sts_endpoint: str | None = None,
        oauth_endpoint: str | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        environ = os.environ
        self._asked_for = profile_name or None
        self._named = profile_name or environ.get(PROFILE_VARIABLE) or None
        self._path = path or None
        self._environ = {name: environ.get(name, "") for name in (CONFIG_VARIABLE, FILE_VARIABLE)}
        off = [f"{DISABLED_VARIABLE}=true"] if flag(DISABLED_VARIABLE) else []
        off += [f"{name}=TRUE" for name in IGNORE_VARIABLES if environ.get(name) == "TRUE"]
        self._disabled = off[0] if off else None
        self._options = ProfileOptions(endpoint, sts_endpoint, oauth_endpoint, self._clock)
        self._made: tuple[list[Mapping[str, object]], CredentialProvider] | None = None

    def fetch(self, context: FetchContext) -> Credentials:
        """Read the file and do what the profile says, now.

        Raises:
            ProviderUnavailable: there is no file, or nothing is configured in it.
            ProfileError: file or profile cannot be used.
            RamRoleError: what the profile's own source raised.
        """
        profile, provider = self._open()
        where = f"Profile {profile.name!r} in {profile.path}"
        return fetch_from_profile(provider, context, kind=self.name, profile=where)

    def explain(self) -> str:
        """What a fetch would do."""
        from ramrole_creds.providers.profiles.cli_modes import guessed_mode

        try:
            profile, provider = self._open()
        except RamRoleError as error:
            return describe_error(error)
        mode = profile.text("mode") or guessed_mode(profile)
        detail = getattr(provider, "explain", lambda: "would use the keys in it")()
        return f"profile {profile.name!r} in {profile.path}, mode {mode}: {detail}"

    def _open(self) -> tuple[CliProfile, CredentialProvider]:
        if self._disabled is not None:
            raise ProviderUnavailable(f"{self._disabled}: profiles of the aliyun CLI are not looked at.")
        file = config_path(self._path, self._environ)
        document, path = load_config(file), file.path
        profile = self._select(document, path)
        # Here and not above: it knows every other kind of provider, and most programs have no such file.
        from ramrole_creds.providers.profiles.cli_modes import CliProfileBuilder

        maker = CliProfileBuilder(document, path, self._options)
        provider = maker.make(profile)
        if any(fields.get(name) for fields in maker.read for name in SECRET_FIELDS):
            warn_of_readers(path)
        if self._made is not None and self._made[0] == maker.read:
            return profile, self._made[1]  # it keeps what its source gave
        self._made = (maker.read, provider)
        return profile, provider

    def _select(self, document: Mapping[str, object], path: Path) -> CliProfile:
        current = document.get("current")
        name = self._named or (current if isinstance(current, str) and current else "default")
        profile = find_profile(document, path, name)
        if profile is None:
            raise self._not_found(document, path, name, from_file=bool(current))
        empty = not any(value for key, value in profile.fields.items() if key not in ("name", "mode", *_SETTINGS))
        if empty and self._asked_for is None and profile.text("mode").lower() in ("", "ak"):
            # What the CLI writes when it is first run.
            raise ProviderUnavailable(f"Profile {name!r} in {path} has not been filled in: run `aliyun configure`.")
        return profile

    def _not_found(
        self, document: Mapping[str, object], path: Path, name: str, *, from_file: bool
    ) -> ProviderUnavailable | FetchError:
        names = ", ".join(repr(one.get("name")) for one in profiles_of(document, path)[:20]) or "none"
        text = f"{path} has no profile {name!r} (it has {names})."
        if self._asked_for is not None:
            return ProfileError(text, unrecoverable=True)
        if self._named is not None:
            # The variable names a section of the ini file too: whether that has it, the next link tells.
            if any(is_there(other.path) for other in ini_paths(self._environ)):
                return ProviderUnavailable(text)
            return ProfileError(f"{text} Correct {PROFILE_VARIABLE}, or unset it.", unrecoverable=True)
        if from_file:
            return ProfileError(f"{text} Correct `current`: aliyun configure switch.", unrecoverable=True)
        return ProviderUnavailable(text)


def configured_region() -> str | None:
    """The `region_id` of the profile that is meant, None where it names none.

    Raises:
        RamRoleError: there is no profile, or it cannot be used.
    """
    file = config_path()
    document, path = load_config(file), file.path
    current = document.get("current")
    name = os.environ.get(PROFILE_VARIABLE) or (current if isinstance(current, str) and current else "default")
    profile = find_profile(document, path, name)
    return None if profile is None else profile.text("region_id") or None


# What says nothing about credentials.
_SETTINGS = (
    *("region_id", "output_format", "language", "site", "read_timeout", "retry_timeout", "connect_timeout"),
    *("retry_count", "expired_seconds", "verified", "endpoint_type", "endpoint", "auto_plugin_install"),
    *("auto_plugin_install_enable_pre", "sts_region", "sts_endpoint", "external_account_type", "oauth_site_type"),
)
