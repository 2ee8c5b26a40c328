"""Tablestore: `x-ots-signature` (v2) and `x-ots-signaturev4`, and the signature on its answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from ramrole_creds.testing.verify.canonical import (
    content_md5_matches,
    derived_key,
    from_wire,
    header_lines,
    header_map,
    hmac_sha1_base64,
    hmac_sha256,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OTS, ErrorSpec
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, iso_time, run_verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

TERMINATOR = "aliyun_v4_request"


def verify_ots(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge a Tablestore request of either signature."""
    return run_verification(Verification("ots", OTS, request, issuer, now, nonces), _verify)


def ots_response_authorization(
    request: WireRequest, issuer: KeyDirectory, headers: Iterable[tuple[str, str]]
) -> str | None:
    """The `Authorization` of an answer with these headers; None where the request's key is unknown.

    The official SDK checks it, with the id and secret of its request, before it believes an answer.
    """
    asked = header_map(request)
    access_key_id = asked.get("x-ots-accesskeyid", "")
    issued = issuer.lookup(access_key_id)
    if issued is None:
        return None
    key = to_bytes(issued.access_key_secret)
    if "x-ots-signaturev4" in asked:
        key = _v4_key(issued.access_key_secret, asked)
    answered = {name.lower(): value.strip() for name, value in headers}
    lines = header_lines(answered, (name for name in answered if name.startswith("x-ots-")))
    signature = hmac_sha1_base64(key, lines + from_wire(request.path))
    return f"OTS {access_key_id}:{signature}"


def _verify(check: Verification) -> Accepted:
    request = check.request
    headers = header_map(request)
    v4 = "x-ots-signaturev4" in headers
    signature_header = "x-ots-signaturev4" if v4 else "x-ots-signature"
    needed = ["x-ots-date", "x-ots-apiversion", "x-ots-accesskeyid", "x-ots-instancename", "x-ots-contentmd5"]
    needed += ["x-ots-signdate", "x-ots-signregion"] if v4 else []
    for name in (*needed, signature_header):
        if not headers.get(name):
            raise VerificationFailed(ErrorSpec("OTSParameterInvalid", 400, f"Missing header: {name}."))
    when = iso_time(headers["x-ots-date"])
    if when is None:
        raise VerificationFailed(ErrorSpec("OTSParameterInvalid", 400, "x-ots-date is not YYYY-MM-DDThh:mm:ss.sssZ."))
    check.require_clock(when)
    if v4 and headers["x-ots-signdate"] != headers["x-ots-date"][:10].replace("-", ""):
        raise VerificationFailed(ErrorSpec("OTSAuthFailed", 403, "x-ots-signdate is not the day of x-ots-date."))
    if not content_md5_matches(request.body, headers["x-ots-contentmd5"]):
        raise VerificationFailed(
            ErrorSpec("OTSParameterInvalid", 400, "x-ots-contentmd5 is not the digest of the request's body.")
        )
    access_key_id = headers["x-ots-accesskeyid"]
    issued = check.issued(access_key_id, headers.get("x-ots-ststoken"))
    signed = [name for name in headers if name.startswith("x-ots-") and name != signature_header]
    string_to_sign = "\n".join(
        (
            from_wire(request.path),
            request.method,
            _canonical_query(request.query_string),
            header_lines(headers, signed) + ("ots" if v4 else ""),
        )
    )
    if v4:
        key = _v4_key(issued.access_key_secret, headers)
        ours = base64.b64encode(hmac_sha256(key, string_to_sign)).decode()
    else:
        ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, headers[signature_header], access_key_id, string_to_sign)
    return check.accept(access_key_id, issued, headers.get("x-ots-signregion"))


def _v4_key(secret: str, headers: Mapping[str, str]) -> bytes:
    # The service takes the base64 text of the derived key as the key.
    key = derived_key(
        "aliyun_v4",
        secret,
        headers.get("x-ots-signdate", ""),
        headers.get("x-ots-signregion", ""),
        "ots",
        TERMINATOR,
    )
    return base64.b64encode(key)


def _canonical_query(query: str) -> str:
    pairs = sorted((to_bytes(name), to_bytes(value or "")) for name, value in query_pairs(query))
    return "&".join(f"{quote_plus(name, safe='~')}={quote_plus(value, safe='~')}" for name, value in pairs)
