"""Credentials of a role that another provider's credentials assume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.errors import ConfigurationError, FetchTimeout, StsError, WaitTimeout
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.session_arguments import (
    DEFAULT_SESSION_SECONDS,
    checked_duration,
    checked_external_id,
    checked_role_arn,
    policy_text,
    session_namer,
)
from ramrole_creds.sts.client import StsClient
from ramrole_creds.sts.errors import is_source_rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions


class RamRoleArnProvider(CredentialProvider):
    """Assumes a role (STS AssumeRole) with the credentials of another provider.

    The source may be of any kind, another assumed role included. It keeps a cache of its own, so that many roles
    assumed from one source fetch that once; where STS refuses its credentials, it is refreshed once and asked again.

    Args:
        source: whose credentials assume the role.
        role_arn: the role; else ALIBABA_CLOUD_ROLE_ARN.
        session_name: name of the session in audit logs, or a template with `{host}`, `{pod}`, `{process}` and
            `{unique}`; else ALIBABA_CLOUD_ROLE_SESSION_NAME, else "ramrole-creds-{host}-{process}-{unique}".
        duration: seconds, from 900 to the role's MaxSessionDuration.
        session_policy: narrows what the session may do; JSON text or a mapping.
        external_id: what the role's trust policy asks for.
        source_identity: kept with the session and all that follow from it.
        endpoint: host or URL of STS; see `StsClient`.
        region: whose STS endpoint is used; else ALIBABA_CLOUD_STS_REGION.
        vpc: use that inside a VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        options: `policy` (the refresh policy), `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: an argument or variable makes no sense.
    """

    name: ClassVar[str] = "ram_role_arn"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(  # noqa: PLR0913  # the call has so many
        self,
        source: CredentialProvider,
        role_arn: str | None = None,
        *,
        session_name: str | None = None,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | Mapping[str, Any] | None = None,
        external_id: str | None = None,
        source_identity: str | None = None,
        endpoint: str | None = None,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if not isinstance(source, CredentialProvider):
            raise ConfigurationError(
                f"source must be a provider, not {type(source).__name__}: wrap keys in StaticProvider, a function in "
                "FunctionProvider."
            )
        self.source = source
        self._role_arn = checked_role_arn(role_arn)
        self._session_name = session_namer(session_name)
        self._duration = checked_duration(duration)
        self._session_policy = policy_text(session_policy)
        self._external_id = checked_external_id(external_id)
        self._source_identity = source_identity or None
        self._client = StsClient(
            endpoint,
            region=region,
            vpc=vpc,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            clock=self._clock or SYSTEM_CLOCK,
        )
        self._rest: dict[str, Any] = {
            "session_name": session_name,
            "duration": duration,
            "external_id": external_id,
            "source_identity": source_identity,
            "endpoint": self._client.url,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            **options,
        }

    def get_provider_name(self) -> str:
        """`ram_role_arn/` and the source's name."""
        return f"{self.name}/{self.source.get_provider_name()}"

    def fetch(self, context: FetchContext) -> Credentials:
        """Assume the role now.

        Raises:
            StsError: STS refused, or could not be asked.
            RamRoleError: what the source raised.
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
        """A provider of sessions of the same role that may do only what the policy allows too.

        Raises:
            ConfigurationError: it is no policy, or this provider is scoped already.
        """
        if self._session_policy is not None:
            raise ConfigurationError(
                "This provider has a session policy already, and STS cannot combine two: a new one might allow more. "
                "Scope the provider that has none."
            )
        return RamRoleArnProvider(self.source, self._role_arn, session_policy=session_policy, **self._rest)

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would assume {self._role_arn} at {self._client.url} with the credentials of {self.source!r}"

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
        return credentials.replace(provider_name=f"{self.name}/{source.provider_name}")
