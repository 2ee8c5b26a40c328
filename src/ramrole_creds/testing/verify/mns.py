"""Message Service: `Authorization: MNS <id>:<signature>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    from_wire,
    header_lines,
    header_map,
    hmac_sha1_base64,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import MNS, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, http_time, run_verification

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


def verify_mns(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a Message Service request; its token travels outside the signature."""
    return run_verification(Verification("mns", MNS, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    kind, _, claim = headers.get("authorization", "").partition(" ")
    access_key_id, colon, signature = claim.strip().rpartition(":")
    if kind != "MNS" or not colon or not access_key_id:
        raise VerificationFailed(
            ErrorSpec("InvalidAuthorizationHeader", 400, "The Authorization header is not MNS <id>:<signature>.")
        )
    if not headers.get("x-mns-version"):
        raise VerificationFailed(ErrorSpec("MissingVersionHeader", 400, "The x-mns-version header is missing."))
    date = headers.get("x-mns-date") or headers.get("date")
    if not date:
        raise VerificationFailed(ErrorSpec("MissingDateHeader", 400, "The Date header is missing."))
    when = http_time(date)
    if when is None:
        raise VerificationFailed(ErrorSpec("InvalidDateHeader", 400, "The Date header is not an RFC 1123 date in GMT."))
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("security-token"))
    # The digest is opaque text here: the official SDK sends the base64 of the hex, the documentation the digest's.
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), headers.get("date", ""))
    mns_headers = header_lines(headers, (name for name in headers if name.startswith("x-mns-")))
    string_to_sign = "\n".join((*head, mns_headers + from_wire(request.target)))
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)
