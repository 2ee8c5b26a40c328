"""Credentials of a role that an OpenID Connect token assumes: RRSA in ACK, and any other identity provider."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ramrole_creds._files import read_regular_file
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import (
    ConfigurationError,
    FetchError,
    ProviderUnavailable,
    RamRoleError,
    describe_error,
    reference,
)
from ramrole_creds.providers._home import expand_path, path_text
from ramrole_creds.providers.session_arguments import (
    DEFAULT_TEMPLATE,
    checked_duration,
    checked_role_arn,
    policy_text,
    require_unscoped,
    session_namer,
)
from ramrole_creds.providers.sts_provider import StsProvider
from ramrole_creds.providers.variables import ROLE_ARN_VARIABLE, argument_or_variable, rename_hint
from ramrole_creds.sts.client import DEFAULT_SESSION_SECONDS
from ramrole_creds.sts.endpoints import CENTRAL_HOST

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext
    from ramrole_creds.providers.sts_provider import StsOptions

PROVIDER_ARN_VARIABLE: Final = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
TOKEN_FILE_VARIABLE: Final = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"  # noqa: S105  # the name of a variable
MAX_TOKEN_CHARACTERS: Final = 20000


class OidcRoleArnProvider(StsProvider):
    """Assumes a role with an identity token (STS AssumeRoleWithOIDC); no AccessKey is needed.

    Without arguments it uses RRSA as the webhook of ACK sets it up, at the STS endpoint that the webhook injects. The
    token is read at each fetch, since the kubelet replaces it.

    Args:
        role_arn: ARN of the role; else ALIBABA_CLOUD_ROLE_ARN.
        oidc_provider_arn: ARN of the identity provider in RAM; else ALIBABA_CLOUD_OIDC_PROVIDER_ARN.
        token_file: path of the token; else ALIBABA_CLOUD_OIDC_TOKEN_FILE.
        token: a callable that returns the token, instead of a file.
        session_name: name of the session in audit logs, or a template with `{host}`, `{pod}`, `{process}` and
            `{unique}`; else ALIBABA_CLOUD_ROLE_SESSION_NAME, else "ramrole-creds-{host}-{process}-{unique}".
        duration: seconds, from 900 to the role's MaxSessionDuration.
        session_policy: restricts what the session may do; JSON text or a mapping.
        options: of STS `endpoint` (host or URL; else ALIBABA_CLOUD_STS_ENDPOINT), `region` (else
            ALIBABA_CLOUD_STS_REGION), `vpc` (use the endpoint inside the VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED),
            `connect_timeout` and `read_timeout` (seconds); and `policy` (the refresh policy), `clock` and `on_event`,
            as for every provider.

    Raises:
        ConfigurationError: an argument is not valid.
    """

    name: ClassVar[str] = "oidc_role_arn"

    def __init__(
        self,
        role_arn: str | None = None,
        oidc_provider_arn: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        *,
        token: Callable[[], str] | None = None,
        session_name: str | None = None,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | Mapping[str, Any] | None = None,
        **options: Unpack[StsOptions],
    ) -> None:
        _check_token(token, token_file)
        if role_arn is not None:
            checked_role_arn(role_arn)
        file = path_text(token_file) if token_file is not None else None
        self._token = None if token is None else sealed(token)  # what it is bound to may be a secret
        self._token_file = None if token is not None else argument_or_variable(file, TOKEN_FILE_VARIABLE)
        self._role_arn = argument_or_variable(role_arn, ROLE_ARN_VARIABLE)
        self._provider_arn = argument_or_variable(oidc_provider_arn, PROVIDER_ARN_VARIABLE)
        if not self._has_token() and self._provider_arn is None:
            # In a program without RRSA the other variables do not concern this provider, valid or not.
            session_name, options["endpoint"] = DEFAULT_TEMPLATE, CENTRAL_HOST
        super().__init__(**options)
        self._session_name = session_namer(session_name)
        self._duration = checked_duration(duration)
        self._session_policy = policy_text(session_policy)
        options["endpoint"] = self._client.url
        self._with_policy = sealed(
            partial(
                OidcRoleArnProvider,
                self._role_arn,
                self._provider_arn,
                self._token_file,
                token=token,
                session_name=session_name,
                duration=duration,
                **options,
            )
        )

    def fetch(self, context: FetchContext) -> Credentials:
        """Exchange the token for credentials now.

        Raises:
            ProviderUnavailable: neither a token nor an identity provider is configured. That is certain: both are
                settings, and a token file that is named and missing is an error.
            FetchError: only some of the settings are configured, or the token cannot be read.
            StsError: STS refused, or could not be reached.
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
        """A provider of sessions of the same role that the policy restricts further.

        Raises:
            ConfigurationError: the policy is not valid, or this provider has a session policy already.
        """
        require_unscoped(self._session_policy, session_policy)
        return self._with_policy()(session_policy=session_policy)

    def explain(self) -> str:
        """What a fetch would do."""
        try:
            role_arn, _ = self._configured()
        except RamRoleError as error:
            return describe_error(error)
        source = "the token of a callable" if self._token_file is None else f"the token in {self._token_file}"
        return f"would assume {role_arn} at {self._client.url} with {source}"

    def _has_token(self) -> bool:
        return self._token is not None or self._token_file is not None

    def _configured(self) -> tuple[str, str]:
        """The ARNs of role and identity provider, if all three settings are there."""
        if not self._has_token() and self._provider_arn is None:
            # The role alone means nothing: it may be meant for AssumeRole.
            raise ProviderUnavailable(
                f"{PROVIDER_ARN_VARIABLE} and {TOKEN_FILE_VARIABLE} are not set: RRSA is not configured in this pod."
                + rename_hint(PROVIDER_ARN_VARIABLE, TOKEN_FILE_VARIABLE)
            )
        parts = {
            ROLE_ARN_VARIABLE: self._role_arn,
            PROVIDER_ARN_VARIABLE: self._provider_arn,
            TOKEN_FILE_VARIABLE: self._has_token(),
        }
        missing = [name for name, value in parts.items() if not value]
        if missing or self._role_arn is None or self._provider_arn is None:
            verb = "is" if len(missing) == 1 else "are"
            raise FetchError(
                f"RRSA is configured only in part: {' and '.join(missing)} {verb} not set. Set it, or check the labels "
                "and annotations by which ack-pod-identity-webhook injects all three."
                + rename_hint(*missing)
                + reference("rrsa-is-configured-only-in-part"),
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
            source = "The text that the OIDC token callable returned"
        return _checked_token(content.strip(), source)

    def _call(self, source: str) -> str:
        assert self._token is not None  # noqa: S101  # _configured has checked it
        try:
            content: object = self._token()()
        except RamRoleError:
            raise
        except Exception as error:  # noqa: BLE001  # the callable may raise anything
            content = error
        if isinstance(content, str):
            return content
        if isinstance(content, Exception):
            raise FetchError(f"{source} raised {type(content).__name__}. Its text is not shown: it may hold a secret.")
        raise FetchError(f"{source} returned {type(content).__name__}. It must return the token as a str.")


def _check_token(token: object, token_file: object) -> None:
    if token is not None and not callable(token):
        raise ConfigurationError("token must be a callable that returns the token, since the token itself expires.")
    if token is not None and token_file is not None:
        raise ConfigurationError("Pass token or token_file, not both.")


def _checked_token(token: str, source: str) -> str:
    if not token:
        raise FetchError(f"{source} is empty. It must hold the identity token, a JWT.")
    if len(token.splitlines()) > 1:
        lines = len(token.splitlines())
        raise FetchError(f"{source} has {lines} lines. A token, a JWT, is one line: check how it was copied.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise FetchError(
            f"{source} does not hold a token: the text contains whitespace, a control character or a non-ASCII "
            "character. It must hold one JWT."
        )
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise FetchError(f"{source} holds {len(token)} characters; STS accepts at most {MAX_TOKEN_CHARACTERS}.")
    return token


def _read(path: str, source: str) -> str:
    try:
        return read_regular_file(expand_path(path), 2 * MAX_TOKEN_CHARACTERS).decode("ascii", "replace")
    except OSError as error:
        reason = error.strerror
    raise FetchError(
        f"{source} cannot be read ({reason}). In ACK, check the volume that the webhook mounts, and whether the user "
        "of this process may read it."
    )
