"""A provider for each mode of a CLI profile."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, ProfileError
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.credentials_uri import URI_VARIABLE, CredentialsUriProvider
from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
from ramrole_creds.providers.process import ProcessProvider
from ramrole_creds.providers.profiles._options import NO_PROCESS_VARIABLE, ProfileOptions, external_forbidden
from ramrole_creds.providers.profiles.cli_config import CliProfile, find_profile, load_config, update_profile
from ramrole_creds.providers.profiles.files import ProfilePath
from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider
from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider
from ramrole_creds.providers.session_arguments import DEFAULT_SESSION_SECONDS
from ramrole_creds.providers.sign_in.cloud_sso import CloudSsoProvider
from ramrole_creds.providers.sign_in.oauth import OAuthProvider, OAuthTokens
from ramrole_creds.providers.static import StaticProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ramrole_creds.provider import FetchContext

EXTERNAL_ID_VARIABLES = ("ALIBABA_CLOUD_EXTERNAL_ID", "ALIBABACLOUD_EXTERNAL_ID")
# The CLI keeps the last session in the profile; one that lives shorter is not worth taking over.
MIN_KEPT_SESSION_SECONDS = 900.0
KEYLESS_MODES = {
    "bearertoken": (
        "it holds a bearer token and no keys to sign with: give BearerTokenProvider to a client that takes one"
    ),
    "anonymous": "its mode is Anonymous: it has no credentials",
}


class CliProfileBuilder:
    """Makes providers of the profiles of one file.

    Args:
        document: the file's content.
        path: the file.
        options: where the services are.
    """

    def __init__(self, document: Mapping[str, object], path: Path, options: ProfileOptions) -> None:
        self._document = document
        self._path = path
        self._options = options
        self.read: list[Mapping[str, object]] = []
        """The profiles that the provider was made of: as long as they are the same, so is the provider."""
        self._followed: list[str] = []

    def make(self, profile: CliProfile) -> CredentialProvider:
        """The provider of a profile, and of those that it names as its source.

        Raises:
            ProfileError: a field is missing or makes no sense, the mode is unknown, or sources name each other.
        """
        if profile.name in self._followed:
            circle = " → ".join((*self._followed, profile.name))
            raise profile.problem(f"source_profile goes in a circle ({circle})")
        self._followed.append(profile.name)
        self.read.append(profile.fields)
        mode = profile.text("mode") or guessed_mode(profile)
        make = MODES.get(mode.lower())
        if make is None:
            known = KEYLESS_MODES.get(mode.lower())
            raise profile.problem(known or "its mode is none that this library knows; is it newer than this version?")
        try:
            return make(self, profile)
        except ConfigurationError as error:
            problem = str(error).rstrip(".")
        raise profile.problem(problem)

    def _ak(self, profile: CliProfile) -> CredentialProvider:
        key_id, secret = _required(profile, "access_key_id", "access_key_secret")
        return StaticProvider(key_id, secret, clock=self._options.clock)

    def _sts_token(self, profile: CliProfile) -> CredentialProvider:
        key_id, secret, token = _required(profile, "access_key_id", "access_key_secret", "sts_token")
        return StaticProvider(key_id, secret, token, clock=self._options.clock)

    def _ram_role_arn(self, profile: CliProfile) -> CredentialProvider:
        key_id, secret = _required(profile, "access_key_id", "access_key_secret")
        token = profile.text("sts_token") or None
        return self._assumed(profile, StaticProvider(key_id, secret, token, clock=self._options.clock))

    def _ecs_ram_role(self, profile: CliProfile) -> CredentialProvider:
        role = profile.text("ram_role_name") or None
        return EcsRamRoleProvider(role, endpoint=self._options.endpoint, clock=self._options.clock)

    def _ram_role_arn_with_role_name(self, profile: CliProfile) -> CredentialProvider:
        return self._assumed(profile, self._ecs_ram_role(profile))

    def _chainable_ram_role_arn(self, profile: CliProfile) -> CredentialProvider:
        (name,) = _required(profile, "source_profile")
        source = find_profile(self._document, self._path, name)
        if source is None:
            raise profile.problem("the file has no profile of the name that its source_profile gives")
        return self._assumed(profile, self.make(source))

    def _assumed(self, profile: CliProfile, source: CredentialProvider) -> CredentialProvider:
        (role_arn,) = _required(profile, "ram_role_arn")
        external_id = profile.text("external_id")
        for variable in EXTERNAL_ID_VARIABLES:
            external_id = external_id or os.environ.get(variable, "")
        return RamRoleArnProvider(
            source,
            role_arn,
            session_name=profile.text("ram_session_name") or None,
            duration=profile.seconds("expired_seconds") or DEFAULT_SESSION_SECONDS,
            session_policy=profile.text("policy") or None,
            external_id=external_id or None,
            endpoint=self._sts_endpoint(profile),
            region=profile.text("sts_region") or None,
            vpc=_flag(profile, "enable_vpc"),
            clock=self._options.clock,
        )

    def _rsa_key_pair(self, profile: CliProfile) -> CredentialProvider:
        file, key_id = _required(profile, "private_key", "key_pair_name")
        return RsaKeyPairProvider(
            key_id,
            file,
            duration=profile.seconds("expired_seconds") or DEFAULT_SESSION_SECONDS,
            endpoint=self._sts_endpoint(profile),
            region=profile.text("sts_region") or None,
            clock=self._options.clock,
        )

    def _oidc(self, profile: CliProfile) -> CredentialProvider:
        role_arn, provider_arn, file = _required(profile, "ram_role_arn", "oidc_provider_arn", "oidc_token_file")
        return OidcRoleArnProvider(
            role_arn,
            provider_arn,
            file,
            # The Python library reads the second name, which the CLI never writes.
            session_name=profile.text("ram_session_name") or profile.text("role_session_name") or None,
            duration=profile.seconds("expired_seconds") or DEFAULT_SESSION_SECONDS,
            session_policy=profile.text("policy") or None,
            endpoint=self._sts_endpoint(profile),
            region=profile.text("sts_region") or None,
            vpc=_flag(profile, "enable_vpc"),
            clock=self._options.clock,
        )

    def _external(self, profile: CliProfile) -> CredentialProvider:
        (command,) = _required(profile, "process_command")
        _refuse_external(profile)
        return ProcessProvider(command, clock=self._options.clock)

    def _credentials_uri(self, profile: CliProfile) -> CredentialProvider:
        uri = profile.text("credentials_uri") or os.environ.get(URI_VARIABLE)
        if not uri:
            raise profile.problem("credentials_uri is missing")
        _refuse_external(profile)
        return CredentialsUriProvider(uri, clock=self._options.clock)

    def _cloud_sso(self, profile: CliProfile) -> CredentialProvider:
        url, account, configuration, token = _required(
            profile, "cloud_sso_sign_in_url", "cloud_sso_account_id", "cloud_sso_access_config", "access_token"
        )
        provider = CloudSsoProvider(
            url,
            account,
            configuration,
            access_token=token,
            access_token_expire=profile.seconds("cloud_sso_access_token_expire"),
            clock=self._options.clock,
        )
        return SignedInProvider(provider, profile)

    def _oauth(self, profile: CliProfile) -> CredentialProvider:
        if not profile.text("oauth_access_token") and not profile.text("oauth_refresh_token"):
            raise profile.problem("oauth_access_token is missing: sign in with `aliyun configure --mode OAuth`")
        provider = OAuthProvider(
            ProfileTokens(profile),
            site=profile.text("oauth_site_type") or "CN",
            endpoint=self._options.oauth_endpoint,
            clock=self._options.clock,
        )
        return SignedInProvider(provider, profile)

    def _sts_endpoint(self, profile: CliProfile) -> str | None:
        return self._options.sts_endpoint or profile.text("sts_endpoint") or None


MODES: Mapping[str, Callable[[CliProfileBuilder, CliProfile], CredentialProvider]] = {
    "ak": CliProfileBuilder._ak,  # noqa: SLF001  # this table is a part of the class
    "ststoken": CliProfileBuilder._sts_token,  # noqa: SLF001
    "ramrolearn": CliProfileBuilder._ram_role_arn,  # noqa: SLF001
    "ecsramrole": CliProfileBuilder._ecs_ram_role,  # noqa: SLF001
    "ramrolearnwithrolename": CliProfileBuilder._ram_role_arn_with_role_name,  # noqa: SLF001
    "chainableramrolearn": CliProfileBuilder._chainable_ram_role_arn,  # noqa: SLF001
    "rsakeypair": CliProfileBuilder._rsa_key_pair,  # noqa: SLF001
    "oidc": CliProfileBuilder._oidc,  # noqa: SLF001
    "external": CliProfileBuilder._external,  # noqa: SLF001
    "credentialsuri": CliProfileBuilder._credentials_uri,  # noqa: SLF001
    "cloudsso": CliProfileBuilder._cloud_sso,  # noqa: SLF001
    "oauth": CliProfileBuilder._oauth,  # noqa: SLF001
}


class SignedInProvider(CredentialProvider):
    """Takes the session that the CLI left in the profile, while it lives; else exchanges the sign-in.

    Args:
        provider: exchanges the sign-in.
        profile: the profile with the session.
    """

    default_policy = OAuthProvider.default_policy

    def __init__(self, provider: CloudSsoProvider | OAuthProvider, profile: CliProfile) -> None:
        super().__init__()
        self._provider = provider
        self._profile = profile

    def get_provider_name(self) -> str:
        """The name of the sign-in."""
        return self._provider.name

    def fetch(self, context: FetchContext) -> Credentials:
        """See the class."""
        kept = self._kept_session(context)
        return self._provider.fetch(context) if kept is None else kept

    def explain(self) -> str:
        """What a fetch would do."""
        return self._provider.explain()

    def _kept_session(self, context: FetchContext) -> Credentials | None:
        profile = self._profile
        expire = profile.seconds("sts_expiration")
        key_id, secret, token = (profile.text(name) for name in ("access_key_id", "access_key_secret", "sts_token"))
        if (
            expire is None
            or not (key_id and secret and token)
            or expire - context.clock.time() < MIN_KEPT_SESSION_SECONDS
        ):
            return None
        try:
            expiration = datetime.fromtimestamp(expire, timezone.utc)
            session = Credentials(key_id, secret, token, expiration, provider_name=self._provider.name)
        except (ConfigurationError, ValueError, OverflowError, OSError):
            return None
        rejected = context.rejected
        refused = rejected is not None and rejected.access_key_id == session.access_key_id
        return None if refused else session


class ProfileTokens:
    """The tokens of an OAuth sign-in, kept where the CLI keeps them: in the profile.

    Args:
        profile: the profile as it was when the provider was made.
    """

    def __init__(self, profile: CliProfile) -> None:
        self._path = profile.path
        self._name = profile.name

    def load(self) -> OAuthTokens:
        """The tokens in the file now."""
        profile = find_profile(load_config(ProfilePath(self._path)), self._path, self._name)
        if profile is None:
            raise ProfileError(f"{self._path} has no profile {self._name!r} any more.", unrecoverable=True)
        return _tokens_of(profile)

    def update(self, change: Callable[[OAuthTokens], OAuthTokens | None], time_limit: float) -> OAuthTokens:
        """See `TokenStore`: the lock is a file beside the profile's."""

        def fields(profile: CliProfile) -> Mapping[str, object]:
            tokens = change(_tokens_of(profile))
            if tokens is None:
                return {}
            return {
                "oauth_access_token": tokens.access_token,
                "oauth_refresh_token": tokens.refresh_token or "",
                "oauth_access_token_expire": int(tokens.access_token_expire or 0),
            }

        return _tokens_of(update_profile(self._path, self._name, fields, time_limit=time_limit))


def guessed_mode(profile: CliProfile) -> str:
    """The mode of a profile that names none, as the CLI guesses it."""
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


def _tokens_of(profile: CliProfile) -> OAuthTokens:
    return OAuthTokens(
        profile.text("oauth_access_token"),
        profile.text("oauth_refresh_token") or None,
        profile.seconds("oauth_access_token_expire"),
    )


def _required(profile: CliProfile, *names: str) -> list[str]:
    """The fields' texts. What is missing is never taken from elsewhere: keys of two sources do not make a pair."""
    missing = [name for name in names if not profile.text(name)]
    if missing:
        raise profile.problem(f"{' and '.join(missing)} missing")
    return [profile.text(name) for name in names]


def _flag(profile: CliProfile, name: str) -> bool | None:
    value = profile.fields.get(name)
    if isinstance(value, str):
        return value.strip().lower() == "true" if value.strip() else None
    return value if isinstance(value, bool) else None


def _refuse_external(profile: CliProfile) -> None:
    if external_forbidden():
        raise profile.problem(f"{NO_PROCESS_VARIABLE} forbids profiles that run a command or ask a URL")
