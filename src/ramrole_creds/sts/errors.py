"""What it means when STS says no: whether to ask again, whose fault it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds._formats.credential_json import json_object, safe_code, safe_message, safe_request_id
from ramrole_creds.errors import StsError

if TYPE_CHECKING:
    from ramrole_creds._http.errors import HttpError
    from ramrole_creds._http.transport import HttpResponse

_HINTS = {
    "EntityNotExist.Role": "The account has no role of that name: look for a typing error in the role's ARN.",
    "InvalidParameter.RoleArn": "A role's ARN reads acs:ram::ACCOUNT-ID:role/NAME.",
    "InvalidParameter.DurationSeconds": (
        "The session may last from 900 s to the role's MaxSessionDuration (3600 s where nobody raised it): ask for "
        "less, or raise it in RAM."
    ),
    "InvalidParameter.RoleSessionName": "A session name has 2 to 64 letters, digits and characters of `.@-_`.",
    "InvalidParameter.PolicyGrammar": "The session policy is no valid policy document.",
    "InvalidParameter.PolicySize": "A session policy has at most 2048 characters: use wildcards, or attach a policy.",
    "InvalidTimeStamp.Expired": "This machine's clock is wrong: set it, with chrony for instance.",
    "SignatureDoesNotMatch": "The AccessKey secret does not belong to the AccessKey ID, or was cut when it was copied.",
    "InvalidAccessKeyId.NotFound": "The source's AccessKey does not exist (any more), or its token was left out.",
    "InvalidAccessKeyId.Inactive": "The source's AccessKey is disabled: enable it in RAM, or use another.",
    "InvalidSecurityToken.Expired": "The source's security token has expired.",
    "MissingSecurityToken": "The source's key is temporary and came without its security token.",
    "AuthenticationFail.OIDCToken.Expired": (
        "The OIDC token has expired: the file should be replaced by the kubelet before that; look at its time."
    ),
    "AuthenticationFail.OIDCToken.AudienceNotMatch": (
        "The token's audience is none of those that the identity provider in RAM accepts (sts.aliyuncs.com for RRSA)."
    ),
    "AuthenticationFail.OIDCToken.IssuerNotMatch": "The token was issued by another cluster than the provider's.",
}
_SOURCE_REFUSED = ("InvalidAccessKeyId", "InvalidSecurityToken", "SecurityTokenExpired", "SecurityToken.Expired")


@dataclass(frozen=True, slots=True)
class StsFailure:
    """A try that brought nothing.

    Args:
        error: what the caller is told if it stays so.
        transient: True where the same call may succeed in a moment.
        server_time: Unix seconds by the server's clock where the answer says so.
    """

    error: StsError
    transient: bool
    server_time: float | None = None


def is_source_rejected(error: StsError) -> bool:
    """True where STS refused the credentials that signed the call: a fresh set of them may be accepted."""
    return error.code.startswith(_SOURCE_REFUSED) or error.code == "MissingSecurityToken"


def unreachable(error: HttpError) -> StsFailure:
    """STS gave no answer."""
    return StsFailure(
        StsError(
            f"STS could not be asked. {error} Look at the network and at HTTPS_PROXY; the endpoint can be set with "
            "endpoint=, ALIBABA_CLOUD_STS_ENDPOINT or ALIBABA_CLOUD_STS_REGION."
        ),
        transient=error.retriable,
    )


def refused(answer: HttpResponse, action: str, where: str, caller: str | None) -> StsFailure:
    """STS answered with another status than 200.

    Args:
        answer: the answer.
        action: the call.
        where: URL that was asked, as it may be shown.
        caller: whose credentials signed it, where known.
    """
    overloaded = answer.status >= 500 or answer.status == 429
    try:
        document = json_object(answer.body, StsError)
    except StsError:
        error = StsError(
            f"{action} at {where} was answered {answer.status} with {answer.describe_body()}. Look at what is "
            "listening there: a proxy, perhaps.",
            status=answer.status,
            retry_after=answer.retry_after(),
        )
        return StsFailure(error, overloaded, answer.server_time())
    code = safe_code(document.get("Code"))
    request_id = safe_request_id(document.get("RequestId"))
    # The text about a wrong signature repeats what was signed, the security token included.
    message = "" if code.startswith("SignatureDoesNotMatch") else safe_message(document.get("Message"))
    said = f"{code or 'no code'}: {message}" if message else code or "no code"
    hint = _hint_for(code, action, caller)
    transient = overloaded or code.startswith("Throttling")
    seen = f"HTTP {answer.status}, RequestId {request_id or 'not given'}"
    text = f"{action} at {where} was refused ({seen}): {said.rstrip('.')}."
    error = StsError(
        f"{text} {hint}".rstrip(),
        code=code,
        request_id=request_id,
        status=answer.status,
        unrecoverable=not transient and not code.startswith("InvalidTimeStamp"),
        retry_after=answer.retry_after(),
    )
    return StsFailure(error, transient, answer.server_time())


def _hint_for(code: str, action: str, caller: str | None) -> str:
    if code.startswith("Throttling"):
        return "Too many calls of this account: let processes share sessions, or ask for longer ones."
    if code in ("NoPermission", "AuthenticationFail.NoPermission") and action == "AssumeRoleWithOIDC":
        return (
            'The role\'s trust policy must name the OIDC provider ("Principal": {"Federated": [its ARN]}), with '
            "conditions on oidc:iss, oidc:aud and oidc:sub (system:serviceaccount:NAMESPACE:NAME) that hold for the "
            "token."
        )
    if code == "NoPermission" and action == "AssumeRole":
        who = f"the caller ({caller})" if caller else "the caller"
        return (
            f"Two things are needed: {who} is allowed sts:AssumeRole on the role, and the role's trust policy names "
            'it ("Principal": {"RAM": [ARN of the caller\'s user, role or account]}; an external id must match).'
        )
    return _HINTS.get(code, "")
