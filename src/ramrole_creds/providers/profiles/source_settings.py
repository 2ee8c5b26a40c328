"""One builder for every configuration that names its source: both profile files, and the official `Config`.

A reader of a configuration names the source in `BUILDERS` and says under which names its fields hold the settings.
Each provider class is imported when a configuration names it, since most programs have no such configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

from ramrole_creds.metadata.token_mode import PREFER
from ramrole_creds.providers.variables import argument_or_variable
from ramrole_creds.sts.client import DEFAULT_SESSION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.clock import Clock
    from ramrole_creds.metadata.token_mode import TokenMode
    from ramrole_creds.provider import CredentialProvider, ProviderOptions
    from ramrole_creds.providers.sts_provider import StsOptions

    Builder = Callable[["SourceSettings"], CredentialProvider]


KEYLESS_REASON: Final = (
    "it holds a bearer token and no keys to sign with. Pass BearerTokenProvider to a client that accepts one"
)


class ConfigurationFields(Protocol):
    """The fields of one configuration, whatever holds them. An error names a field, and never shows its value."""

    def text(self, name: str) -> str:
        """The text of a field; "" if it is missing or empty."""

    def seconds(self, name: str) -> float | None:
        """The number of a field; None if it is missing or 0."""

    def flag(self, name: str) -> bool | None:
        """The truth value of a field; None if it is missing."""

    def problem(self, what: str) -> Exception:
        """An error about the configuration."""


class Timeouts(TypedDict, total=False):
    """Time limits of connections, if the configuration has any."""

    connect_timeout: float
    read_timeout: float


class SessionOptions(TypedDict):
    """The arguments that both kinds of assumed role have in common."""

    session_name: str | None
    duration: float
    session_policy: str | None


@dataclass(frozen=True, slots=True)
class SettingNames:
    """Where one kind of configuration holds the settings.

    Args:
        fields: the names of the fields that hold a setting, in order of precedence; a setting that is not listed is
            held by the field of the same name.
        variables: the environment variables that stand in for a missing field.
        holder: what errors call the configuration.
    """

    fields: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    holder: str = "profile"


@dataclass(frozen=True, slots=True, repr=False)
class SourceSettings:
    """The settings of one source, read from a configuration when a builder asks for them.

    Args:
        fields: the configuration.
        names: where it holds the settings.
        options: `policy`, `clock` and `on_event` of the provider to build.
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS; takes precedence over the configuration.
        token_mode: how the metadata service is asked.
        timeouts: time limits of connections.
        external: why commands and URLs may not be used; None if they may.
    """

    fields: ConfigurationFields
    names: SettingNames
    options: ProviderOptions
    endpoint: str | None = None
    sts_endpoint: str | None = None
    token_mode: TokenMode = PREFER
    timeouts: Timeouts = field(default_factory=Timeouts)
    external_forbidden: str | None = None

    @property
    def clock(self) -> Clock | None:
        """The clock for the sources below the provider."""
        return self.options.get("clock")

    def text(self, setting: str) -> str | None:
        """The text of a setting; None if it is missing."""
        given = next((text for name in self.field_names(setting) if (text := self.fields.text(name))), None)
        return argument_or_variable(given, *self.names.variables.get(setting, ()))

    def required(self, *settings: str) -> list[str]:
        """The texts of settings that must be there.

        What is missing is never taken from another source: keys of two sources do not make a pair.

        Raises:
            Exception: made by the configuration; a setting is missing.
        """
        texts = {setting: self.text(setting) for setting in settings}
        missing = [self.field_names(setting)[0] for setting, text in texts.items() if text is None]
        if missing:
            names = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
            verb = "is" if len(missing) == 1 else "are"
            raise self.fields.problem(f"{names} {verb} missing. Add {names} to the {self.names.holder}")
        return [text for text in texts.values() if text is not None]

    def session(self) -> SessionOptions:
        """Name, duration and policy of a role session."""
        return {
            "session_name": self.text("session_name"),
            "duration": self.duration(),
            "session_policy": self.text("session_policy"),
        }

    def duration(self) -> float:
        """Seconds that a session lasts."""
        given = (self.fields.seconds(name) for name in self.field_names("duration"))
        return next(filter(None, given), DEFAULT_SESSION_SECONDS)

    def sts(self) -> StsOptions:
        """Where STS is, the time limits, and the options of every provider."""
        (vpc_field,) = self.field_names("vpc")
        return {
            "endpoint": self.sts_endpoint or self.text("sts_endpoint"),
            "region": self.text("region"),
            "vpc": self.fields.flag(vpc_field),
            **self.timeouts,
            **self.options,
        }

    def require_external_allowed(self) -> None:
        """Check that the configuration may run a command or ask a URL.

        Raises:
            Exception: made by the configuration; it may not.
        """
        if self.external_forbidden is not None:
            raise self.fields.problem(self.external_forbidden)

    def in_fields(self, problem: str) -> str:
        """What is wrong with an argument, in terms of the field that holds it: `expired_seconds` for `duration`."""
        setting, space, rest = problem.partition(" ")
        return f"{self.field_names(setting)[0]}{space}{rest}"

    def field_names(self, setting: str) -> tuple[str, ...]:
        """The names of the fields that hold a setting."""
        return self.names.fields.get(setting, (setting,))


def build_source(kind: str, settings: SourceSettings) -> CredentialProvider:
    """The provider that a configuration names.

    Args:
        kind: one of `BUILDERS`.
        settings: the settings of the source.

    Raises:
        Exception: made by the configuration; a setting is missing.
        ConfigurationError: a setting is not valid.
    """
    return BUILDERS[kind](settings)


def assumed_role(settings: SourceSettings, source: CredentialProvider) -> CredentialProvider:
    """The role of a configuration, assumed with the credentials of `source`.

    Raises:
        Exception: made by the configuration; a setting is missing.
        ConfigurationError: a setting is not valid.
    """
    from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider

    (role_arn,) = settings.required("role_arn")
    return RamRoleArnProvider(
        source, role_arn, external_id=settings.text("external_id"), **settings.session(), **settings.sts()
    )


def _access_key(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.static import StaticProvider

    key_id, secret = settings.required("access_key_id", "access_key_secret")
    return StaticProvider(key_id, secret, **settings.options)


def _sts(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.static import StaticProvider

    key_id, secret, token = settings.required("access_key_id", "access_key_secret", "security_token")
    return StaticProvider(key_id, secret, token, **settings.options)


def _ram_role_arn(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.static import StaticProvider

    key_id, secret, _ = settings.required("access_key_id", "access_key_secret", "role_arn")
    source = StaticProvider(key_id, secret, settings.text("security_token"), clock=settings.clock)
    return assumed_role(settings, source)


def _ecs_ram_role(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider

    return EcsRamRoleProvider(
        settings.text("role_name"),
        endpoint=settings.endpoint,
        token_mode=settings.token_mode,
        **settings.timeouts,
        **settings.options,
    )


def _oidc_role_arn(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider

    role_arn, provider_arn, file = settings.required("role_arn", "oidc_provider_arn", "oidc_token_file")
    return OidcRoleArnProvider(role_arn, provider_arn, file, **settings.session(), **settings.sts())


def _rsa_key_pair(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider

    key_id, file = settings.required("public_key_id", "private_key_file")
    return RsaKeyPairProvider(key_id, file, duration=settings.duration(), **settings.sts())


def _credentials_uri(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.credentials_uri import CredentialsUriProvider

    (uri,) = settings.required("credentials_uri")
    settings.require_external_allowed()
    return CredentialsUriProvider(uri, **settings.timeouts, **settings.options)


def _external(settings: SourceSettings) -> CredentialProvider:
    from ramrole_creds.providers.process import ProcessProvider

    (command,) = settings.required("process_command")
    settings.require_external_allowed()
    return ProcessProvider(command, **settings.options)


BUILDERS: Final[Mapping[str, Builder]] = {
    "access_key": _access_key,
    "sts": _sts,
    "ram_role_arn": _ram_role_arn,
    "ecs_ram_role": _ecs_ram_role,
    "oidc_role_arn": _oidc_role_arn,
    "rsa_key_pair": _rsa_key_pair,
    "credentials_uri": _credentials_uri,
    "external": _external,
}
