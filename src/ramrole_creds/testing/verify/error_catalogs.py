"""The error codes and texts with which each family of services refuses a request.

Statuses and codes are the services' public ones; where none is published the closest published one stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """One refusal: code, HTTP status, message, and OSS's finer error code."""

    code: str
    status: int
    message: str
    ec: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorCatalog:
    """The refusals that every service can come to.

    `mismatch` may hold the placeholder {string_to_sign}, `forbidden` {action} and {resource}.

    `unsigned` is for a request without a signature, `malformed` for an Authorization header that cannot be read.
    `zones` are the endings of dates that the service takes for UTC.
    """

    mismatch: ErrorSpec
    unknown_key: ErrorSpec
    missing_token: ErrorSpec
    wrong_token: ErrorSpec
    expired_token: ErrorSpec
    skewed: ErrorSpec
    unsigned: ErrorSpec
    malformed: ErrorSpec
    missing_date: ErrorSpec
    bad_date: ErrorSpec
    expired_url: ErrorSpec = ErrorSpec("AccessDenied", 403, "The request has expired.")
    early_url: ErrorSpec = ErrorSpec("AccessDenied", 403, "Request is not yet valid.")
    forbidden: ErrorSpec = ErrorSpec("NoPermission", 403, "You are not authorized to do {action}.")
    zones: tuple[str, ...] = ("GMT",)


_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_NO_SUCH_KEY = ErrorSpec(
    "InvalidAccessKeyId", 403, "The OSS Access Key Id you provided does not exist in our records.", "0002-00000902"
)
_AMZ_DATE = "AWS authentication requires a valid Date or x-amz-date header."

OPENAPI: Final = ErrorCatalog(
    mismatch=ErrorSpec(
        "SignatureDoesNotMatch",
        400,
        "Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}",
    ),
    unknown_key=ErrorSpec("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found."),
    missing_token=ErrorSpec("MissingSecurityToken", 400, "SecurityToken is mandatory for this action."),
    wrong_token=ErrorSpec(
        "InvalidSecurityToken.MismatchWithAccessKey", 400, "Specified SecurityToken mismatch with the AccessKey."
    ),
    expired_token=ErrorSpec("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired."),
    skewed=ErrorSpec("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired."),
    unsigned=ErrorSpec(
        "MissingParameter", 400, "The input parameter Authorization that is mandatory for processing is missing."
    ),
    malformed=ErrorSpec(
        "IncompleteSignature",
        400,
        "The request signature does not conform to the standards: Authorization is not acs <id>:<signature>.",
    ),
    missing_date=ErrorSpec("MissingParameter", 400, "The Date header is mandatory for this action."),
    bad_date=ErrorSpec("InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted."),
)

OSS: Final = ErrorCatalog(
    mismatch=ErrorSpec("SignatureDoesNotMatch", 403, _MISMATCH, "0002-00000040"),
    unknown_key=_NO_SUCH_KEY,
    missing_token=_NO_SUCH_KEY,
    wrong_token=ErrorSpec("InvalidSecurityToken", 403, "The security token you provided is invalid.", "0002-00000006"),
    expired_token=ErrorSpec(
        "SecurityTokenExpired", 403, "The security token you provided has expired.", "0002-00000007"
    ),
    skewed=ErrorSpec(
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
        "0002-00000504",
    ),
    unsigned=ErrorSpec("AccessDenied", 403, "You have no right to access this object because of bucket acl."),
    malformed=ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"),
    missing_date=ErrorSpec("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000501"),
    bad_date=ErrorSpec("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000502"),
    expired_url=ErrorSpec("AccessDenied", 403, "Request has expired.", "0002-00000069"),
    early_url=ErrorSpec("AccessDenied", 403, "Request is not yet valid.", "0002-00000235"),
    zones=("GMT", "UTC", "+0000"),  # Go's RFC 1123 ends in UTC, s3cmd's dates in +0000
)

