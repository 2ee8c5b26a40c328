"""OSS signature V2, in the Authorization header or in the URL; superseded by V4, still served."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.attempt import Attempt, Refused, http_time, judged
from ramrole_creds.testing.verify.canonical import (
    encode,
    header_lines,
    header_map,
    hmac_sha256,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.dialects import OSS, Reason
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v1 import expired

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.verdict import Accepted, KeyDirectory, Verdict
    from ramrole_creds.testing.wire import WireRequest


def verify_oss_v2(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> Verdict:
    """Judge `Authorization: OSS2 AccessKeyId:…,AdditionalHeaders:…,Signature:…`."""
    return judged(Attempt("oss_v2", OSS, request, issuer, now, nonces), _verify_header)


def verify_oss_v2_url(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> Verdict:
    """Judge a URL with `x-oss-signature-version=OSS2`."""
    return judged(Attempt("oss_v2_url", OSS, request, issuer, now, nonces), _verify_url)


def _verify_header(attempt: Attempt) -> Accepted:
    headers = header_map(attempt.request)
    claim = {
        name.strip(): value.strip()
        for name, _, value in (
            part.partition(":") for part in headers.get("authorization", "").removeprefix("OSS2 ").split(",")
        )
    }
    access_key_id, signature = claim.get("AccessKeyId"), claim.get("Signature")
    if not access_key_id or not signature:
        raise Refused(Reason("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    date = headers.get("x-oss-date") or headers.get("date") or ""
    when = http_time(date)
    if when is None:
        raise Refused(Reason("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000501"))
    attempt.require_clock(when)
    issued = attempt.issued(access_key_id, headers.get("x-oss-security-token"))
    string_to_sign = _string_to_sign(attempt.request, headers, date, claim.get("AdditionalHeaders", ""))
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    attempt.require_signature(ours, signature, access_key_id, string_to_sign)
    return attempt.accept(access_key_id, issued)


def _verify_url(attempt: Attempt) -> Accepted:
    query = {name: value or "" for name, value in query_pairs(attempt.request.query_string)}
    access_key_id, signature = query.get("x-oss-access-key-id"), query.get("x-oss-signature")
    expires = query.get("x-oss-expires", "")
    if not access_key_id or not signature or not (expires.isascii() and expires.isdigit()):
        raise Refused(Reason("AccessDenied", 403, "The query parameters of the signature are incomplete."))
    if attempt.now > int(expires):
        raise expired(min(int(expires), 253402300799), attempt.now)
    headers = header_map(attempt.request)
    issued = attempt.issued(access_key_id, query.get("security-token"))
    additional = query.get("x-oss-additional-headers", "")
    string_to_sign = _string_to_sign(attempt.request, headers, expires, additional)
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    attempt.require_signature(ours, signature, access_key_id, string_to_sign)
    return attempt.accept(access_key_id, issued)


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
