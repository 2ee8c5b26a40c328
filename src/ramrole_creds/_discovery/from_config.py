"""Providers out of the official library's configuration objects: a help in migration."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ramrole_creds._discovery.default import default_provider
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.providers.credentials_uri import URI_VARIABLE, CredentialsUriProvider
from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider
from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider
from ramrole_creds.providers.session_arguments import DEFAULT_SESSION_SECONDS
from ramrole_creds.providers.static import StaticProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.provider import CredentialProvider, ProviderOptions

_log = logging.getLogger(__name__)

# The fields of `alibabacloud_credentials.models.Config`.
_NAMES = (
    *("type", "access_key_id", "access_key_secret", "security_token", "bearer_token", "duration_seconds", "role_arn"),
    *("oidc_provider_arn", "oidc_token_file_path", "role_session_name", "role_session_expiration", "policy"),
    *("external_id", "sts_endpoint", "public_key_id", "private_key_file", "role_name", "enable_imds_v2"),
    *("disable_imds_v1", "metadata_token_duration", "credentials_uri", "host", "timeout", "connect_timeout", "proxy"),
)
_WITHOUT_EFFECT = {
    "proxy": "set HTTPS_PROXY for STS and the sign-in services; the metadata service is never asked through a proxy",
    "host": "set endpoint= of the provider, or RAMROLE_CREDS_METADATA_ENDPOINT",
}


def provider_from_config(config: object, **options: Unpack[ProviderOptions]) -> CredentialProvider:
    """The provider that `alibabacloud_credentials.client.Client(config)` would use.

    Args:
        config: an `alibabacloud_credentials.models.Config`, or a mapping of its fields. Without a `type` it is the
            default chain. Its time-outs are milliseconds. `proxy` and `host` are told in a warning, since they have
            no effect; so have `enable_imds_v2` and `metadata_token_duration`, there and here.
        options: `policy`, `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: the type is unknown, has no keys, or a field is missing, unknown, or of the wrong type.
    """
    fields = _Fields(config)
    for name, instead in _WITHOUT_EFFECT.items():
        if fields.get(name):
            _log.warning("%s of the configuration has no effect here: %s", name, instead)
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
    """The fields of a configuration, whatever holds them. A field that is misread would be another identity."""

    def __init__(self, config: object) -> None:
        if isinstance(config, Mapping):
            known = {spelling: name for name in _NAMES for spelling in (name, _camel(name))}
            unknown = [str(key) for key in config if key not in known]
            if unknown:
                raise ConfigurationError(
                    f"A configuration has no field {unknown[0][:40]!r}. It has {', '.join(_NAMES)}."
                )
            self._values = {known[key]: value for key, value in config.items()}
        elif isinstance(config, (str, bytes, int, float, list, tuple, set)):
            raise ConfigurationError(
                f"config must be a Config of alibabacloud_credentials, or a mapping, not {type(config).__name__}."
            )
        else:
            self._values = {name: getattr(config, name, None) for name in _NAMES}

    def get(self, name: str) -> object:
        return self._values.get(name)

    def text(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigurationError(f"{name} of a configuration must be a text, not {type(value).__name__}.")
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ConfigurationError(f"A configuration of type {self.text('type')!r} needs {name}.")
        return value

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ConfigurationError(f"{name} of a configuration must be a number, not {type(value).__name__}.")
        return value or None

    def seconds(self, name: str, default: float) -> float:
        """A time-out, which is milliseconds there."""
        value = self.number(name)
        return default if value is None else value / 1000

    def duration(self) -> float:
        return self.number("role_session_expiration") or self.number("duration_seconds") or DEFAULT_SESSION_SECONDS

    def source(self, options: ProviderOptions) -> StaticProvider:
        key_id, secret = self.required("access_key_id"), self.required("access_key_secret")
        return StaticProvider(key_id, secret, self.text("security_token") or None, clock=options.get("clock"))


def _camel(name: str) -> str:
    """The field as `Config.to_map()` spells it."""
    first, *rest = name.split("_")
    return first + "".join("IMDS" if word == "imds" else word.capitalize() for word in rest).replace("IMDSV", "IMDSv")


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
    if not os.environ.get(URI_VARIABLE):
        fields.required("credentials_uri")
    return CredentialsUriProvider(
        fields.text("credentials_uri") or None,
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
