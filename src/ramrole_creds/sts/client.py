"""Client of STS (API version 2015-04-01): the calls that give credentials, and the one that says whose they are.

Calls are made by POST over HTTPS, through the environment's proxy and CA bundle. Each try is signed anew, with a nonce
and time of its own; throttling, 5xx and cut connections are tried again with jitter, within the fetch's time.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ramrole_creds._formats.credential_json import PASCAL_CASE, inner_object, json_object, read_credentials, text_of
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds.clock import SYSTEM_CLOCK, Clock
from ramrole_creds.errors import StsError
from ramrole_creds.signing import Signer
from ramrole_creds.sts.endpoints import find_sts_url
from ramrole_creds.sts.errors import StsFailure, is_source_rejected, refused, unreachable

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
DEFAULT_SESSION_SECONDS = 3600
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Whose credentials signed a call.

    Args:
        account_id: the account's number.
        arn: for instance "acs:ram::123:assumed-role/web/session".
        identity_type: "Account", "RAMUser" or "AssumedRoleUser".
        principal_id: the id of user or role session.
    """

    account_id: str
    arn: str
    identity_type: str
    principal_id: str


class StsClient:
    """Asks STS.

    Args:
        endpoint: host or base URL; else ALIBABA_CLOUD_STS_ENDPOINT, else that of the region. Plain http is used for
            loopback only.
        region: region id; else ALIBABA_CLOUD_STS_REGION. Where neither is set, the central endpoint is used.
        vpc: use the region's endpoint inside a VPC; else ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        clock: by which calls are signed.
        sleep: waits between tries; seconds.

    Raises:
        ConfigurationError: endpoint or region make no sense.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        region: str | None = None,
        vpc: bool | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = find_sts_url(endpoint, region=region, vpc=vpc, environ=os.environ)
        self._clock = clock
        self._sleep = sleep
        self._transport = HttpTransport(
            connect_timeout, read_timeout, use_environment=self.url.startswith("https:"), attempts=1
        )

    def assume_role(  # the call has so many
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
        """Credentials of a session of a role.

        Args:
            credentials: who assumes it.
            role_arn: the role.
            session_name: 2 to 64 letters, digits and `.@-_`; shows in audit logs.
            duration: seconds, from 900 to the role's MaxSessionDuration.
            session_policy: JSON that narrows what the session may do.
            external_id: what the role's trust policy asks for against confused deputies.
            source_identity: kept with the session and all that follow from it.
            context: the fetch's time limit.

        Raises:
            StsError: STS refused, or could not be asked.
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
        document = self._call("AssumeRole", form, signer, context, credentials.identity)
        return self._session(document, "AssumeRole", role_arn, session_name)

    def assume_role_with_oidc(  # the call has so many
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
        """Credentials of a session of a role, for an OpenID Connect token; needs no signature.

        Args:
            token: the identity token; travels in the body, never in the URL.
            role_arn: the role.
            oidc_provider_arn: the identity provider as RAM knows it.
            session_name: see `assume_role`.
            duration: see `assume_role`.
            session_policy: see `assume_role`.
            context: the fetch's time limit.

        Raises:
            StsError: STS refused, or could not be asked.
        """
        form = {
            "OIDCProviderArn": oidc_provider_arn,
            "OIDCToken": token,
            "RoleArn": role_arn,
            "RoleSessionName": session_name,
            "DurationSeconds": f"{duration:.0f}",
            "Policy": session_policy,
        }
        document = self._call("AssumeRoleWithOIDC", form, None, context)
        return self._session(document, "AssumeRoleWithOIDC", role_arn, session_name)

    def generate_session_access_key(
        self,
        public_key_id: str,
        sign_text: Callable[[bytes], bytes],
        *,
        duration: float = DEFAULT_SESSION_SECONDS,
        context: FetchContext | None = None,
    ) -> Credentials:
        """A session's key pair, which has no token, for an RSA key pair.

        Args:
            public_key_id: id under which the public key was uploaded.
            sign_text: SHA256withRSA (PKCS#1 v1.5) of the private key.
            duration: seconds, 900 to 3600.
            context: the fetch's time limit.

        Raises:
            StsError: STS refused, or could not be asked.
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

        action = "GenerateSessionAccessKey"
        query = {"DurationSeconds": f"{duration:.0f}"}
        document = self._call(action, query, sign, context)
        make_error = self._complaint(action)
        key = inner_object(document, "SessionAccessKey", make_error)
        renamed = {name.removeprefix("Session"): value for name, value in key.items()}
        return read_credentials(renamed, PASCAL_CASE, make_error, provider_name="rsa_key_pair", token_required=False)

    def get_caller_identity(self, credentials: Credentials, context: FetchContext | None = None) -> CallerIdentity:
        """Whose credentials these are; needs no permission.

        Raises:
            StsError: STS refused, or could not be asked.
        """
        action = "GetCallerIdentity"
        signer = _rpc_signer(credentials, self._clock)
        document = self._call(action, {}, signer, context, credentials.identity)
        account, arn = text_of(document, "AccountId"), text_of(document, "Arn")
        if not account or not arn:
            raise self._complaint(action)("a document without AccountId or Arn")
        return CallerIdentity(account, arn, text_of(document, "IdentityType"), text_of(document, "PrincipalId"))

    def _session(self, document: dict[str, object], action: str, role_arn: str, session_name: str) -> Credentials:
        make_error = self._complaint(action)
        user = document.get("AssumedRoleUser")
        # The role as STS knows it, without the session's name: that differs from process to process.
        identity = text_of(user, "Arn").removesuffix(f"/{session_name}") if isinstance(user, dict) else ""
        name = "oidc_role_arn" if action == "AssumeRoleWithOIDC" else "ram_role_arn"
        inner = inner_object(document, "Credentials", make_error)
        return read_credentials(inner, PASCAL_CASE, make_error, provider_name=name, identity=identity or role_arn)

    def _call(
        self,
        action: str,
        parameters: Mapping[str, str | None],
        signing: Signer | Sign | None,
        context: FetchContext | None,
        caller: str | None = None,
    ) -> dict[str, object]:
        """One call, tried again where that may help; what STS answered with."""
        deadline = time.monotonic() + (DEFAULT_TIME_LIMIT_SECONDS if context is None else context.remaining())
        given = {name: value for name, value in parameters.items() if value is not None}
        time_learnt = False
        with self._transport.open(deadline - time.monotonic()) as session:
            for attempt in range(1, ATTEMPTS + 1):
                request = self._request(action, given, signing)
                outcome = self._send(session, request, action, caller)
                if not isinstance(outcome, StsFailure):
                    return self._read(outcome, action, context)
                if not time_learnt and _learns_time(signing, request, outcome):
                    time_learnt = True  # this machine's clock is wrong: sign by the server's, once
                    continue
                pause = _pause(attempt, outcome.error)
                if attempt == ATTEMPTS or not outcome.transient or pause >= deadline - time.monotonic():
                    raise outcome.error
                self._sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _request(self, action: str, given: Mapping[str, str], signing: Signer | Sign | None) -> Request:
        from ramrole_creds.signing import Request
        from ramrole_creds.signing.instant import Instant

        common = {"Action": action, "Version": VERSION, "Format": "JSON"}
        if signing is not None and not isinstance(signing, Signer):
            return signing(Request("GET", self.url, params={**common, **given}))
        if signing is None:
            common["Timestamp"] = Instant.at(self._clock.time()).iso
        request = Request("POST", self.url, {"Content-Type": FORM}, common, urlencode(given).encode())
        return request if signing is None else _with_token_in_body(signing.sign(request))

    def _send(
        self, session: HttpSession, request: Request, action: str, caller: str | None
    ) -> HttpResponse | StsFailure:
        body = request.body if isinstance(request.body, bytes) else None
        try:
            answer = session.request(request.method, request.url, headers=dict(request.headers), body=body, retry=False)
        except HttpError as error:
            return unreachable(error)
        return answer if answer.status == 200 else refused(answer, action, safe_url(self.url), caller)

    def _read(self, answer: HttpResponse, action: str, context: FetchContext | None) -> dict[str, object]:
        document = json_object(answer.body, self._complaint(action))
        served_at = answer.server_time()
        if served_at is not None and context is not None:
            context.record_server_time(served_at)
        return document

    def _complaint(self, action: str) -> Callable[[str], StsError]:
        def make_error(what: str) -> StsError:
            return StsError(
                f"{action} at {safe_url(self.url)} was answered 200 with {what}. Nothing of it is used. Look at what "
                "is listening there.",
                status=200,
            )

        return make_error


def _rpc_signer(credentials: Credentials, clock: Clock) -> Signer:
    from ramrole_creds.signing import RPC

    return Signer(credentials, RPC(), clock=clock)


def _with_token_in_body(signed: Request) -> Request:
    """The same call, with the security token out of the URL, which logs of proxies and of HTTP clients show.

    The signature stays right: it covers the parameters of query and form alike, wherever they stand.
    """
    query = signed.query.split("&")
    moved = [part for part in query if part.startswith("SecurityToken=")]
    if not moved or not isinstance(signed.body, bytes):
        return signed
    address = signed.url.partition("?")[0]
    kept = "&".join(part for part in query if part not in moved)
    form = "&".join([*([signed.body.decode()] if signed.body else []), *moved])
    from ramrole_creds.signing import Request

    return Request(signed.method, f"{address}?{kept}", signed.headers, body=form.encode())


def _learns_time(signing: Signer | Sign | None, request: Request, refusal: StsFailure) -> bool:
    """True where the signer now knows the server's time, which it did not sign by."""
    return (
        isinstance(signing, Signer)
        and refusal.error.code.startswith("InvalidTimeStamp")
        and refusal.server_time is not None
        and signing.learn_server_time(request.host, refusal.server_time)
    )


def _pause(attempt: int, error: StsError) -> float:
    """Seconds to the next try: doubling, half of it by chance, and no sooner than the service asks."""
    grown = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return max(random.uniform(grown / 2, grown), error.retry_after or 0.0)  # noqa: S311  # no secret hangs on it
