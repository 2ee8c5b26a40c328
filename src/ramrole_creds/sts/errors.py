"""Failures of STS calls: whether a retry may help, which credentials are at fault, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds._formats.credential_json import json_object, safe_code, safe_message, safe_request_id
from ramrole_creds._formats.error_codes import ErrorKind, is_rejection_code, kind_of_code
from ramrole_creds._http.errors import ProxyUnusable
from ramrole_creds.errors import StsError

if TYPE_CHECKING:
    from ramrole_creds._http.errors import HttpError
    from ramrole_creds._http.transport import HttpResponse

_HINTS = {
    "EntityNotExist.Role": "The account has no role of that name: check the spelling of the role's ARN.",
    "InvalidParameter.RoleArn": "A role's ARN reads acs:ram::ACCOUNT-ID:role/NAME.",
    "InvalidParameter.DurationSeconds": (
        "The session may last from 900 s to the role's MaxSessionDuration (3600 s by default): request "
        "less, or raise it in RAM."
    ),
    "InvalidParameter.RoleSessionName": "A session name has 2 to 64 letters, digits and characters of `.@-_`.",
    "InvalidParameter.PolicyGrammar": "The session policy is not a valid policy document.",
    "InvalidParameter.PolicySize": "A session policy has at most 2048 characters: use wildcards, or attach a policy.",
    "InvalidTimeStamp.Expired": "This machine's clock is wrong: set it, with chrony for instance.",
    "SignatureDoesNotMatch": "The AccessKey secret does not belong to the AccessKey ID, or was cut when it was copied.",
    "InvalidAccessKeyId.NotFound": "The source's AccessKey does not exist, or its security token is missing.",
    "InvalidAccessKeyId.Inactive": "The source's AccessKey is disabled: enable it in RAM, or use another.",
    "InvalidSecurityToken.Expired": "The source's security token has expired: get new credentials from the source.",
    "MissingSecurityToken": "The source's key is temporary and its security token is missing: set the token too.",
    "AuthenticationFail.OIDCToken.Expired": (
        "The OIDC token has expired. The kubelet should replace the file before that: check when it was written."
    ),
    "AuthenticationFail.OIDCToken.Invalid": (
        "The token is not one that the identity provider in RAM can read: check what the file or the callable holds."
    ),
    "AuthenticationFail.OIDCToken.AudienceNotMatch": (
        "The identity provider in RAM does not accept the token's audience (sts.aliyuncs.com for RRSA)."
    ),
    "AuthenticationFail.OIDCToken.IssuerNotMatch": (
        "The token was issued by a cluster other than the one that the identity provider in RAM names."
    ),
}


@dataclass(frozen=True, slots=True)
class Call:
    """What a call is about, for the texts of errors.

    Args:
        action: for instance "AssumeRole".
        role_arn: the role that is assumed.
        caller: the identity of the credentials that sign, if known.
    """

    action: str
    role_arn: str | None = None
    caller: str | None = None

    def __str__(self) -> str:
        return self.action if self.role_arn is None else f"{self.action} of {self.role_arn}"


@dataclass(frozen=True, slots=True)
class StsFailure:
    """An attempt without a usable answer.

    Args:
        error: the error to raise if there is no further attempt.
        transient: True if the same call may succeed in a moment.
        server_time: Unix seconds by the server's clock, if the answer has them.
    """

    error: StsError
    transient: bool
    server_time: float | None = None


def is_source_rejected(error: StsError) -> bool:
    """True if STS rejected the credentials that signed the call: new ones may be accepted."""
    return is_rejection_code(error.code)


def unreachable(error: HttpError, call: Call) -> StsFailure:
    """The failure of a call without an answer."""
    if isinstance(error, ProxyUnusable):
        text = f"{call}: STS was not called, because the proxy cannot be used. {error} Check HTTPS_PROXY and NO_PROXY."
        return StsFailure(StsError(text), transient=error.retriable)
    return StsFailure(
        StsError(
            f"{call}: STS did not answer. {error} Check the network and HTTPS_PROXY. The endpoint can be set with "
            "endpoint=, ALIBABA_CLOUD_STS_ENDPOINT or ALIBABA_CLOUD_STS_REGION."
        ),
        transient=error.retriable,
    )


def failure_of(answer: HttpResponse, call: Call, where: str) -> StsFailure:
    """The failure of a call that was answered with another status than 200.

    Args:
        answer: the answer.
        call: the call.
        where: the URL, as it may be shown.
    """
    overloaded = answer.status >= 500 or answer.status == 429
    try:
        document = json_object(answer.body, StsError)
    except StsError:
        error = StsError(
            f"{call} at {where} was answered {answer.status} with {answer.describe_body()}. Check what is listening "
            "at this address, for instance a proxy.",
            status=answer.status,
            retry_after=answer.retry_after(),
        )
        return StsFailure(error, overloaded, answer.server_time())
    code = safe_code(document.get("Code"))
    request_id = safe_request_id(document.get("RequestId"))
    kind = kind_of_code(code)
    # The message about a wrong signature repeats what was signed, including the security token.
    message = "" if kind is ErrorKind.WRONG_SIGNATURE else safe_message(document.get("Message"))
    said = f"{code or 'no code'}: {message}" if message else code or "no code"
    transient = overloaded or kind is ErrorKind.THROTTLED
    seen = f"HTTP {answer.status}, RequestId {request_id or 'not given'}"
    text = f"{call} at {where} was refused ({seen}): {said.rstrip('.')}."
    error = StsError(
        f"{text} {_hint_for(code, call)}".rstrip(),
        code=code,
        request_id=request_id,
        status=answer.status,
        unrecoverable=not transient and kind is not ErrorKind.WRONG_CLOCK,
        retry_after=answer.retry_after(),
    )
    return StsFailure(error, transient, answer.server_time())


def _hint_for(code: str, call: Call) -> str:
    if kind_of_code(code) is ErrorKind.THROTTLED:
        return "This account makes too many calls: share sessions between processes, or request longer ones."
    if code in ("NoPermission", "AuthenticationFail.NoPermission") and call.action == "AssumeRoleWithOIDC":
        return (
            'The role\'s trust policy must name the OIDC provider ("Principal": {"Federated": [its ARN]}), with '
            "conditions on oidc:iss, oidc:aud and oidc:sub (system:serviceaccount:NAMESPACE:NAME) that match the token."
        )
    if code == "NoPermission" and call.action == "AssumeRole":
        who = f"the caller ({call.caller})" if call.caller else "the caller"
        return (
            f"Two things are needed: {who} is allowed sts:AssumeRole on the role, and the role's trust policy names it "
            '("Principal": {"RAM": [ARN of the caller\'s user, role or account]}; an external id must match).'
        )
    if code == "InvalidAccessKeyId.NotFound" and call.action == "GenerateSessionAccessKey":
        return "STS knows no public key of this id: check public_key_id, and whether the key is of the Japan site."
    return _HINTS.get(code, "")
