"""In which words each family of services refuses a request.

Statuses and codes are the services' public ones; where none is published the closest published one stands in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One refusal: code, HTTP status, message, and OSS's finer error code."""

    code: str
    status: int
    message: str
    ec: str | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """The refusals that every scheme can come to. `mismatch` may hold the placeholder {string_to_sign}."""

    mismatch: Reason
    unknown_key: Reason
    missing_token: Reason
    wrong_token: Reason
    expired_token: Reason
    skewed: Reason


OPENAPI = Dialect(
    mismatch=Reason(
        "SignatureDoesNotMatch",
        400,
        "Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}",
    ),
    unknown_key=Reason("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found."),
    missing_token=Reason("MissingSecurityToken", 400, "SecurityToken is mandatory for this action."),
    wrong_token=Reason(
        "InvalidSecurityToken.MismatchWithAccessKey", 400, "Specified SecurityToken mismatch with the AccessKey."
    ),
    expired_token=Reason("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired."),
    skewed=Reason("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired."),
)

OSS = Dialect(
    mismatch=Reason(
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        "0002-00000040",
    ),
    unknown_key=Reason(
        "InvalidAccessKeyId", 403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
    ),
    missing_token=Reason(
        "InvalidAccessKeyId", 403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
    ),
    wrong_token=Reason("InvalidSecurityToken", 403, "The security token you provided is invalid.", "0002-00000006"),
    expired_token=Reason("SecurityTokenExpired", 403, "The security token you provided has expired.", "0002-00000007"),
    skewed=Reason(
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
        "0002-00000504",
    ),
)

SLS = Dialect(
    mismatch=Reason("SignatureNotMatch", 401, "signature {string_to_sign} not match"),
    unknown_key=Reason("Unauthorized", 401, "The AccessKeyId is not found or is disabled."),
    missing_token=Reason("Unauthorized", 401, "The security token of the AccessKeyId is missing."),
    wrong_token=Reason("Unauthorized", 401, "The security token is not the one of the AccessKeyId."),
    expired_token=Reason("SecurityTokenExpired", 401, "The security token you provided has expired."),
    skewed=Reason("RequestTimeExpired", 400, "Request time has been expired."),
)

OTS = Dialect(
    mismatch=Reason("OTSAuthFailed", 403, "Signature mismatch."),
    unknown_key=Reason("OTSAuthFailed", 403, "The AccessKeyID does not exist."),
    missing_token=Reason("OTSAuthFailed", 403, "The security token is missing."),
    wrong_token=Reason("OTSAuthFailed", 403, "The security token is invalid."),
    expired_token=Reason("OTSAuthFailed", 403, "The security token is expired."),
    skewed=Reason("OTSAuthFailed", 403, "Mismatch between system time and x-ots-date."),
)

MNS = Dialect(
    mismatch=Reason(
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    ),
    unknown_key=Reason("InvalidAccessKeyId", 403, "The AccessKey Id you provided does not exist."),
    missing_token=Reason("InvalidSecurityToken", 403, "The security token of the AccessKey Id is missing."),
    wrong_token=Reason("InvalidSecurityToken", 403, "The security token you provided is invalid."),
    expired_token=Reason("SecurityTokenExpired", 403, "The security token you provided has expired."),
    skewed=Reason("TimeExpired", 400, "The http request you sent is expired."),
)

ODPS = Dialect(
    mismatch=Reason("ODPS-0410042", 401, "Invalid signature value - User signature does not match"),
    unknown_key=Reason("ODPS-0410051", 401, "Invalid credentials - AccessKeyId not found"),
    missing_token=Reason("ODPS-0410051", 401, "Invalid credentials - security token is missing"),
    wrong_token=Reason("ODPS-0410051", 401, "Invalid credentials - security token is not the one of the AccessKeyId"),
    expired_token=Reason("ODPS-0410051", 401, "Invalid credentials - security token is expired"),
    skewed=Reason(
        "ODPS-0410031", 400, "Authentication request expired - the expired time interval exceeds the max limitation"
    ),
)

FC = Dialect(
    mismatch=Reason(
        "SignatureNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your access key and signing method.",
    ),
    unknown_key=Reason("InvalidAccessKeyID", 403, "The AccessKey ID you provided does not exist."),
    missing_token=Reason("InvalidSecurityToken", 403, "The security token of the AccessKey ID is missing."),
    wrong_token=Reason("InvalidSecurityToken", 403, "The security token you provided is invalid."),
    expired_token=Reason("SecurityTokenExpired", 403, "The security token you provided has expired."),
    skewed=Reason("RequestTimeTooSkewed", 403, "The difference between the request time and ours is too large."),
)

DATAHUB = Dialect(
    mismatch=Reason("Unauthorized", 401, "Signature not match. The string to sign is: {string_to_sign}"),
    unknown_key=Reason("Unauthorized", 401, "The AccessKeyId does not exist."),
    missing_token=Reason("Unauthorized", 401, "The security token of the AccessKeyId is missing."),
    wrong_token=Reason("Unauthorized", 401, "The security token is not the one of the AccessKeyId."),
    expired_token=Reason("Unauthorized", 401, "The security token is expired."),
    skewed=Reason("Unauthorized", 401, "The Date of the request is more than 15 minutes off."),
)
