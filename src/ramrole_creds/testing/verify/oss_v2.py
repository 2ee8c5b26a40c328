"""OSS signature V2, in the Authorization header or in the URL; superseded by V4, still served."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    encode,
    header_lines,
    header_map,
    hmac_sha256,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS, ErrorSpec
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v1 import expired
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, http_time, run_verification

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


def verify_oss_v2(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: OSS2 AccessKeyId:…,AdditionalHeaders:…,Signature:…`."""
    return run_verification(Verification("oss_v2", OSS, request, issuer, now, nonces), _verify_header)


def verify_oss_v2_url(
    request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
) -> VerificationResult:
    """Judge a URL with `x-oss-signature-version=OSS2`."""
    return run_verification(Verification("oss_v2_url", OSS, request, issuer, now, nonces), _verify_url)


def _verify_header(check: Verification) -> Accepted:
    headers = header_map(check.request)
    claim = {
        name.strip(): value.strip()
        for name, _, value in (
            part.partition(":") for part in headers.get("authorization", "").removeprefix("OSS2 ").split(",")
        )
    }
    access_key_id, signature = claim.get("AccessKeyId"), claim.get("Signature")
    if not access_key_id or not signature:
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    date = headers.get("x-oss-date") or headers.get("date") or ""
    when = http_time(date)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000501")
        )
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("x-oss-security-token"))
    string_to_sign = _string_to_sign(check.request, headers, date, claim.get("AdditionalHeaders", ""))
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _verify_url(check: Verification) -> Accepted:
    query = {name: value or "" for name, value in query_pairs(check.request.query_string)}
    access_key_id, signature = query.get("x-oss-access-key-id"), query.get("x-oss-signature")
    expires = query.get("x-oss-expires", "")
    if not access_key_id or not signature or not (expires.isascii() and expires.isdigit()):
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "The query parameters of the signature are incomplete.")
        )
    if check.now > int(expires):
        raise expired(min(int(expires), 253402300799), check.now)
    headers = header_map(check.request)
    issued = check.issued(access_key_id, query.get("security-token"))
    additional = query.get("x-oss-additional-headers", "")
    string_to_sign = _string_to_sign(check.request, headers, expires, additional)
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _string_to_sign(request: WireRequest, headers: dict[str, str], date: str, additional: str) -> str:
    names = sorted({name.lower() for name in additional.split(";") if name})
    signed = [name for name in headers if name.startswith("x-oss-") or name in names]
    pairs = sorted(
        (encode(name), encode(value or ""))
        for name, value in query_pairs(request.query_string)
        if name != "x-oss-signature"
    )
    query = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    resource = encode(oss_address(request).resource) + (f"?{query}" if query else "")
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return "\n".join((*head, header_lines(headers, signed) + ";".join(names), resource))
