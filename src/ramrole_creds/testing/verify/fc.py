"""Function Compute 2.0: `Authorization: FC <id>:<signature>`, API calls and HTTP triggers; signed trigger URLs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    decode,
    header_lines,
    header_map,
    hmac_sha256,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import FC, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, http_time, run_verification

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

TRIGGER_PATH = "/2016-08-15/proxy/"


def verify_fc(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a Function Compute 2.0 request, signed in its headers or in its URL."""
    return run_verification(Verification("fc", FC, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    headers = header_map(check.request)
    query = {name: value or "" for name, value in query_pairs(check.request.query_string)}
    if "authorization" not in headers and "x-fc-signature" in query:
        return _verify_url(check, headers, query)
    kind, _, claim = headers.get("authorization", "").partition(" ")
    access_key_id, colon, signature = claim.strip().rpartition(":")
    if kind != "FC" or not colon or not access_key_id:
        raise VerificationFailed(
            ErrorSpec("MissingRequiredHeader", 400, "The Authorization header is not FC <id>:<signature>.")
        )
    when = http_time(headers.get("date", ""))
    if when is None:
        raise VerificationFailed(
            ErrorSpec("MissingRequiredHeader", 400, "The Date header is missing or no RFC 1123 date in GMT.")
        )
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("x-fc-security-token"))
    string_to_sign = _string_to_sign(check.request, headers, headers["date"])
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _verify_url(check: Verification, headers: Mapping[str, str], query: Mapping[str, str]) -> Accepted:
    access_key_id, expires = query.get("x-fc-access-key-id", ""), query.get("x-fc-expires", "")
    if not access_key_id or not (expires.isascii() and expires.isdigit()):
        raise VerificationFailed(
            ErrorSpec("MissingRequiredHeader", 400, "The query parameters of the signature are incomplete.")
        )
    if check.now > int(expires):
        raise VerificationFailed(ErrorSpec("AccessDenied", 403, "The request has expired."))
    issued = check.issued(access_key_id, query.get("x-fc-security-token"))
    string_to_sign = _string_to_sign(check.request, headers, expires)
    ours = base64.b64encode(hmac_sha256(to_bytes(issued.access_key_secret), string_to_sign)).decode()
    check.require_signature(ours, query["x-fc-signature"], access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _string_to_sign(request: WireRequest, headers: Mapping[str, str], date: str) -> str:
    resource = decode(request.path)
    if resource.startswith(TRIGGER_PATH):
        lines = sorted(
            (
                name if value is None else f"{name}={value}"
                for name, value in query_pairs(request.query_string)
                if name != "x-fc-signature"
            ),
            key=to_bytes,
        )
        resource += "\n" + "\n".join(lines)
    fc_headers = header_lines(headers, (name for name in headers if name.startswith("x-fc-")))
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return "\n".join((*head, fc_headers + resource))
