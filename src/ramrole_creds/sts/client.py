"""Client of STS (API version 2015-04-01): the calls that return credentials, and the one that returns their identity.

Calls use POST over HTTPS, through the environment's proxy and CA bundle. Each attempt has a new signature, nonce and
time. Throttling, 5xx and broken connections are retried with jitter, within the time limit of the fetch.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ramrole_creds._formats.credential_json import PASCAL_CASE, inner_object, json_object, read_credentials, text_of
from ramrole_creds._formats.error_codes import ErrorKind, kind_of_code
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.clock import DEFAULT_CLOCK, Clock
from ramrole_creds.errors import ConfigurationError, StsError
from ramrole_creds.signing import Signer
from ramrole_creds.sts.endpoints import find_sts_url
from ramrole_creds.sts.errors import Call, StsFailure, failure_of, is_source_rejected, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._http.transport import HttpResponse, HttpSession
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.signing import Request

    Sign = Callable[[Request], Request]

__all__ = ["CallerIdentity", "StsClient", "is_source_rejected"]

VERSION = "2015-04-01"
DEFAULT_TIME_LIMIT_SECONDS = 20.0
DEFAULT_SESSION_SECONDS = 3600.0
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The identity of the credentials that signed a call.

    Args:
        account_id: the number of the account.
        arn: for instance "acs:ram::123:assumed-role/web/session".
        identity_type: "Account", "RAMUser" or "AssumedRoleUser".
        principal_id: the id of the user or the role session.
    """

    account_id: str
    arn: str
    identity_type: str
    principal_id: str


