"""ROA style, x-acs-signature-version 1.0: `Authorization: acs <id>:<signature>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    content_md5_matches,
    decode,
    from_wire,
    header_lines,
    header_map,
    hmac_sha1_base64,
    query_pairs,
    same,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OPENAPI, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, http_time, run_verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult


def verify_roa(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a ROA request of the older signature."""
    return run_verification(Verification("roa", OPENAPI, request, issuer, now, nonces), _verify)


def _verify(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    kind, _, claim = headers.get("authorization", "").partition(" ")
    access_key_id, colon, signature = claim.strip().rpartition(":")
    if kind != "acs" or not colon or not access_key_id:
        raise VerificationFailed(
            ErrorSpec("IncompleteSignature", 400, "Authorization is not of the form acs <id>:<signature>.")
        )
    if not headers.get("date"):
        raise VerificationFailed(ErrorSpec("MissingParameter", 400, "The Date header is mandatory for this action."))
    when = http_time(headers["date"])
    if when is None:
        raise VerificationFailed(
            ErrorSpec("InvalidTimeStamp.Format", 400, "The Date header is not an RFC 1123 date in GMT.")
        )
    check.require_clock(when)
    issued = check.issued(access_key_id, headers.get("x-acs-security-token"))
    if "content-md5" in headers and not content_md5_matches(request.body, headers["content-md5"]):
        raise VerificationFailed(
            ErrorSpec("ContentMD5NotMatched", 400, "Content-MD5 is not the digest of the request's body.")
        )
    acs_headers = header_lines(headers, (name for name in headers if name.startswith("x-acs-")))
    head = "\n".join(
        (request.method, *(headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date")))
    )
    key = to_bytes(issued.access_key_secret)
    candidates = [f"{head}\n{acs_headers}{resource}" for resource in _resources(request)]
    string_to_sign = next((each for each in candidates if same(hmac_sha1_base64(key, each), signature)), candidates[0])
    check.require_signature(hmac_sha1_base64(key, string_to_sign), signature, access_key_id, string_to_sign)
    # The older official SDK sends no nonce at all.
    nonce = headers.get("x-acs-signature-nonce")
    if nonce and not check.nonces.admit(access_key_id, nonce, check.now):
        raise VerificationFailed(ErrorSpec("SignatureNonceUsed", 400, "Specified signature nonce was used already."))
    return check.accept(access_key_id, issued)


def _resources(request: WireRequest) -> Iterator[str]:
    """The forms in which the official SDKs sign one resource.

    One writes an empty value as `name=`, the other as `name`. Both sign the path as it is sent; a path that they
    were given undecoded is encoded on the way out, after the signature.
    """
    pairs = sorted(((name, value or "") for name, value in query_pairs(request.query_string)), key=_by_bytes)
    for path in dict.fromkeys((from_wire(request.path), decode(request.path))):
        for equals in ("=", ""):
            query = "&".join(f"{name}={value}" if value else f"{name}{equals}" for name, value in pairs)
            yield f"{path}?{query}" if query else path


def _by_bytes(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return to_bytes(pair[0]), to_bytes(pair[1])
