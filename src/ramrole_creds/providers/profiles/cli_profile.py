"""Credentials of a profile of the aliyun CLI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_text
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import FetchError, ProfileError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
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
from ramrole_creds.providers.variables import PROFILE_VARIABLE, argument_or_variable, env_flag, rename_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

DISABLED_VARIABLE: Final = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"
IGNORE_VARIABLES: Final = ("ALIBABA_CLOUD_IGNORE_PROFILE", "ALIBABACLOUD_IGNORE_PROFILE")
SECRET_FIELDS: Final = (
    "access_key_secret",
    "sts_token",
    "access_token",
    "oauth_access_token",
    "oauth_refresh_token",
    "bearer_token",
)


class CliProfileProvider(CredentialProvider):
    """Uses a profile of ~/.aliyun/config.json, in every mode of the aliyun CLI that has keys.

    The file is read at each fetch, so a changed profile takes effect. The library changes the file in one case only:
    it saves a renewed OAuth token there, as the CLI does.

    Args:
        profile_name: name of the profile; else ALIBABA_CLOUD_PROFILE, else `current` of the file.
        path: the file; else ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json.
        endpoint: base URL of the metadata service, for modes that ask it.
        sts_endpoint: host or URL of STS; takes precedence over the profile.
        oauth_endpoint: base URL of the OAuth sign-in service.
        options: `policy`, `clock` and `on_event`, as for every provider.
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
        self._argument = checked_text("profile_name", profile_name) or None
        self._named = argument_or_variable(profile_name, PROFILE_VARIABLE)
        self._path = path or None
        self._environ = {name: os.environ.get(name, "") for name in (CONFIG_VARIABLE, FILE_VARIABLE)}
        self._disabled = _disabled_by()
        self._options = ProfileOptions(endpoint, sts_endpoint, oauth_endpoint, self._clock)
        self._made: Callable[[], tuple[list[Mapping[str, object]], CredentialProvider] | None] = sealed(None)

    def fetch(self, context: FetchContext) -> Credentials:
        """Read the file and fetch from the source that the profile names, now.

        Raises:
            ProviderUnavailable: the file certainly does not exist, or it configures nothing.
            ProfileError: file or profile cannot be used.
            RamRoleError: any error of the source that the profile names.
        """
        profile, provider = self._open()
        where = f"Profile {profile.name!r} in {profile.path}"
        return fetch_from_profile(provider, context, kind=self.name, profile=where)

    def explain(self) -> str:
        """What a fetch would do."""
        from ramrole_creds.providers.profiles.cli_modes import mode_of

        try:
            profile, provider = self._open()
        except RamRoleError as error:
            return describe_error(error)
        detail = getattr(provider, "explain", lambda: "would use the keys in it")()
        hint = "" if self._argument else rename_hint(PROFILE_VARIABLE).replace(" ", "; ", 1).rstrip(".")
        return f"profile {profile.name!r} in {profile.path}, mode {mode_of(profile)}: {detail}{hint}"

    def _open(self) -> tuple[CliProfile, CredentialProvider]:
        if self._disabled is not None:
            raise ProviderUnavailable(f"{self._disabled} is set: profiles of the aliyun CLI are not used.")
        file = config_path(self._path, self._environ)
        try:
            document, path = load_config(file), file.path
        except ProviderUnavailable as error:
            hint = "" if self._path else rename_hint(CONFIG_VARIABLE)
            hint += "" if self._argument else rename_hint(PROFILE_VARIABLE)
            raise ProviderUnavailable(f"{error}{hint}") from None
        profile = self._select(document, path)
        # Imported here: it imports other kinds of providers, and most programs have no such file.
        from ramrole_creds.providers.profiles.cli_modes import CliProfileBuilder

        builder = CliProfileBuilder(document, path, self._options)
        provider = builder.make(profile)
        if any(fields.get(name) for fields in builder.read for name in SECRET_FIELDS):
            warn_of_readers(path)
        made = self._made()
        if made is not None and made[0] == builder.read:
            return profile, made[1]  # it has a cache of what its source gave
        self._made = sealed((builder.read, provider))
        return profile, provider

    def _select(self, document: Mapping[str, object], path: Path) -> CliProfile:
        name = self._named or _current(document)
        profile = find_profile(document, path, name)
        if self._argument is None and all(_is_unconfigured(fields) for fields in profiles_of(document, path)):
            # As the CLI leaves it when it is first run, and when its last profile is deleted.
            raise ProviderUnavailable(f"{path} has no credentials. Run `aliyun configure` to use it.")
        if profile is None:
            raise self._not_found(document, path, name)
        if self._argument is None and _is_unconfigured(profile.fields):
            raise ProviderUnavailable(f"Profile {name!r} in {path} has no credentials. Run `aliyun configure`.")
        return profile

    def _not_found(self, document: Mapping[str, object], path: Path, name: str) -> ProviderUnavailable | FetchError:
        given = [one.get("name") for one in profiles_of(document, path)[:20]]
        names = ", ".join(repr(one) for one in given if isinstance(one, str)) or "none"
        text = f"{path} has no profile {name!r}; its profiles: {names}.{rename_hint(PROFILE_VARIABLE)}"
        if self._argument is not None:
            return ProfileError(f"{text} Correct the name.", unrecoverable=True)
        if self._named is not None:
            # The variable names a section of the ini file too: the next provider reports whether that exists.
            if any(is_there(other.path) for other in ini_paths(self._environ)):
                return ProviderUnavailable(text)
            return ProfileError(f"{text} Correct {PROFILE_VARIABLE}, or unset it.", unrecoverable=True)
        if document.get("current"):
            return ProfileError(f"{text} Correct `current`: run `aliyun configure switch`.", unrecoverable=True)
        return ProviderUnavailable(text)


def configured_region() -> str | None:
    """The `region_id` of the selected profile; None if it names none.

    Raises:
        RamRoleError: the file cannot be used.
    """
    file = config_path()
    document, path = load_config(file), file.path
    profile = find_profile(document, path, os.environ.get(PROFILE_VARIABLE) or _current(document))
    return None if profile is None else profile.text("region_id") or None


def _disabled_by() -> str | None:
    """The setting that switches profiles of the CLI off; None if there is none."""
    if env_flag(DISABLED_VARIABLE):
        return f"{DISABLED_VARIABLE}=true"
    return next((f"{name}=TRUE" for name in IGNORE_VARIABLES if os.environ.get(name) == "TRUE"), None)


def _current(document: Mapping[str, object]) -> str:
    current = document.get("current")
    return current if isinstance(current, str) and current else "default"


def _is_unconfigured(fields: Mapping[str, object]) -> bool:
    """Whether a profile says nothing about credentials."""
    if str(fields.get("mode") or "").lower() not in ("", "ak"):
        return False
    return not any(value for key, value in fields.items() if key not in ("name", "mode", *_SETTINGS))


# Fields that say nothing about credentials.
_SETTINGS = (
    *("region_id", "output_format", "language", "site", "read_timeout", "retry_timeout", "connect_timeout"),
    *("retry_count", "expired_seconds", "verified", "endpoint_type", "endpoint", "auto_plugin_install"),
    *("auto_plugin_install_enable_pre", "sts_region", "sts_endpoint", "external_account_type", "oauth_site_type"),
)
