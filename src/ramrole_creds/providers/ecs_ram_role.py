"""Credentials of the RAM role attached to this ECS instance."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.errors import ConfigurationError, ProviderUnavailable
from ramrole_creds.metadata.client import MetadataClient
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.metadata.token_mode import TokenMode
    from ramrole_creds.provider import FetchContext, ProviderOptions

ROLE_VARIABLE = "ALIBABA_CLOUD_ECS_METADATA"
DISABLED_VARIABLE = "ALIBABA_CLOUD_ECS_METADATA_DISABLED"
V1_DISABLED_VARIABLE = "ALIBABA_CLOUD_IMDSV1_DISABLED"


class EcsRamRoleProvider(CredentialProvider):
    """Asks the instance metadata service for the credentials of the instance's RAM role.

    Args:
        role_name: pins the role, which is then asked for directly; else ALIBABA_CLOUD_ECS_METADATA, else whatever
            role is attached, followed when it is replaced.
        endpoint: base URL of the metadata service; see `MetadataClient`.
        token_mode: "prefer", "require" or "off"; ALIBABA_CLOUD_IMDSV1_DISABLED=true makes "prefer" "require".
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        options: `policy`, `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: an argument or variable makes no sense.
    """

    name: ClassVar[str] = "ecs_ram_role"

    def __init__(
        self,
        role_name: str | None = None,
        *,
        endpoint: str | None = None,
        token_mode: TokenMode = "prefer",  # noqa: S107  # a mode
        connect_timeout: float = 1.0,
        read_timeout: float = 2.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if token_mode == "prefer":  # noqa: S105  # a mode
            token_mode = default_token_mode()
        self._disabled = flag(DISABLED_VARIABLE)
        self._role_name = _checked_role(role_name or os.environ.get(ROLE_VARIABLE) or None)
        self._client = MetadataClient(
            endpoint, token_mode, connect_timeout, read_timeout, clock=self._clock or SYSTEM_CLOCK
        )
        self._attached: str | None = None

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the metadata service now.

        Raises:
            RoleNotAttached: no role is attached.
            MetadataUnreachable: no metadata service answers.
            ProviderUnavailable: ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids to ask.
            MetadataError: what it answered cannot be used.
        """
        if self._disabled:
            raise ProviderUnavailable(
                f"{DISABLED_VARIABLE}=true: the metadata service is not asked. Unset it to use it."
            )
        if self._role_name is not None:
            return self._client.role_credentials(self._role_name, context)
        credentials = self._client.attached_role_credentials(self._attached, context)
        self._attached = credentials.identity
        return credentials

    def explain(self) -> str:
        """What a fetch would do."""
        if self._disabled:
            return f"{DISABLED_VARIABLE}=true: would not be asked"
        role = "whatever role is attached" if self._role_name is None else f"the role {self._role_name!r}"
        return f"would ask {self._client.endpoint} for the credentials of {role}"


def default_token_mode() -> TokenMode:
    """What is used where nobody says otherwise: "require" with ALIBABA_CLOUD_IMDSV1_DISABLED=true, else "prefer"."""
    return "require" if flag(V1_DISABLED_VARIABLE) else "prefer"


def flag(variable: str) -> bool:
    """A boolean variable as the official SDKs read it: only the word "true", in any case."""
    return os.environ.get(variable, "").strip().lower() == "true"


def _checked_role(name: object) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name.isprintable() or set(name) & set("/?#\\ ") or name in (".", ".."):
        raise ConfigurationError("role_name must be the name of a RAM role, not its ARN or a path.")
    return name
