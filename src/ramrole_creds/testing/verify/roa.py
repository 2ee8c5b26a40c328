"""ROA style, x-acs-signature-version 1.0: `Authorization: acs <id>:<signature>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    base64_mac,
    content_md5_matches,
    decode,
    from_wire,
    sorted_pairs,
)
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing.server.messages import WireRequest


@scheme("roa", OPENAPI, prefix="acs ", service="openapi")
def roa(check: Verification) -> Accepted:
    """A ROA request of the older signature."""
    request, headers = check.request, check.headers
    access_key_id, signature = check.claim("acs")
    check.require_date("date")
    issued = check.issued(access_key_id, headers.get("x-acs-security-token"))
    if "content-md5" in headers and not content_md5_matches(request.body, headers["content-md5"]):
        raise refused("ContentMD5NotMatched", 400, "Content-MD5 is not the digest of the request's body.")
    described = [headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date")]
    head = "\n".join((request.method, *described, check.header_lines("x-acs-")))
    strings_to_sign = [head + resource for resource in _resources(request)]
    accepted = check.conclude(issued, signature, base64_mac(issued.access_key_secret), strings_to_sign)
    nonce = headers.get("x-acs-signature-nonce")
    if nonce:  # the older official SDK sends no nonce
        check.require_new_nonce(access_key_id, nonce)
    return accepted


def _resources(request: WireRequest) -> Iterator[str]:
    """The forms in which the official SDKs sign one resource.

    One writes an empty value as `name=`, the other as `name`. Both sign the path as it is sent; a path that they
    were given undecoded is encoded on the way out, after the signature.
    """
    pairs = sorted_pairs(request.query_string)
    for path in dict.fromkeys((from_wire(request.path), decode(request.path))):
        for equals in ("=", ""):
            query = "&".join(f"{name}={value}" if value else f"{name}{equals}" for name, value in pairs)
            yield f"{path}?{query}" if query else path