S3: Final = replace(
    OSS,
    missing_date=ErrorSpec("AccessDenied", 403, _AMZ_DATE, "0002-00000501"),
    bad_date=ErrorSpec("AccessDenied", 403, _AMZ_DATE, "0002-00000502"),
    early_url=ErrorSpec("AccessDenied", 403, "Request is not yet valid."),
)

SLS: Final = ErrorCatalog(
    mismatch=ErrorSpec("SignatureNotMatch", 401, "signature {string_to_sign} not match"),
    unknown_key=ErrorSpec("Unauthorized", 401, "The AccessKeyId is not found or is disabled."),
    missing_token=ErrorSpec("Unauthorized", 401, "The security token of the AccessKeyId is missing."),
    wrong_token=ErrorSpec("Unauthorized", 401, "The security token is not the one of the AccessKeyId."),
    expired_token=ErrorSpec("SecurityTokenExpired", 401, "The security token you provided has expired."),
    skewed=ErrorSpec("RequestTimeExpired", 400, "Request time has been expired."),
    unsigned=ErrorSpec("InvalidAccessKeyId", 400, "The Authorization header is missing."),
    malformed=ErrorSpec("InvalidAccessKeyId", 400, "The Authorization header is malformed."),
    missing_date=ErrorSpec("MissingDate", 400, "Date does not exist in http header."),
    bad_date=ErrorSpec("InvalidDateFormat", 400, "Date is not an RFC 1123 date in GMT."),
    forbidden=ErrorSpec("Unauthorized", 401, "denied by sts or ram, action: {action}, resource: {resource}"),
)

OTS: Final = ErrorCatalog(
    mismatch=ErrorSpec("OTSAuthFailed", 403, "Signature mismatch."),
    unknown_key=ErrorSpec("OTSAuthFailed", 403, "The AccessKeyID does not exist."),
    missing_token=ErrorSpec("OTSAuthFailed", 403, "The security token is missing."),
    wrong_token=ErrorSpec("OTSAuthFailed", 403, "The security token is invalid."),
    expired_token=ErrorSpec("OTSAuthFailed", 403, "The security token is expired."),
    skewed=ErrorSpec("OTSAuthFailed", 403, "Mismatch between system time and x-ots-date."),
    unsigned=ErrorSpec("OTSParameterInvalid", 400, "Missing header: x-ots-signature."),
    malformed=ErrorSpec("OTSParameterInvalid", 400, "The signature headers are malformed."),
    missing_date=ErrorSpec("OTSParameterInvalid", 400, "Missing header: x-ots-date."),
    bad_date=ErrorSpec("OTSParameterInvalid", 400, "x-ots-date is not YYYY-MM-DDThh:mm:ss.sssZ."),
    forbidden=ErrorSpec("OTSNoPermissionAccess", 403, "You have no permission."),
)

MNS: Final = ErrorCatalog(
    mismatch=ErrorSpec("SignatureDoesNotMatch", 403, _MISMATCH),
    unknown_key=ErrorSpec("InvalidAccessKeyId", 403, "The AccessKey Id you provided does not exist."),
    missing_token=ErrorSpec("InvalidSecurityToken", 403, "The security token of the AccessKey Id is missing."),
    wrong_token=ErrorSpec("InvalidSecurityToken", 403, "The security token you provided is invalid."),
    expired_token=ErrorSpec("SecurityTokenExpired", 403, "The security token you provided has expired."),
    skewed=ErrorSpec("TimeExpired", 400, "The http request you sent is expired."),
    unsigned=ErrorSpec("InvalidAuthorizationHeader", 400, "The Authorization header is missing."),
    malformed=ErrorSpec("InvalidAuthorizationHeader", 400, "The Authorization header is malformed."),
    missing_date=ErrorSpec("MissingDateHeader", 400, "The Date header is missing."),
    bad_date=ErrorSpec("InvalidDateHeader", 400, "The Date header is not an RFC 1123 date in GMT."),
    forbidden=ErrorSpec("AccessDenied", 403, "The OwnerId that your Access Key Id is associated to is forbidden."),
)

