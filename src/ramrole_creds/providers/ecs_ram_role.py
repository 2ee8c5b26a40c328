"""Credentials of the RAM role attached to this ECS instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.errors import ConfigurationError, ProviderUnavailable
from ramrole_creds.metadata.client import MetadataClient
from ramrole_creds.metadata.token_mode import PREFER
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.variables import argument_or_variable, env_flag, warn_of_misspelt_variables

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.metadata.token_mode import TokenMode
    from ramrole_creds.provider import FetchContext, ProviderOptions

ROLE_VARIABLE: Final = "ALIBABA_CLOUD_ECS_METADATA"
DISABLED_VARIABLE: Final = "ALIBABA_CLOUD_ECS_METADATA_DISABLED"
V1_DISABLED_VARIABLE: Final = "ALIBABA_CLOUD_IMDSV1_DISABLED"


class EcsRamRoleProvider(CredentialProvider):
    """Fetches the credentials of the instance's RAM role from the instance metadata service.

    Args:
        role_name: pins the role, which is then requested directly; else ALIBABA_CLOUD_ECS_METADATA. Without either,
            the attached role is used, also after another one replaces it.
        endpoint: base URL of the metadata service; else RAMROLE_CREDS_METADATA_ENDPOINT, else
            ALIBABA_CLOUD_IMDS_ENDPOINT, else ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT, else http://100.100.100.200.
        token_mode: "prefer" uses the hardened mode, and falls back if there are no session tokens; "require" never
            falls back; "off" never requests a token. ALIBABA_CLOUD_IMDSV1_DISABLED=true turns "prefer" into "require".
        connect_timeout: time limit for connecting, in seconds; else RAMROLE_CREDS_METADATA_TIMEOUT, else 1.
        read_timeout: time limit for each read, in seconds; else RAMROLE_CREDS_METADATA_TIMEOUT, else 2.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: an argument or a variable is not valid.
    """

    name: ClassVar[str] = "ecs_ram_role"

    def __init__(
        self,
        role_name: str | None = None,
        *,
        endpoint: str | None = None,
        token_mode: TokenMode = PREFER,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        warn_of_misspelt_variables()
        if token_mode == PREFER:
            token_mode = default_token_mode()
        self._disabled = env_flag(DISABLED_VARIABLE)
        self._role_name = _checked_role(argument_or_variable(role_name, ROLE_VARIABLE))
        self._client = MetadataClient(
            endpoint, token_mode, connect_timeout, read_timeout, clock=self._clock or DEFAULT_CLOCK
        )
        self._attached: str | None = None

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the metadata service now.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataUnreachable: no metadata service answers.
            ProviderUnavailable: ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids the metadata service. A setting is certain.
            MetadataError: the answer cannot be used.
        """
        if self._disabled:
            raise ProviderUnavailable(
                f"{DISABLED_VARIABLE}=true: the metadata service is not asked. Unset the variable to use the service."
            )
        if self._role_name is not None:
            return self._client.role_credentials(self._role_name, context)
        credentials = self._client.attached_role_credentials(self._attached, context)
        self._attached = credentials.identity
        return credentials

    def explain(self) -> str:
        """What a fetch would do."""
        if self._disabled:
            return f"{DISABLED_VARIABLE}=true: would not ask the metadata service"
        role = "the attached role" if self._role_name is None else f"the role {self._role_name!r}"
        return f"would ask {self._client.endpoint} for the credentials of {role}"


def default_token_mode() -> TokenMode:
    """The token mode of a program that names none: "require" with ALIBABA_CLOUD_IMDSV1_DISABLED=true, else "prefer"."""
    return "require" if env_flag(V1_DISABLED_VARIABLE) else "prefer"


def _checked_role(name: object) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        what = type(name).__name__
        hint = " provider_from_config(config) makes a provider of a configuration." if hasattr(name, "type") else ""
        raise ConfigurationError(f"role_name must be the name of a RAM role as a text, not {what}.{hint}")
    if not name.isprintable() or set(name) & set("/?#\\ ") or name in (".", ".."):
        raise ConfigurationError("role_name must be the name of a RAM role, not its ARN or a path.")
    return name
