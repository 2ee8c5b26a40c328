"""A provider for each mode of a CLI profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.providers.profiles.cli_config import CliProfile, find_profile
from ramrole_creds.providers.profiles.source_settings import (
    KEYLESS_REASON,
    SettingNames,
    SourceSettings,
    assumed_role,
    build_source,
)
from ramrole_creds.providers.variables import URI_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ramrole_creds.provider import CredentialProvider
    from ramrole_creds.providers.profiles._options import ProfileOptions

EXTERNAL_ID_VARIABLES: Final = ("ALIBABA_CLOUD_EXTERNAL_ID", "ALIBABACLOUD_EXTERNAL_ID")
MAX_SOURCE_PROFILES: Final = 16
KEYLESS_MODES: Final[Mapping[str, str]] = {
    "bearertoken": KEYLESS_REASON,
    "anonymous": "its mode is Anonymous, which has no credentials",
}
NAMES = SettingNames(
    {
        "security_token": ("sts_token",),
        "role_name": ("ram_role_name",),
        "role_arn": ("ram_role_arn",),
        # The official Python library reads the second name, which the CLI never writes.
        "session_name": ("ram_session_name", "role_session_name"),
        "session_policy": ("policy",),
        "duration": ("expired_seconds",),
        "public_key_id": ("key_pair_name",),
        "private_key_file": ("private_key",),
        "region": ("sts_region",),
        "vpc": ("enable_vpc",),
    },
    {"credentials_uri": (URI_VARIABLE,), "external_id": EXTERNAL_ID_VARIABLES},
)

_UNKNOWN_MODE = "its mode is not supported by this version of ramrole-creds. Update it, or run `aliyun configure`"


class CliProfileBuilder:
    """Makes providers of the profiles of one file.

    Args:
        document: the content of the file.
        path: the file.
        options: where the services are.
    """

    def __init__(self, document: Mapping[str, object], path: Path, options: ProfileOptions) -> None:
        self._document = document
        self._path = path
        self.options = options
        self.read: list[Mapping[str, object]] = []
        """The profiles that the provider was made of. While they do not change, the provider can be used again."""
        self._followed: list[str] = []

    def make(self, profile: CliProfile) -> CredentialProvider:
        """The provider of a profile, and of the profiles that it names as its source.

        Raises:
            ProfileError: a field is missing or not valid, the mode is unknown, or the sources form a circle.
        """
        if profile.name in self._followed:
            circle = " → ".join((*self._followed, profile.name))
            raise profile.problem(f"source_profile leads back to itself ({circle}). Name a profile that has keys")
        if len(self._followed) >= MAX_SOURCE_PROFILES:
            raise profile.problem(f"source_profile leads through more than {MAX_SOURCE_PROFILES} profiles. Shorten it")
        self._followed.append(profile.name)
        self.read.append(profile.fields)
        mode = mode_of(profile)
        make = MODES.get(mode.lower())
        if make is None:
            keyless = KEYLESS_MODES.get(mode.lower())
            raise profile.problem(keyless or _UNKNOWN_MODE)
        try:
            return make(self, profile)
        except ConfigurationError as error:
            problem = self.settings(profile).in_fields(error.message.rstrip("."))
        raise profile.problem(problem)

    def make_source(self, profile: CliProfile) -> CredentialProvider:
        """The provider of the profile that `source_profile` names.

        Raises:
            ProfileError: the profile cannot be used, or there is no such profile.
        """
        (name,) = self.settings(profile).required("source_profile")
        source = find_profile(self._document, self._path, name)
        if source is None:
            raise profile.problem("the file has no profile of the name in source_profile")
        return self.make(source)

    def settings(self, profile: CliProfile) -> SourceSettings:
        """The settings of a profile."""
        return self.options.settings(profile, NAMES)


def mode_of(profile: CliProfile) -> str:
    """The mode of a profile; if it names none, the one that the CLI guesses."""
    if mode := profile.text("mode"):
        return mode
    if profile.text("access_key_id") and profile.text("access_key_secret"):
        if profile.text("sts_token"):
            return "StsToken"
        return "RamRoleArn" if profile.text("ram_role_arn") else "AK"
    signs = (
        ("private_key", "RsaKeyPair"),
        ("ram_role_name", "EcsRamRole"),
        ("process_command", "External"),
        ("oidc_provider_arn", "OIDC"),
        ("cloud_sso_sign_in_url", "CloudSSO"),
        ("bearer_token", "BearerToken"),
    )
    return next((mode for field, mode in signs if profile.text(field)), "AK")


def _source(kind: str) -> Callable[[CliProfileBuilder, CliProfile], CredentialProvider]:
    """What makes a provider that needs nothing but the profile."""
    return lambda builder, profile: build_source(kind, builder.settings(profile))


def _ram_role_arn_with_role_name(builder: CliProfileBuilder, profile: CliProfile) -> CredentialProvider:
    settings = builder.settings(profile)
    return assumed_role(settings, build_source("ecs_ram_role", settings))


def _chainable_ram_role_arn(builder: CliProfileBuilder, profile: CliProfile) -> CredentialProvider:
    return assumed_role(builder.settings(profile), builder.make_source(profile))


def _cloud_sso(builder: CliProfileBuilder, profile: CliProfile) -> CredentialProvider:
    from ramrole_creds.providers.profiles.signed_in import SignedInProvider
    from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider

    url, account, configuration, token = builder.settings(profile).required(
        "cloud_sso_sign_in_url", "cloud_sso_account_id", "cloud_sso_access_config", "access_token"
    )
    provider = CloudSsoProvider(
        url,
        account,
        configuration,
        access_token=token,
        access_token_expire=profile.seconds("cloud_sso_access_token_expire"),
        clock=builder.options.clock,
    )
    return SignedInProvider(provider, profile)


def _oauth(builder: CliProfileBuilder, profile: CliProfile) -> CredentialProvider:
    from ramrole_creds.providers.profiles.signed_in import ProfileTokens, SignedInProvider
    from ramrole_creds.providers.sign_in.oauth import OAuthProvider

    if not profile.text("oauth_access_token") and not profile.text("oauth_refresh_token"):
        raise profile.problem("oauth_access_token is missing. Sign in with `aliyun configure --mode OAuth`")
    provider = OAuthProvider(
        ProfileTokens(profile),
        site=profile.text("oauth_site_type") or "CN",
        endpoint=builder.options.oauth_endpoint,
        clock=builder.options.clock,
    )
    return SignedInProvider(provider, profile)


MODES: Final[Mapping[str, Callable[[CliProfileBuilder, CliProfile], CredentialProvider]]] = {
    "ak": _source("access_key"),
    "ststoken": _source("sts"),
    "ramrolearn": _source("ram_role_arn"),
    "ecsramrole": _source("ecs_ram_role"),
    "ramrolearnwithrolename": _ram_role_arn_with_role_name,
    "chainableramrolearn": _chainable_ram_role_arn,
    "rsakeypair": _source("rsa_key_pair"),
    "oidc": _source("oidc_role_arn"),
    "external": _source("external"),
    "credentialsuri": _source("credentials_uri"),
    "cloudsso": _cloud_sso,
    "oauth": _oauth,
}
