"""Credentials of a role that an OpenID Connect token assumes: RRSA in ACK, and any other identity provider."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, RamRoleError, describe_error
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers._home import expand_path
from ramrole_creds.providers.session_arguments import (
    DEFAULT_SESSION_SECONDS,
    DEFAULT_TEMPLATE,
    ROLE_ARN_VARIABLE,
    checked_duration,
    checked_role_arn,
    policy_text,
    session_namer,
)
from ramrole_creds.sts.client import StsClient
from ramrole_creds.sts.endpoints import CENTRAL_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

PROVIDER_ARN_VARIABLE = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
TOKEN_FILE_VARIABLE = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"  # noqa: S105  # a variable's name
MAX_TOKEN_CHARACTERS = 20000


class OidcRoleArnProvider(CredentialProvider):
    """Assumes a role with an identity token (STS AssumeRoleWithOIDC); no AccessKey is needed.

    Without arguments it is RRSA as the webhook of ACK sets it up. The token is read again at each fetch, since the
    kubelet replaces it. That STS endpoint is used which the webhook injects.

    Args:
        role_arn: the role; else ALIBABA_CLOUD_ROLE_ARN.
        oidc_provider_arn: the identity provider in RAM; else ALIBABA_CLOUD_OIDC_PROVIDER_ARN.
        token_file: path of the token; else ALIBABA_CLOUD_OIDC_TOKEN_FILE.
        token: a callable that gives the token, in place of a file.
        session_name: as `RamRoleArnProvider` takes it.
        duration: seconds, from 900 to the role's MaxSessionDuration.
        session_policy: narrows what the session may do; JSON text or a mapping.
        endpoint: host or URL of STS; see `StsClient`.
        region: whose STS endpoint is used; else ALIBABA_CLOUD_STS_REGION.
        vpc: use that inside a VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        options: `policy` (the refresh policy), `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: an argument makes no sense.
    """

    name: ClassVar[str] = "oidc_role_arn"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=20.0)

    def __init__(  # noqa: PLR0913  # the call has so many
        self,
        role_arn: str | None = None,
        oidc_provider_arn: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        *,
        token: Callable[[], str] | None = None,
        session_name: str | None = None,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if token is not None and not callable(token):
            raise ConfigurationError("token must be a callable that gives the token: a token itself expires.")
        if token is not None and token_file is not None:
            raise ConfigurationError("Give token or token_file, not both.")
        environ = os.environ
        self._token = token
        self._token_file = None if token else os.fspath(token_file or "") or environ.get(TOKEN_FILE_VARIABLE) or None
        self._role_arn = role_arn or environ.get(ROLE_ARN_VARIABLE) or None
        self._provider_arn = oidc_provider_arn or environ.get(PROVIDER_ARN_VARIABLE) or None
        if role_arn is not None:
            checked_role_arn(role_arn)
        configured = self._token is not None or self._token_file is not None or self._provider_arn is not None
        # In a program without RRSA the other variables are none of this provider's business.
        self._session_name = session_namer(session_name if configured else DEFAULT_TEMPLATE)
        self._duration = checked_duration(duration)
        self._session_policy = policy_text(session_policy)
        self._client = StsClient(
            endpoint if configured else CENTRAL_HOST,
            region=region,
            vpc=vpc,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            clock=self._clock or SYSTEM_CLOCK,
        )
        self._rest: dict[str, Any] = {
            "token": token,
            "session_name": session_name,
            "duration": duration,
            "endpoint": self._client.url,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            **options,
        }

    def fetch(self, context: FetchContext) -> Credentials:
        """Exchange the token for credentials now.

        Raises:
            ProviderUnavailable: neither token nor identity provider is configured.
            FetchError: only a part is configured, or the token cannot be read.
            StsError: STS refused, or could not be asked.
        """
        role_arn, provider_arn = self._configured()
        return self._client.assume_role_with_oidc(
            self._read_token(),
            role_arn=role_arn,
            oidc_provider_arn=provider_arn,
            session_name=self._session_name(),
            duration=self._duration,
            session_policy=self._session_policy,
            context=context,
        )

    def scoped(self, session_policy: str | Mapping[str, Any]) -> OidcRoleArnProvider:
        """A provider of sessions of the same role that may do only what the policy allows too.

        Raises:
            ConfigurationError: it is no policy, or this provider is scoped already.
        """
        if self._session_policy is not None:
            raise ConfigurationError(
                "This provider has a session policy already, and STS cannot combine two: a new one might allow more. "
                "Scope the provider that has none."
            )
        return OidcRoleArnProvider(
            self._role_arn, self._provider_arn, self._token_file, session_policy=session_policy, **self._rest
        )

    def explain(self) -> str:
        """What a fetch would do."""
        try:
            role_arn, _ = self._configured()
        except RamRoleError as error:
            return describe_error(error)
        source = "the token of a callable" if self._token_file is None else f"the token in {self._token_file}"
        return f"would assume {role_arn} at {self._client.url} with {source}"

    def _configured(self) -> tuple[str, str]:
        """Role and identity provider, where all three parts are there."""
        has_token = self._token is not None or self._token_file is not None
        if not has_token and self._provider_arn is None:
            # The role alone says nothing: it may be meant for AssumeRole.
            raise ProviderUnavailable(
                f"{PROVIDER_ARN_VARIABLE} and {TOKEN_FILE_VARIABLE} are not set: this is no pod with a role of its own "
                "(RRSA)."
            )
        parts = {
            ROLE_ARN_VARIABLE: self._role_arn,
            PROVIDER_ARN_VARIABLE: self._provider_arn,
            TOKEN_FILE_VARIABLE: has_token,
        }
        missing = [name for name, value in parts.items() if not value]
        if missing or self._role_arn is None or self._provider_arn is None:
            raise FetchError(
                f"The role of this pod (RRSA) is configured in part: {' and '.join(missing)} not set. Set it, or look "
                "at the labels and annotations by which ack-pod-identity-webhook injects all of them.",
                unrecoverable=True,
            )
        try:
            return checked_role_arn(self._role_arn), self._provider_arn
        except ConfigurationError as error:
            problem = str(error)
        raise FetchError(f"{ROLE_ARN_VARIABLE}: {problem}", unrecoverable=True)

    def _read_token(self) -> str:
        if self._token_file is not None:
            source = f"The OIDC token file {self._token_file}"
            content = _read(self._token_file, source)
        else:
            source = "The OIDC token callable"
            content = self._call(source)
        token = content.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise FetchError(f"{source} gave {'nothing' if not token else 'something that is no token'}.")
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise FetchError(f"{source} gave {len(token)} characters; STS takes {MAX_TOKEN_CHARACTERS}.")
        return token

    def _call(self, source: str) -> str:
        assert self._token is not None  # noqa: S101  # checked by _configured
        try:
            content: object = self._token()
        except RamRoleError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the callable raises
            content = error
        if isinstance(content, str):
            return content
        raise FetchError(f"{source} gave no text but {type(content).__name__}.")


def _read(path: str, source: str) -> str:
    try:
        with expand_path(path).open("rb") as file:
            return file.read(2 * MAX_TOKEN_CHARACTERS).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such path"
    raise FetchError(
        f"{source} cannot be read ({reason}). In ACK, look at the volume that the webhook mounts, and at its mode for "
        "the user that this process runs as."
    )
