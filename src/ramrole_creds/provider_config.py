"""Providers out of the official library's configuration objects: a help in migration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ramrole_creds.chain import default_provider
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.providers.credential_uri import CredentialsUriProvider
from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider
from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider
from ramrole_creds.providers.sessions import DEFAULT_SESSION_SECONDS
from ramrole_creds.providers.static import StaticProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.provider import CredentialProvider, ProviderOptions


def provider_from_config(config: object, **options: Unpack[ProviderOptions]) -> CredentialProvider:
    """The provider that `alibabacloud_credentials.client.Client(config)` would use.

    Args:
        config: an `alibabacloud_credentials.models.Config`, or a mapping of its fields. Without a `type` it is the
            default chain. Its time-outs are milliseconds. `proxy` is not read: set HTTPS_PROXY.
        options: `policy`, `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: the type is unknown, has no keys, or a field that it needs is missing.
    """
    fields = _Fields(config)
    kind = fields.text("type")
    if not kind or kind == "default":
        return default_provider(**options)
    if kind == "bearer":
        raise ConfigurationError("A bearer token has no keys to sign with: use BearerTokenProvider.")
    make = _TYPES.get(kind)
    if make is None:
        raise ConfigurationError(f"The type of the configuration is none of {', '.join(_TYPES)}.")
    return make(fields, options)


class _Fields:
    """The fields of a configuration, whatever holds them."""

    def __init__(self, config: object) -> None:
        self._config = config

    def get(self, name: str) -> object:
        if isinstance(self._config, Mapping):
            return self._config.get(name)
        return getattr(self._config, name, None)

    def text(self, name: str) -> str:
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ConfigurationError(f"A configuration of type {self.text('type')!r} needs {name}.")
        return value

    def seconds(self, name: str, default: float) -> float:
        """A time-out, which is milliseconds there."""
        value = self.get(name)
        return value / 1000 if isinstance(value, (int, float)) and value > 0 else default

    def duration(self) -> float:
        value = self.get("role_session_expiration") or self.get("duration_seconds")
        return float(value) if isinstance(value, (int, float)) and value > 0 else DEFAULT_SESSION_SECONDS

    def source(self, options: ProviderOptions) -> StaticProvider:
        key_id, secret = self.required("access_key_id"), self.required("access_key_secret")
        return StaticProvider(key_id, secret, self.text("security_token") or None, clock=options.get("clock"))


def _access_key(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return StaticProvider(fields.required("access_key_id"), fields.required("access_key_secret"), **options)


def _sts(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return StaticProvider(
        fields.required("access_key_id"),
        fields.required("access_key_secret"),
        fields.required("security_token"),
        **options,
    )


def _ecs_ram_role(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return EcsRamRoleProvider(
        fields.text("role_name") or None,
        token_mode="require" if fields.get("disable_imds_v1") else "prefer",
        connect_timeout=fields.seconds("connect_timeout", 1.0),
        read_timeout=fields.seconds("timeout", 2.0),
        **options,
    )


def _ram_role_arn(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return RamRoleArnProvider(
        fields.source(options),
        fields.text("role_arn") or None,
        session_name=fields.text("role_session_name") or None,
        duration=fields.duration(),
        session_policy=fields.text("policy") or None,
        external_id=fields.text("external_id") or None,
        endpoint=fields.text("sts_endpoint") or None,
        connect_timeout=fields.seconds("connect_timeout", 5.0),
        read_timeout=fields.seconds("timeout", 10.0),
        **options,
    )


def _oidc_role_arn(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return OidcRoleArnProvider(
        fields.text("role_arn") or None,
        fields.text("oidc_provider_arn") or None,
        fields.text("oidc_token_file_path") or None,
        session_name=fields.text("role_session_name") or None,
        duration=fields.duration(),
        session_policy=fields.text("policy") or None,
        endpoint=fields.text("sts_endpoint") or None,
        connect_timeout=fields.seconds("connect_timeout", 5.0),
        read_timeout=fields.seconds("timeout", 10.0),
        **options,
    )


def _rsa_key_pair(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return RsaKeyPairProvider(
        fields.required("public_key_id"),
        fields.required("private_key_file"),
        duration=fields.duration(),
        endpoint=fields.text("sts_endpoint") or None,
        connect_timeout=fields.seconds("connect_timeout", 5.0),
        read_timeout=fields.seconds("timeout", 10.0),
        **options,
    )


def _credentials_uri(fields: _Fields, options: ProviderOptions) -> CredentialProvider:
    return CredentialsUriProvider(
        fields.required("credentials_uri"),
        connect_timeout=fields.seconds("connect_timeout", 1.0),
        read_timeout=fields.seconds("timeout", 2.0),
        **options,
    )


_TYPES: Mapping[str, Callable[[_Fields, ProviderOptions], CredentialProvider]] = {
    "access_key": _access_key,
    "sts": _sts,
    "ecs_ram_role": _ecs_ram_role,
    "ram_role_arn": _ram_role_arn,
    "oidc_role_arn": _oidc_role_arn,
    "rsa_key_pair": _rsa_key_pair,
    "credentials_uri": _credentials_uri,
}
