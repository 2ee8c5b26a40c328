"""OSS's S3-compatible endpoint: Signature Version 4 in header or URL, and the older HMAC-SHA1 form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    decode,
    derived_key,
    encode,
    from_wire,
    header_lines,
    header_map,
    hmac_sha1_base64,
    hmac_sha256,
    query_pairs,
    same,
    sha256_hex,
    split_query,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS, ErrorSpec
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v1 import expired
from ramrole_creds.testing.verify.verification import (
    CLOCK_TOLERANCE_SECONDS,
    Verification,
    VerificationFailed,
    compact_time,
    http_time,
    run_verification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
MAX_PRESIGN_SECONDS = 7 * 24 * 3600
HMACV1_SUB_RESOURCES = frozenset(
    """
    accelerate acl analytics cors defaultObjectAcl delete encryption inventory lifecycle location logging metrics
    notification object-lock partNumber policy publicAccessBlock replication requestPayment restore retention select
    select-type tagging torrent uploadId uploads versionId versioning versions website
    """.split()  # noqa: SIM905 - a table reads best as a table
)


def verify_s3_v4(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: AWS4-HMAC-SHA256 …`."""
    return run_verification(Verification("s3_v4", OSS, request, issuer, now, nonces), _verify_header)


def verify_s3_v4_url(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a URL with `X-Amz-Signature`."""
    return run_verification(Verification("s3_v4_url", OSS, request, issuer, now, nonces), _verify_url)


def verify_s3_hmacv1(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: AWS <id>:<signature>`."""
    return run_verification(Verification("s3_hmacv1", OSS, request, issuer, now, nonces), _verify_hmacv1)


@dataclass(frozen=True, slots=True)
class _Scope:
    access_key_id: str
    day: str
    region: str
    service: str

    @property
    def text(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/{TERMINATOR}"


def _verify_header(check: Verification) -> Accepted:
    headers = header_map(check.request)
    claim = dict(
        re.findall(r"([A-Za-z]+)=([^,]*?)\s*(?:,|$)", headers.get("authorization", "").removeprefix(ALGORITHM))
    )
    if not (claim.get("Credential") and claim.get("SignedHeaders") and claim.get("Signature")):
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    date = headers.get("x-amz-date", "")
    when = compact_time(date)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header.")
        )
    payload = headers.get("x-amz-content-sha256")
    if not payload:
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "x-amz-content-sha256 is missing.", "0017-00000804"))
    if payload not in (UNSIGNED, STREAMING):
        if not re.fullmatch("[0-9a-f]{64}", payload):
            raise VerificationFailed(
                ErrorSpec("InvalidArgument", 400, "x-amz-content-sha256 is not supported.", "0017-00000804")
            )
        if not same(payload, sha256_hex(check.request.body)):
            raise VerificationFailed(
                ErrorSpec(
                    "XAmzContentSHA256Mismatch", 400, "x-amz-content-sha256 is not the hash of the request's body."
                )
            )
    scope = _scope(claim["Credential"], date)
    check.require_clock(when)
    signed = _signed_names(claim["SignedHeaders"], headers)
    issued = check.issued(scope.access_key_id, headers.get("x-amz-security-token"))
    _require_signature(check, scope, date, headers, signed, payload, issued.access_key_secret, claim["Signature"])
    return check.accept(scope.access_key_id, issued, scope.region)


def _verify_url(check: Verification) -> Accepted:
    query = {name: value or "" for name, value in query_pairs(check.request.query_string)}
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        if not query.get(name):
            raise VerificationFailed(_bad_query(f"The query parameter {name} is missing."))
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise VerificationFailed(_bad_query(f"X-Amz-Algorithm only supports {ALGORITHM}."))
    date, life = query["X-Amz-Date"], query["X-Amz-Expires"]
    when = compact_time(date)
    if when is None:
        raise VerificationFailed(_bad_query("X-Amz-Date must be in the ISO8601 long format YYYYMMDDThhmmssZ."))
    if not (life.isascii() and life.isdigit()):
        raise VerificationFailed(_bad_query("X-Amz-Expires should be a number."))
    if int(life) > MAX_PRESIGN_SECONDS:
        raise VerificationFailed(
            _bad_query(f"X-Amz-Expires must be less than a week (in seconds) that is {MAX_PRESIGN_SECONDS}.")
        )
    if when > check.now + CLOCK_TOLERANCE_SECONDS:
        raise VerificationFailed(ErrorSpec("AccessDenied", 403, "Request is not yet valid."))
    if check.now > when + int(life):
        raise expired(when + int(life), check.now)
    scope = _scope(query["X-Amz-Credential"], date)
    headers = header_map(check.request)
    signed = _signed_names(query["X-Amz-SignedHeaders"], headers)
    issued = check.issued(scope.access_key_id, query.get("X-Amz-Security-Token"))
    secret = issued.access_key_secret
    _require_signature(check, scope, date, headers, signed, UNSIGNED, secret, query["X-Amz-Signature"])
    return check.accept(scope.access_key_id, issued, scope.region)


