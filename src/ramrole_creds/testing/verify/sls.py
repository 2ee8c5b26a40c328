"""Simple Log Service: `LOG <id>:<signature>` (v1) and `SLS4-HMAC-SHA256` (v4)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    base64_mac,
    content_md5_matches,
    decode,
    encode,
    from_wire,
    header_lines,
    query_pairs,
    same,
    sha256_hex,
    sorted_pairs,
    sorted_query,
)
from ramrole_creds.testing.verify.error_catalogs import SLS
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import compact_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


ALGORITHM = "SLS4-HMAC-SHA256"


@scheme("sls_v1", SLS, prefix="LOG ")
def sls_v1(check: Verification) -> Accepted:
    """`Authorization: LOG <id>:<signature>`, with the HMAC that `x-log-signaturemethod` names."""
    headers = check.headers
    access_key_id, signature = check.claim("LOG")
    _require_headers(check, "x-log-apiversion", "x-log-signaturemethod")
    date = check.require_date("date")
    _require_digest(check)
    issued = check.issued(access_key_id, headers.get("x-acs-security-token"))
    # The official SDK adds x-log-date after it has signed.
    signed = [name for name in headers if _is_log_header(name) and name != "x-log-date"]
    lines = header_lines(headers, signed)
    query = sorted_query(query_pairs(check.request.query_string), equals=True)
    paths = dict.fromkeys((decode(check.request.path), from_wire(check.request.path)))
    strings_to_sign = [check.plain_text(date, lines, path + query) for path in paths]
    # The generated client, alibabacloud-sls20201230, signs with hmac-sha256; the other SDK and the documentation, sha1.
    digest = "sha256" if headers["x-log-signaturemethod"].lower() == "hmac-sha256" else "sha1"
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret, digest), strings_to_sign)


@scheme("sls_v4", SLS, prefix=ALGORITHM)
def sls_v4(check: Verification) -> Accepted:
    """`Authorization: SLS4-HMAC-SHA256 …`."""
    headers = check.headers
    scope, signature = check.scoped_claim(ALGORITHM, "sls")
    _require_headers(check, "x-log-apiversion", "x-log-content-sha256", "x-log-date")
    date = headers["x-log-date"]
    when = compact_time(date)
    if when is None or scope.day != date[:8]:
        raise refused("InvalidRequestTime", 400, "x-log-date is not YYYYMMDDThhmmssZ of the Credential's day.")
    check.require_clock(when)
    payload = sha256_hex(check.request.body)
    if not same(payload, headers["x-log-content-sha256"]):
        raise refused("InvalidContentSha256", 400, "x-log-content-sha256 is not the hash of the request's body.")
    token, canonical = headers.get("x-acs-security-token"), _canonical_requests(check, payload)
    return check.conclude_v4(scope, token, signature, f"{ALGORITHM}\n{date}", canonical)


def _canonical_requests(check: Verification, payload: str) -> Iterator[str]:
    """The forms in use: releases of the official SDK differ in whether names and path are encoded."""
    request, headers = check.request, check.headers
    signed = sorted(name for name in headers if name in ("content-type", "host") or _is_log_header(name))
    paths = dict.fromkeys((decode(request.path), from_wire(request.path)))
    hosts = dict.fromkeys((headers.get("host", ""), headers.get("host", "").partition(":")[0]))
    for path, encode_names, host in product(paths, (True, False), hosts):
        spelt = [
            (encode(name) if encode_names else name, encode(value))
            for name, value in sorted_pairs(request.query_string)
        ]
        query = "&".join(f"{name}={value}" if value else name for name, value in spelt)
        lines = header_lines({**headers, "host": host}, signed)
        yield "\n".join((request.method, path, query, lines, ";".join(signed), payload))


def _is_log_header(name: str) -> bool:
    return name.startswith(("x-log-", "x-acs-")) and not name.startswith("x-log-meta-")


def _require_digest(check: Verification) -> None:
    digest = check.headers.get("content-md5")
    if not digest:  # the generated client sends an empty one without a body
        if check.request.body:
            raise refused("MissingContentMD5", 400, "Content-MD5 is required with a body.")
    elif not content_md5_matches(check.request.body, digest):
        raise refused("InvalidContentMD5", 400, "Content-MD5 is not the digest of the request's body.")


_MISSING = {
    "x-log-apiversion": "MissingApiVersion",
    "x-log-signaturemethod": "MissingSignatureMethod",
    "x-log-content-sha256": "MissingContentSha256",
    "x-log-date": "MissingDate",
}


def _require_headers(check: Verification, *names: str) -> None:
    for name in names:
        if not check.headers.get(name):
            raise refused(_MISSING[name], 400, f"{name} does not exist in http header.")