ODPS: Final = ErrorCatalog(
    mismatch=ErrorSpec("ODPS-0410042", 401, "Invalid signature value - User signature does not match"),
    unknown_key=ErrorSpec("ODPS-0410051", 401, "Invalid credentials - AccessKeyId not found"),
    missing_token=ErrorSpec("ODPS-0410051", 401, "Invalid credentials - security token is missing"),
    wrong_token=ErrorSpec(
        "ODPS-0410051", 401, "Invalid credentials - security token is not the one of the AccessKeyId"
    ),
    expired_token=ErrorSpec("ODPS-0410051", 401, "Invalid credentials - security token is expired"),
    skewed=ErrorSpec(
        "ODPS-0410031", 400, "Authentication request expired - the expired time interval exceeds the max limitation"
    ),
    unsigned=ErrorSpec("ODPS-0410001", 400, "Missing authorization header"),
    malformed=ErrorSpec("ODPS-0410011", 400, "Invalid authorization - it must be ODPS <credential>:<signature>"),
    missing_date=ErrorSpec("ODPS-0410021", 400, "Invalid Date header - Date is missing"),
    bad_date=ErrorSpec("ODPS-0410021", 400, "Invalid Date header - it must be an RFC 1123 date in GMT"),
    forbidden=ErrorSpec(
        "ODPS-0420095",
        403,
        "Access Denied - Authorization Failed [4019], You have NO privilege '{action}' on {resource}",
    ),
)

FC: Final = ErrorCatalog(
    mismatch=ErrorSpec(
        "SignatureNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
        "Check your access key and signing method.",
    ),
    unknown_key=ErrorSpec("InvalidAccessKeyID", 403, "The AccessKey ID you provided does not exist."),
    missing_token=ErrorSpec("InvalidSecurityToken", 403, "The security token of the AccessKey ID is missing."),
    wrong_token=ErrorSpec("InvalidSecurityToken", 403, "The security token you provided is invalid."),
    expired_token=ErrorSpec("SecurityTokenExpired", 403, "The security token you provided has expired."),
    skewed=ErrorSpec("RequestTimeTooSkewed", 403, "The difference between the request time and ours is too large."),
    unsigned=ErrorSpec("MissingRequiredHeader", 400, "The Authorization header is missing."),
    malformed=ErrorSpec("MissingRequiredHeader", 400, "The Authorization header is not FC <id>:<signature>."),
    missing_date=ErrorSpec("MissingRequiredHeader", 400, "The Date header is missing."),
    bad_date=ErrorSpec("MissingRequiredHeader", 400, "The Date header is not an RFC 1123 date in GMT."),
    forbidden=ErrorSpec(
        "AccessDenied", 403, "the caller is not authorized to perform '{action}' on resource '{resource}'"
    ),
)

DATAHUB: Final = ErrorCatalog(
    mismatch=ErrorSpec("Unauthorized", 401, "Signature not match. The string to sign is: {string_to_sign}"),
    unknown_key=ErrorSpec("Unauthorized", 401, "The AccessKeyId does not exist."),
    missing_token=ErrorSpec("Unauthorized", 401, "The security token of the AccessKeyId is missing."),
    wrong_token=ErrorSpec("Unauthorized", 401, "The security token is not the one of the AccessKeyId."),
    expired_token=ErrorSpec("Unauthorized", 401, "The security token is expired."),
    skewed=ErrorSpec("Unauthorized", 401, "The Date of the request is more than 15 minutes off."),
    unsigned=ErrorSpec("Unauthorized", 401, "The Authorization header is missing."),
    malformed=ErrorSpec("Unauthorized", 401, "Authorization is not of the form DATAHUB <id>:<signature>."),
    missing_date=ErrorSpec("InvalidParameter", 400, "The Date header is missing."),
    bad_date=ErrorSpec("InvalidParameter", 400, "The Date header is not an RFC 1123 date in GMT."),
    forbidden=ErrorSpec("NoPermission", 403, "No permission, action: {action}, resource: {resource}"),
)