def _verify_hmacv1(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    claim = headers.get("authorization", "").removeprefix("AWS ").strip()
    access_key_id, colon, signature = claim.rpartition(":")
    if not colon or not access_key_id:
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    when = http_time(headers.get("x-amz-date") or headers.get("date") or "")
    if when is None:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header.")
        )
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("x-amz-security-token"))
    date = "" if "x-amz-date" in headers else headers.get("date", "")
    amz_headers = header_lines(headers, (name for name in headers if name.startswith("x-amz-")))
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    string_to_sign = "\n".join((*head, amz_headers + _hmacv1_resource(request)))
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _hmacv1_resource(request: WireRequest) -> str:
    """The path stays encoded here; an empty sub-resource keeps its `=` where it was sent with one."""
    address = oss_address(request)
    path = from_wire(request.path)
    resource = f"/{address.bucket}{path}" if address.virtual_hosted else path
    if resource.count("/") == 1 and address.bucket is not None:
        resource += "/"  # a bucket addressed by path is signed as one that is addressed by host
    parts = []
    for name, value in split_query(request.query_string):
        if decode(name) in HMACV1_SUB_RESOURCES:
            parts.append(name if value is None else f"{name}={decode(value, plus_is_space=True)}")
        elif name.startswith("response-"):
            parts.append(f"{name}={decode(value or '', plus_is_space=True)}")
    return resource + ("?" + "&".join(sorted(parts, key=to_bytes)) if parts else "")


def _scope(credential: str, date: str) -> _Scope:
    parts = credential.split("/")
    if len(parts) != 5 or not parts[0] or parts[4] != TERMINATOR or parts[3] != "s3":
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "The credential of the signature is malformed.", "0002-00000223")
        )
    if parts[1] != date[:8]:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "Invalid signing date in the credential.", "0002-00000224")
        )
    return _Scope(*parts[:4])


def _signed_names(listed: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(sorted({name.lower() for name in listed.split(";") if name}))
    if "host" not in names:
        raise VerificationFailed(ErrorSpec("AccessDenied", 403, "The Host header must be signed."))
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in names]
    absent = [name for name in names if name not in headers]
    if unsigned or absent:
        raise VerificationFailed(
            ErrorSpec(
                "AccessDenied", 403, f"There were headers present in the request which were not signed: {unsigned}."
            )
            if unsigned
            else ErrorSpec(
                "InvalidArgument", 400, f"SignedHeaders names headers that are not in the request: {absent}."
            )
        )
    return names


def _require_signature(
    check: Verification,
    scope: _Scope,
    date: str,
    headers: Mapping[str, str],
    signed: tuple[str, ...],
    payload: str,
    secret: str,
    signature: str,
) -> None:
    collapsed = {name: re.sub(" +", " ", headers[name]) for name in signed}
    canonical = "\n".join(
        (
            check.request.method,
            encode(decode(check.request.path), keep="/") or "/",
            _canonical_query(check.request.query_string),
            header_lines(collapsed, signed),
            ";".join(signed),
            payload,
        )
    )
    string_to_sign = "\n".join((ALGORITHM, date, scope.text, sha256_hex(to_bytes(canonical))))
    key = derived_key("AWS4", secret, scope.day, scope.region, scope.service, TERMINATOR)
    ours = hmac_sha256(key, string_to_sign).hex()
    check.require_signature(ours, signature, scope.access_key_id, string_to_sign, canonical)


def _canonical_query(query: str) -> str:
    pairs = sorted(
        (encode(name), encode(value or "")) for name, value in query_pairs(query) if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in pairs)


def _bad_query(why: str) -> ErrorSpec:
    return ErrorSpec("AuthorizationQueryParametersError", 400, why)
