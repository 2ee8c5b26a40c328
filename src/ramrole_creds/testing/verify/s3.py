"""OSS's S3-compatible endpoint: Signature Version 4 in header or URL, and the older HMAC-SHA1 form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    base64_mac,
    decimal,
    decode,
    encode,
    encoded_query,
    from_wire,
    header_lines,
    same,
    sha256_hex,
    split_query,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import S3
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v4 import parse_scope
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import compact_time
from ramrole_creds.testing.verify.verification import (
    MAX_PRESIGN_SECONDS,
    Accepted,
    Verification,
    VerificationFailed,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
_SCOPE = ("aws4_request", ("s3",))  # the ending of a credential scope, and its products
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
HMACV1_SUB_RESOURCES: frozenset[str] = frozenset(
    """
    accelerate acl analytics cors defaultObjectAcl delete encryption inventory lifecycle location logging metrics
    notification object-lock partNumber policy publicAccessBlock replication requestPayment restore retention select
    select-type tagging torrent uploadId uploads versionId versioning versions website
    """.split()  # noqa: SIM905  # a table reads best as a table
)


def _in_url(request: WireRequest) -> bool:
    return "X-Amz-Signature=" in request.query_string or "X-Amz-Credential=" in request.query_string


@scheme("s3_v4", S3, prefix=ALGORITHM)
def s3_v4(check: Verification) -> Accepted:
    """`Authorization: AWS4-HMAC-SHA256 …`."""
    headers = check.headers
    fields = check.fields(ALGORITHM)
    if not (fields.get("Credential") and fields.get("SignedHeaders") and fields.get("Signature")):
        raise VerificationFailed(check.catalog.malformed)
    date = headers.get("x-amz-date", "")
    when = compact_time(date)
    if when is None:
        raise VerificationFailed(check.catalog.bad_date)
    payload = headers.get("x-amz-content-sha256", "")
    _require_payload(check, payload)
    scope = parse_scope(fields["Credential"], date[:8], *_SCOPE)
    check.require_clock(when)
    names = _signed_names(fields["SignedHeaders"], headers)
    canonical = _canonical_request(check, names, payload)
    token = headers.get("x-amz-security-token")
    return check.conclude_v4(scope, token, fields["Signature"], f"{ALGORITHM}\n{date}", [canonical])


@scheme("s3_v4_url", S3, when=_in_url)
def s3_v4_url(check: Verification) -> Accepted:
    """A URL with `X-Amz-Signature`."""
    query = check.query
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        if not query.get(name):
            raise _bad_query(f"The query parameter {name} is missing.")
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _bad_query(f"X-Amz-Algorithm only supports {ALGORITHM}.")
    date = query["X-Amz-Date"]
    _require_life(check, date, query["X-Amz-Expires"])
    scope = parse_scope(query["X-Amz-Credential"], date[:8], *_SCOPE)
    names = _signed_names(query["X-Amz-SignedHeaders"], check.headers)
    canonical = _canonical_request(check, names, UNSIGNED)
    token = query.get("X-Amz-Security-Token")
    return check.conclude_v4(scope, token, query["X-Amz-Signature"], f"{ALGORITHM}\n{date}", [canonical])


@scheme("s3_hmacv1", S3, prefix="AWS ")
def s3_hmacv1(check: Verification) -> Accepted:
    """`Authorization: AWS <id>:<signature>`."""
    headers = check.headers
    access_key_id, signature = check.claim("AWS")
    check.require_date("x-amz-date", "date")
    issued = check.issued(access_key_id, headers.get("x-amz-security-token"))
    date = "" if "x-amz-date" in headers else headers.get("date", "")
    lines = check.header_lines("x-amz-")
    strings_to_sign = [check.plain_text(date, lines, resource) for resource in _hmacv1_resources(check.request)]
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret), strings_to_sign)


@scheme("s3_hmacv1_url", S3, when=lambda request: "AWSAccessKeyId=" in request.query_string)
def s3_hmacv1_url(check: Verification) -> Accepted:
    """A URL with `AWSAccessKeyId`, `Expires` and `Signature`; its token is signed like a header."""
    query = check.query
    ends = decimal(query.get("Expires", ""))
    if ends is None or not query.get("Signature"):
        raise refused(
            "AccessDenied", 403, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId."
        )
    check.require_unexpired(ends)
    issued = check.issued(query["AWSAccessKeyId"], query.get("x-amz-security-token"))
    amz = {name: value for name, value in check.headers.items() if name.startswith("x-amz-")}
    amz |= {name: value for name, value in query.items() if name.startswith("x-amz-")}
    described = [check.headers.get(name) or query.get(name, "") for name in ("content-md5", "content-type")]
    head = (check.request.method, *described, query["Expires"])
    amz_headers = header_lines(amz, list(amz))
    strings_to_sign = ["\n".join((*head, amz_headers + resource)) for resource in _hmacv1_resources(check.request)]
    return check.conclude(issued, query["Signature"], base64_mac(issued.access_key_secret), strings_to_sign)


def _hmacv1_resources(request: WireRequest) -> list[str]:
    """The path is signed as it was sent; an empty sub-resource keeps its `=` where it was sent with one.

    A bucket in the path may be sent as `/bucket` and signed as `/bucket/`, as botocore does.
    """
    address = oss_address(request)
    path = from_wire(request.path)
    resource = f"/{address.bucket}{path}" if address.virtual_hosted else path
    paths = [resource, f"{resource}/"] if resource.count("/") == 1 and address.bucket else [resource]
    query = _hmacv1_query(request.query_string)
    return [each + query for each in paths]


def _hmacv1_query(query: str) -> str:
    parts = []
    for name, value in split_query(query):
        if decode(name) in HMACV1_SUB_RESOURCES:
            parts.append(name if value is None else f"{name}={decode(value, plus_is_space=True)}")
        elif name.startswith("response-"):
            parts.append(f"{name}={decode(value or '', plus_is_space=True)}")
    return "?" + "&".join(sorted(parts, key=to_bytes)) if parts else ""


def _require_payload(check: Verification, payload: str) -> None:
    if not payload:
        raise refused("InvalidArgument", 400, "x-amz-content-sha256 is missing.", "0017-00000804")
    if payload in (UNSIGNED, STREAMING):
        return
    if not re.fullmatch("[0-9a-f]{64}", payload):
        raise refused("InvalidArgument", 400, "x-amz-content-sha256 is not supported.", "0017-00000804")
    if not same(payload, sha256_hex(check.request.body)):
        message = "x-amz-content-sha256 is not the hash of the request's body."
        raise refused("XAmzContentSHA256Mismatch", 400, message)


def _require_life(check: Verification, date: str, text: str) -> None:
    when, seconds = compact_time(date), decimal(text)
    if when is None:
        raise _bad_query("X-Amz-Date must be in the ISO8601 long format YYYYMMDDThhmmssZ.")
    if seconds is None:
        raise _bad_query("X-Amz-Expires should be a number.")
    if seconds > MAX_PRESIGN_SECONDS:
        raise _bad_query(f"X-Amz-Expires must be less than a week (in seconds) that is {MAX_PRESIGN_SECONDS}.")
    check.require_presigned(when, seconds)


def _signed_names(listed: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(sorted({name.lower() for name in listed.split(";") if name}))
    if "host" not in names:
        raise refused("AccessDenied", 403, "The Host header must be signed.")
    unsigned = sorted({name for name in headers if name.startswith("x-amz-")}.difference(names))
    if unsigned:
        message = f"There were headers present in the request which were not signed: {unsigned}."
        raise refused("AccessDenied", 403, message)
    absent = sorted(set(names) - headers.keys())
    if absent:
        raise refused("InvalidArgument", 400, f"SignedHeaders names headers that are not in the request: {absent}.")
    return names


def _canonical_request(check: Verification, signed: tuple[str, ...], payload: str) -> str:
    collapsed = {name: re.sub(" +", " ", check.headers[name]) for name in signed}
    return "\n".join(
        (
            check.request.method,
            encode(decode(check.request.path), keep="/") or "/",
            encoded_query(check.request.query_string, without="X-Amz-Signature", bare=()),
            header_lines(collapsed, signed),
            ";".join(signed),
            payload,
        )
    )


def _bad_query(why: str) -> VerificationFailed:
    return refused("AuthorizationQueryParametersError", 400, why)