class StsClient:
    """Client of STS; thread-safe.

    Args:
        endpoint: host or base URL; else ALIBABA_CLOUD_STS_ENDPOINT, else that of the region. Plain http is used for
            loopback only.
        region: region ID; else ALIBABA_CLOUD_STS_REGION. Without a region, the central endpoint is used.
        vpc: use the region's endpoint inside a VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        clock: the time in signatures.
        sleep: waits between attempts; takes seconds.

    Raises:
        ConfigurationError: the endpoint, the region, `vpc` or a timeout is not valid.
    """

    @hide_frames
    def __init__(
        self,
        endpoint: str | None = None,
        *,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        clock: Clock = DEFAULT_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url: str = find_sts_url(endpoint, region=region, vpc=vpc, environ=os.environ)
        """The URL of STS that is called."""
        self._clock = clock
        self._sleep = sleep
        self._transport = HttpTransport(
            connect_timeout, read_timeout, use_environment=self.url.startswith("https:"), attempts=1
        )

    @hide_frames
    def assume_role(
        self,
        credentials: Credentials,
        *,
        role_arn: str,
        session_name: str,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | None = None,
        external_id: str | None = None,
        source_identity: str | None = None,
        context: FetchContext | None = None,
    ) -> Credentials:
        """Credentials of a role session.

        Args:
            credentials: the caller's.
            role_arn: the role.
            session_name: 2 to 64 letters, digits and `.@-_`; appears in audit logs.
            duration: seconds, from 900 to the role's MaxSessionDuration.
            session_policy: JSON that restricts the session.
            external_id: the id that the role's trust policy requires against confused deputies.
            source_identity: stays with this session and with sessions that it opens.
            context: the time limit of the fetch.

        Raises:
            StsError: STS refused the call or did not answer.
        """
        form = {
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": f"{duration:.0f}",
            "Policy": session_policy,
            "ExternalId": external_id,
            "SourceIdentity": source_identity,
        }
        signer = _rpc_signer(credentials, self._clock)
        call = Call("AssumeRole", role_arn, credentials.identity)
        document = self._call(call, form, signer, context)
        return self._session(document, call, role_arn, session_name)

    @hide_frames
    def assume_role_with_oidc(
        self,
        token: str,
        *,
        role_arn: str,
        oidc_provider_arn: str,
        session_name: str,
        duration: float = DEFAULT_SESSION_SECONDS,
        session_policy: str | None = None,
        context: FetchContext | None = None,
    ) -> Credentials:
        """Credentials of a role session in exchange for an OpenID Connect token. The call is not signed.

        Args:
            token: the identity token; sent in the body, never in the URL.
            role_arn: the role.
            oidc_provider_arn: the identity provider in RAM.
            session_name: see `assume_role`.
            duration: see `assume_role`.
            session_policy: see `assume_role`.
            context: the time limit of the fetch.

        Raises:
            ConfigurationError: `token` is not a text.
            StsError: STS refused the call or did not answer.
        """
        _require_token(token)
        form = {
            "OIDCProviderArn": oidc_provider_arn,
            "OIDCToken": token,
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": f"{duration:.0f}",
            "Policy": session_policy,
        }
        call = Call("AssumeRoleWithOIDC", role_arn)
        document = self._call(call, form, None, context)
        return self._session(document, call, role_arn, session_name)

    @hide_frames
    def generate_session_access_key(
        self,
        public_key_id: str,
        sign_text: Callable[[bytes], bytes],
        *,
        duration: float = DEFAULT_SESSION_SECONDS,
        context: FetchContext | None = None,
    ) -> Credentials:
        """The key pair of a session, which has no token, in exchange for a signature of an RSA key pair.

        Args:
            public_key_id: the id of the uploaded public key.
            sign_text: signs bytes with the private key, by SHA256withRSA (PKCS#1 v1.5).
            duration: seconds, 900 to 3600.
            context: the time limit of the fetch.

        Raises:
            StsError: STS refused the call or did not answer.
        """
        from base64 import b64encode

        from ramrole_creds.signing import RPC, Request
        from ramrole_creds.signing.instant import Instant

        def sign(request: Request) -> Request:
            own = {
                "AccessKeyId": public_key_id,
                "SignatureMethod": "SHA256withRSA",
                "SignatureType": "PRIVATEKEY",
                "SignatureVersion": "1.0",
                "SignatureNonce": os.urandom(16).hex(),
                "Timestamp": Instant.at(self._clock.time()).iso,
            }
            unsigned = Request("GET", request.url, params=own)
            signature = b64encode(sign_text(RPC().string_to_sign(unsigned).encode())).decode()
            return Request("GET", unsigned.url, params={"Signature": signature})

        call = Call("GenerateSessionAccessKey")
        query = {"DurationSeconds": f"{duration:.0f}"}
        document = self._call(call, query, sign, context)
        make_error = self._error_factory(call)
        key = inner_object(document, "SessionAccessKey", make_error)
        renamed = {name.removeprefix("Session"): value for name, value in key.items()}
        return read_credentials(renamed, PASCAL_CASE, make_error, provider_name="rsa_key_pair", token_required=False)

    @hide_frames
    def get_caller_identity(self, credentials: Credentials, context: FetchContext | None = None) -> CallerIdentity:
        """The identity of these credentials; needs no permission.

        Raises:
            StsError: STS refused the call or did not answer.
        """
        signer = _rpc_signer(credentials, self._clock)
        call = Call("GetCallerIdentity", caller=credentials.identity)
        document = self._call(call, {}, signer, context)
        account, arn = text_of(document, "AccountId"), text_of(document, "Arn")
        if not account or not arn:
            raise self._error_factory(call)("a document without AccountId or Arn")
        return CallerIdentity(account, arn, text_of(document, "IdentityType"), text_of(document, "PrincipalId"))

    def _session(self, document: dict[str, object], call: Call, role_arn: str, session_name: str) -> Credentials:
        make_error = self._error_factory(call)
        user = document.get("AssumedRoleUser")
        # The role's ARN in STS without the session name, which differs from process to process.
        identity = text_of(user, "Arn").removesuffix(f"/{session_name}") if isinstance(user, dict) else ""
        name = "oidc_role_arn" if call.action == "AssumeRoleWithOIDC" else "ram_role_arn"
        inner = inner_object(document, "Credentials", make_error)
        return read_credentials(inner, PASCAL_CASE, make_error, provider_name=name, identity=identity or role_arn)

    def _call(
        self,
        call: Call,
        parameters: Mapping[str, str | None],
        signing: Signer | Sign | None,
        context: FetchContext | None,
    ) -> dict[str, object]:
        """One call, retried if that may help; the document that STS answered with."""
        given = {name: value for name, value in parameters.items() if value is not None}
        session = self._transport.open(DEFAULT_TIME_LIMIT_SECONDS if context is None else context.remaining())
        time_learnt = False
        for attempt in range(1, ATTEMPTS + 1):
            request = self._request(call.action, given, signing)
            outcome = self._send(session, request, call)
            if not isinstance(outcome, StsFailure):
                return self._read(outcome, call, context)
            if not time_learnt and _learns_time(signing, request, outcome):
                time_learnt = True  # this machine's clock is wrong: sign with the server's time, once
                continue
            pause = _pause(attempt, outcome.error)
            if attempt == ATTEMPTS or not outcome.transient or pause >= session.remaining():
                raise outcome.error
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _request(self, action: str, given: Mapping[str, str], signing: Signer | Sign | None) -> Request:
        from ramrole_creds.signing import Request
        from ramrole_creds.signing.instant import Instant

        common = {"Action": action, "Version": VERSION, "Format": "JSON"}
        if signing is not None and not isinstance(signing, Signer):
            return signing(Request("GET", self.url, params={**common, **given}))
        if signing is None:
            common["Timestamp"] = Instant.at(self._clock.time()).iso
        request = Request("POST", self.url, {"Content-Type": FORM}, common, urlencode(given).encode())
        return request if signing is None else signing.sign(request)

    def _send(self, session: HttpSession, request: Request, call: Call) -> HttpResponse | StsFailure:
        body = request.body if isinstance(request.body, bytes) else None
        try:
            answer = session.request(request.method, request.url, headers=dict(request.headers), body=body, retry=False)
        except HttpError as error:
            return unreachable(error, call)
        return answer if answer.status == 200 else failure_of(answer, call, safe_url(self.url))

    def _read(self, answer: HttpResponse, call: Call, context: FetchContext | None) -> dict[str, object]:
        document = json_object(answer.body, self._error_factory(call))
        served_at = answer.server_time()
        if served_at is not None and context is not None:
            context.record_server_time(served_at)
        return document

    def _error_factory(self, call: Call) -> Callable[[str], StsError]:
        def make_error(what: str) -> StsError:
            return StsError(
                f"{call} at {safe_url(self.url)} was answered 200 with {what}. The answer is not used. Check what is "
                "listening at this address.",
                status=200,
            )

        return make_error


def _require_token(token: object) -> None:
    if not isinstance(token, str) or not token.isascii():
        raise ConfigurationError("token must be the OpenID Connect token itself, which is ASCII text.")


def _rpc_signer(credentials: Credentials, clock: Clock) -> Signer:
    from ramrole_creds.signing import RPC

    return Signer.fixed(credentials, RPC(), clock=clock)


def _learns_time(signing: Signer | Sign | None, request: Request, failure: StsFailure) -> bool:
    """True if the signer has learnt the server's time, and so the next signature differs."""
    return (
        isinstance(signing, Signer)
        and kind_of_code(failure.error.code) is ErrorKind.WRONG_CLOCK
        and failure.server_time is not None
        and signing.learn_server_time(request.host, failure.server_time, credentials=signing.provider.get_credentials())
    )


def _pause(attempt: int, error: StsError) -> float:
    """Seconds to the next attempt: doubling, half of it random, and no sooner than the service asks."""
    grown = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return max(random.uniform(grown / 2, grown), error.retry_after or 0.0)  # noqa: S311  # jitter, not a secret
