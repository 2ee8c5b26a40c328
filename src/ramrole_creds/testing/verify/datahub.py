"""DataHub: `Authorization: DATAHUB <id>:<signature>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    decode,
    header_lines,
    header_map,
    hmac_sha1_base64,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import DATAHUB, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, http_time, run_verification

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


def verify_datahub(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a DataHub request."""
    return run_verification(Verification("datahub", DATAHUB, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    kind, _, claim = headers.get("authorization", "").partition(" ")
    access_key_id, colon, signature = claim.strip().rpartition(":")
    if kind != "DATAHUB" or not colon or not access_key_id:
        raise VerificationFailed(
            ErrorSpec("Unauthorized", 401, "Authorization is not of the form DATAHUB <id>:<signature>.")
        )
    when = http_time(headers.get("date", ""))
    if when is None:
        raise VerificationFailed(
            ErrorSpec("InvalidParameter", 400, "The Date header is missing or no RFC 1123 date in GMT.")
        )
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("x-datahub-security-token"))
    pairs = sorted(
        (to_bytes(name), f"{name}={value}" if value else name) for name, value in query_pairs(request.query_string)
    )
    resource = decode(request.path) + ("?" + "&".join(text for _, text in pairs) if pairs else "")
    datahub_headers = header_lines(headers, (name for name in headers if name.startswith("x-datahub-")))
    string_to_sign = "\n".join(
        (request.method, headers.get("content-type", ""), headers["date"], datahub_headers + resource)
    )
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)
