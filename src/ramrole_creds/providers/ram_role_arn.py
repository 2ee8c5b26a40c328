"""Credentials of a role that another provider's credentials assume."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds._checks import checked_text, kind_of
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import ConfigurationError, FetchTimeout, StsError, WaitTimeout
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.session_arguments import (
    checked_duration,
    checked_external_id,
    checked_role_arn,
    policy_text,
    require_unscoped,
    session_namer,
)
from ramrole_creds.providers.sts_provider import StsProvider
from ramrole_creds.sts.client import DEFAULT_SESSION_SECONDS
from ramrole_creds.sts.errors import is_source_rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext
    from ramrole_creds.providers.sts_provider import StsOptions


MAX_CHAINED_ROLES = 32


class RamRoleArnProvider(StsProvider):
    """Assumes a role (STS AssumeRole) with the credentials of another provider.

    The source may be any provider, another assumed role included. It has its own cache, so many roles assumed from
    one source fetch the source once. If STS refuses its credentials, the source is refreshed once and STS is asked
    again.

    Args:
        source: the provider whose credentials assume the role.
        role_arn: ARN of the role; else ALIBABA_CLOUD_ROLE_ARN.
        session_name: name of the session in audit logs, or a template with `{host}`, `{pod}`, `{process}` and
            `{unique}`; else ALIBABA_CLOUD_ROLE_SESSION_NAME, else "ramrole-creds-{host}-{process}-{unique}".
        duration: seconds, from 900 to the role's MaxSessionDuration.
        session_policy: restricts what the session may do; JSON text or a mapping.
        external_id: the external id that the role's trust policy requires.
        source_identity: recorded with the session and with every session derived from it.
        options: of STS `endpoint` (host or URL; else ALIBABA_CLOUD_STS_ENDPOINT), `region` (else
            ALIBABA_CLOUD_STS_REGION), `vpc` (use the endpoint inside the VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED),
            `connect_timeout` and `read_timeout` (seconds); and `policy` (the refresh policy), `clock` and `on_event`,
            as for every provider.

    Raises:
        ConfigurationError: an argument or a variable is not valid.
    """

    name: ClassVar[str] = "ram_role_arn"

    def __init__(
        self,
        source: CredentialProvider,
        role_arn: str | None = None,
        *,
        session_name: str | None = None,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | Mapping[str, Any] | None = None,
        external_id: str | None = None,
        source_identity: str | None = None,
        **options: Unpack[StsOptions],
    ) -> None:
        super().__init__(**options)
        given: object = source
        if not isinstance(given, CredentialProvider):
            if isinstance(role_arn, CredentialProvider):
                raise ConfigurationError("The arguments are swapped: write RamRoleArnProvider(source, role_arn).")
            raise ConfigurationError(
                f"source must be a provider, not {kind_of(given)}. Wrap keys in StaticProvider, a function in "
                "FunctionProvider."
            )
        _require_shallow(source)
        self.source: CredentialProvider = source
        self._role_arn = checked_role_arn(role_arn)
        self._session_name = session_namer(session_name)
        self._duration = checked_duration(duration)
        self._session_policy = policy_text(session_policy)
        self._external_id = checked_external_id(external_id)
        self._source_identity = checked_text("source_identity", source_identity) or None
        options["endpoint"] = self._client.url
        self._with_policy = sealed(
            partial(
                RamRoleArnProvider,
                source,
                self._role_arn,
                session_name=session_name,
                duration=duration,
                external_id=external_id,
                source_identity=source_identity,
                **options,
            )
        )

    def get_provider_name(self) -> str:
        """`ram_role_arn/` and the source's name."""
        return f"{self.name}/{self.source.get_provider_name()}"

    def fetch(self, context: FetchContext) -> Credentials:
        """Assume the role now.

        Raises:
            StsError: STS refused, or could not be reached.
            RamRoleError: any error that the source raised.
        """
        source = self._source_credentials(context)
        try:
            return self._assume(source, context)
        except StsError as error:
            if not is_source_rejected(error):
                raise
            refused = error
        fresh = self.source.refresh(rejected=source)
        if (fresh.access_key_id, fresh.security_token) == (source.access_key_id, source.security_token):
            raise refused
        return self._assume(fresh, context)

    def scoped(self, session_policy: str | Mapping[str, Any]) -> RamRoleArnProvider:
        """A provider of sessions of the same role that the policy restricts further.

        Raises:
            ConfigurationError: the policy is not valid, or this provider has a session policy already.
        """
        require_unscoped(self._session_policy, session_policy)
        return self._with_policy()(session_policy=session_policy)

    def explain(self) -> str:
        """What a fetch would do."""
        source = self.source.get_provider_name()
        return f"would assume {self._role_arn} at {self._client.url} with the credentials of {source}"

    def _source_credentials(self, context: FetchContext) -> Credentials:
        patience = context.remaining()
        try:
            return self.source.get_credentials(timeout=patience)
        except WaitTimeout as error:
            problem = str(error)
        raise FetchTimeout(f"The source of {self._role_arn} took longer than {patience:.0f} s: {problem}")

    def _assume(self, source: Credentials, context: FetchContext) -> Credentials:
        credentials = self._client.assume_role(
            source,
            role_arn=self._role_arn,
            session_name=self._session_name(),
            duration=self._duration,
            session_policy=self._session_policy,
            external_id=self._external_id,
            source_identity=self._source_identity,
            context=context,
        )
        inner = source.provider_name or self.source.get_provider_name()  # a function may leave the name out
        return credentials.replace(provider_name=f"{self.name}/{inner}")


def _require_shallow(source: CredentialProvider) -> None:
    """Refuse a role behind so many others that a fetch would end in a RecursionError."""
    depth, inner = 1, source
    while isinstance(inner, RamRoleArnProvider):
        depth, inner = depth + 1, inner.source
    if depth > MAX_CHAINED_ROLES:
        raise ConfigurationError(
            f"A chain of assumed roles can have at most {MAX_CHAINED_ROLES} roles. Remove roles between the first and "
            "the last one."
        )
