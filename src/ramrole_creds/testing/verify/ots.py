"""Tablestore: `x-ots-signature` (v2) and `x-ots-signaturev4`, and the signature on its answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from ramrole_creds.testing.verify.authorization import TERMINATOR, Scope
from ramrole_creds.testing.verify.canonical import (
    base64_mac,
    content_md5_matches,
    from_wire,
    header_lines,
    header_map,
    sorted_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OTS
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import iso_time
from ramrole_creds.testing.verify.verification import Accepted, KeyDirectory, Verification, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ramrole_creds.testing.server.messages import WireRequest

_MANDATORY = ("x-ots-date", "x-ots-apiversion", "x-ots-accesskeyid", "x-ots-instancename", "x-ots-contentmd5")
_MANDATORY_V4 = ("x-ots-signdate", "x-ots-signregion")


def has_ots_headers(request: WireRequest) -> bool:
    """Whether the request has headers of Tablestore, which carry its signature."""
    return any(name.lower().startswith("x-ots-") for name, _ in request.headers)


def ots_response_authorization(
    request: WireRequest, issuer: KeyDirectory, headers: Iterable[tuple[str, str]]
) -> str | None:
    """The `Authorization` of an answer with these headers; None where the request's key is unknown.

    The official SDK checks it, with the id and secret of its request, before it trusts an answer.
    """
    asked = header_map(request)
    access_key_id = asked.get("x-ots-accesskeyid", "")
    issued = issuer.lookup(access_key_id)
    if issued is None:
        return None
    v4 = "x-ots-signaturev4" in asked
    key = _v4_key(issued.access_key_secret, asked) if v4 else to_bytes(issued.access_key_secret)
    answered = {name.lower(): value.strip() for name, value in headers}
    lines = header_lines(answered, (name for name in answered if name.startswith("x-ots-")))
    return f"OTS {access_key_id}:{base64_mac(key)(lines + from_wire(request.path))}"


@scheme("ots", OTS, when=has_ots_headers)
def ots(check: Verification) -> Accepted:
    """A Tablestore request of either signature."""
    headers = check.headers
    v4 = "x-ots-signaturev4" in headers
    signature_header = "x-ots-signaturev4" if v4 else "x-ots-signature"
    missing = [
        name for name in (*_MANDATORY, *(_MANDATORY_V4 if v4 else ()), signature_header) if not headers.get(name)
    ]
    if missing:
        raise refused("OTSParameterInvalid", 400, f"Missing header: {missing[0]}.")
    check.require_clock(iso_time(headers["x-ots-date"]))
    if v4 and headers["x-ots-signdate"] != headers["x-ots-date"][:10].replace("-", ""):
        raise refused("OTSAuthFailed", 403, "x-ots-signdate is not the day of x-ots-date.")
    if not content_md5_matches(check.request.body, headers["x-ots-contentmd5"]):
        raise refused("OTSParameterInvalid", 400, "x-ots-contentmd5 is not the digest of the request's body.")
    issued = check.issued(headers["x-ots-accesskeyid"], headers.get("x-ots-ststoken"))
    secret = issued.access_key_secret
    mac = base64_mac(_v4_key(secret, headers), "sha256") if v4 else base64_mac(secret)
    string_to_sign = _string_to_sign(check, signature_header)
    return check.conclude(issued, headers[signature_header], mac, string_to_sign, headers.get("x-ots-signregion"))


def _string_to_sign(check: Verification, signature_header: str) -> str:
    signed = [name for name in check.headers if name.startswith("x-ots-") and name != signature_header]
    pairs = sorted_pairs(check.request.query_string)
    ending = "ots" if signature_header == "x-ots-signaturev4" else ""
    return "\n".join(
        (
            from_wire(check.request.path),
            check.request.method,
            "&".join(f"{_encode(name)}={_encode(value)}" for name, value in pairs),
            header_lines(check.headers, signed) + ending,
        )
    )


def _encode(text: str) -> str:
    return quote_plus(to_bytes(text), safe="~")


def _v4_key(secret: str, headers: Mapping[str, str]) -> bytes:
    # The service takes the base64 text of the derived key as the key.
    day, region = headers.get("x-ots-signdate", ""), headers.get("x-ots-signregion", "")
    return base64.b64encode(Scope("", day, region, "ots", TERMINATOR).key(secret))
