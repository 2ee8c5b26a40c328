"""ROA style, x-acs-signature-version 1.0: `Authorization: acs <id>:<signature>`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    content_md5_matches,
    decode,
    from_wire,
    header_lines,
    hmac_sha1_base64,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OPENAPI
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Verification, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.result import Accepted


@scheme("roa", OPENAPI, prefix="acs ", service="openapi")
def roa(check: Verification) -> Accepted:
    """A ROA request of the older signature."""
    request, headers = check.request, check.headers
    claim = check.claim("acs")
    check.require_date("date")
    issued = check.issued(claim.access_key_id, headers.get("x-acs-security-token"))
    if "content-md5" in headers and not content_md5_matches(request.body, headers["content-md5"]):
        raise refused("ContentMD5NotMatched", 400, "Content-MD5 is not the digest of the request's body.")
    acs_headers = header_lines(headers, (name for name in headers if name.startswith("x-acs-")))
    described = [headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date")]
    head = "\n".join((request.method, *described, acs_headers))
    mac = partial(hmac_sha1_base64, to_bytes(issued.access_key_secret))
    accepted = check.conclude(claim, issued, mac, [head + resource for resource in _resources(request)])
    nonce = headers.get("x-acs-signature-nonce")
    if nonce:  # the older official SDK sends no nonce
        check.require_new_nonce(claim.access_key_id, nonce)
    return accepted


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
