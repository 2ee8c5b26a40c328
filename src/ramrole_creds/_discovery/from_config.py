"""Providers made of the official library's configuration objects, to help in a migration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ramrole_creds._checks import is_number
from ramrole_creds._discovery.default import default_provider
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.providers.oidc_role_arn import PROVIDER_ARN_VARIABLE, TOKEN_FILE_VARIABLE
from ramrole_creds.providers.profiles.source_settings import (
    BUILDERS,
    SettingNames,
    SourceSettings,
    Timeouts,
    build_source,
)
from ramrole_creds.providers.variables import ROLE_ARN_VARIABLE, URI_VARIABLE

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.provider import CredentialProvider, ProviderOptions

_log = logging.getLogger(__name__)

# The fields of `alibabacloud_credentials.models.Config`.
FIELDS: Final = (
    *("type", "access_key_id", "access_key_secret", "security_token", "bearer_token", "duration_seconds", "role_arn"),
    *("oidc_provider_arn", "oidc_token_file_path", "role_session_name", "role_session_expiration", "policy"),
    *("external_id", "sts_endpoint", "public_key_id", "private_key_file", "role_name", "enable_imds_v2"),
    *("disable_imds_v1", "metadata_token_duration", "credentials_uri", "host", "timeout", "connect_timeout", "proxy"),
)
# `Config` has no type "external": a command can be named in a CLI profile only.
TYPES: Final = tuple(kind for kind in BUILDERS if kind != "external")
NAMES = SettingNames(
    {
        "session_name": ("role_session_name",),
        "session_policy": ("policy",),
        "duration": ("role_session_expiration", "duration_seconds"),
        "oidc_token_file": ("oidc_token_file_path",),
    },
    {
        "role_arn": (ROLE_ARN_VARIABLE,),
        "oidc_provider_arn": (PROVIDER_ARN_VARIABLE,),
        "oidc_token_file": (TOKEN_FILE_VARIABLE,),
        "credentials_uri": (URI_VARIABLE,),
    },
    holder="configuration",
)
# Attributes of the official Config in every version, which Config objects of other libraries do not have.
_OF_EVERY_VERSION = ("type", "role_name", "role_session_name", "private_key_file")
# Fields that do not say where the credentials come from.
_SETTINGS = (
    *("type", "host", "proxy", "timeout", "connect_timeout", "enable_imds_v2", "disable_imds_v1"),
    *("metadata_token_duration", "sts_endpoint"),
)
_WITHOUT_EFFECT = {
    "proxy": "set HTTPS_PROXY for STS and the sign-in services; the metadata service is never asked through a proxy",
    "host": "set endpoint= of the provider, or RAMROLE_CREDS_METADATA_ENDPOINT",
}


@hide_frames
def provider_from_config(config: object, **options: Unpack[ProviderOptions]) -> CredentialProvider:
    """The provider that `alibabacloud_credentials.client.Client(config)` would use.

    Args:
        config: an `alibabacloud_credentials.models.Config`, or a mapping of its fields. Without a `type` the result is
            the default chain. Its time limits are milliseconds. `proxy` and `host` have no effect, and a warning says
            so; `enable_imds_v2` and `metadata_token_duration` have none in the official library either.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: `config` is something else; its type is unknown, has no keys, or is missing although it
            names a source; or a field is missing, unknown or of the wrong type.
    """
    fields = _Fields(config)
    for name, instead in _WITHOUT_EFFECT.items():
        if fields.get(name):
            _log.warning("%s of the configuration has no effect here: %s", name, instead)
    kind = fields.text("type")
    if not kind:
        fields.require_no_source()
    if not kind or kind == "default":
        return default_provider(**options)
    if kind == "bearer":
        raise ConfigurationError("A bearer token has no keys to sign with. Use BearerTokenProvider.")
    if kind not in TYPES:
        raise ConfigurationError(f"The type of the configuration must be one of {', '.join(TYPES)}, not {kind!r:.60}.")
    settings = SourceSettings(
        fields,
        NAMES,
        options,
        token_mode="require" if fields.get("disable_imds_v1") else "prefer",
        timeouts=fields.timeouts(),
    )
    return build_source(kind, settings)


class _Fields:
    """The fields of a configuration, whatever holds them. A misread field would be another identity."""

    def __init__(self, config: object) -> None:
        if isinstance(config, Mapping):
            self._values = _read_mapping(config)
        elif all(hasattr(config, name) for name in _OF_EVERY_VERSION):
            self._values = {name: getattr(config, name, None) for name in FIELDS}
        else:
            module, name = type(config).__module__, type(config).__qualname__
            raise ConfigurationError(
                "config must be a Config of alibabacloud_credentials, or a mapping of its fields, not "
                + (f"{name}." if module == "builtins" else f"{module}.{name}.")
            )

    def require_no_source(self) -> None:
        """Check that a configuration without a type does not name a source: the default chain is another identity."""
        given = [name for name in FIELDS if name not in _SETTINGS and self._values.get(name)]
        if given:
            raise ConfigurationError(
                f"The configuration has {', '.join(given)}, but no type. Set type to one of {', '.join(TYPES)}."
            )

    def get(self, name: str) -> object:
        return self._values.get(name)

    def text(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigurationError(f"{name} of a configuration must be a text, not {type(value).__name__}.")
        return value

    def seconds(self, name: str) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        if not is_number(value):
            raise ConfigurationError(f"{name} of a configuration must be a number, not {type(value).__name__}.")
        return value or None

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        return value if isinstance(value, bool) else None

    def problem(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"The configuration of type {self.text('type')!r} cannot be used: {what}.")

    def timeouts(self) -> Timeouts:
        """The time limits in seconds; the configuration has milliseconds."""
        timeouts: Timeouts = {}
        if (milliseconds := self.seconds("connect_timeout")) is not None:
            timeouts["connect_timeout"] = milliseconds / 1000
        if (milliseconds := self.seconds("timeout")) is not None:
            timeouts["read_timeout"] = milliseconds / 1000
        return timeouts


def _read_mapping(config: Mapping[object, object]) -> dict[str, object]:
    known = {spelling: name for name in FIELDS for spelling in (name, _camel(name))}
    values = {}
    for key, value in config.items():
        if not isinstance(key, str) or key not in known:
            raise ConfigurationError(
                f"A configuration has no field {str(key)[:40]!r}. Its fields: {', '.join(FIELDS)}."
            )
        values[known[key]] = value
    return values


def _camel(name: str) -> str:
    """The field as `Config.to_map()` spells it."""
    first, *rest = name.split("_")
    return first + "".join("IMDS" if word == "imds" else word.capitalize() for word in rest).replace("IMDSV", "IMDSv")
