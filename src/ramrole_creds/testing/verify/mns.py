"""Message Service: `MNS <id>:<signature>` (version 2) and `MNS4-HMAC-SHA256` (version 4)."""

from __future__ import annotations

from datetime import datetime, timezone

from ramrole_creds.testing.verify.canonical import (
    base64_mac,
    decode,
    encode,
    from_wire,
    header_lines,
    hex_mac,
    query_pairs,
)
from ramrole_creds.testing.verify.error_catalogs import MNS
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import http_time
from ramrole_creds.testing.verify.verification import Accepted, Verification, VerificationFailed, refused

ALGORITHM = "MNS4-HMAC-SHA256"


@scheme("mns", MNS, prefix="MNS ")
def mns(check: Verification) -> Accepted:
    """A Message Service request; its token is sent outside the signature."""
    access_key_id, signature = check.claim("MNS")
    _require_version(check)
    check.require_date("x-mns-date", "date")
    issued = check.issued(access_key_id, check.headers.get("security-token"))
    # The digest is opaque text here: the official SDK sends the base64 of the hex, the documentation the digest's.
    date, resource = check.headers.get("date", ""), from_wire(check.request.target)
    string_to_sign = check.plain_text(date, check.header_lines("x-mns-"), resource)
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret), string_to_sign)


@scheme("mns_v4", MNS, prefix=ALGORITHM)
def mns_v4(check: Verification) -> Accepted:
    """A request with a key derived for day and region; its token is sent outside the signature too."""
    headers = check.headers
    scope, signature = check.scoped_claim(ALGORITHM, "mns")
    _require_version(check)
    when = datetime.fromtimestamp(http_time(check.require_date("date")) or 0, timezone.utc)
    if scope.day != f"{when:%Y%m%d}":
        raise VerificationFailed(check.catalog.malformed)
    issued = check.issued(scope.access_key_id, headers.get("security-token"))
    signed = [name for name in headers if name in ("content-type", "content-md5") or name.startswith("x-mns-")]
    canonical = (
        check.request.method,
        encode(decode(check.request.path), keep="/"),
        _parameters(check),
        header_lines(headers, signed),
        "",
    )
    string_to_sign = "\n".join((ALGORITHM, f"{when:%Y%m%dT%H%M%SZ}", scope.text, *canonical))
    mac = hex_mac(scope.key(issued.access_key_secret))
    return check.conclude(issued, signature, mac, string_to_sign, scope.region)


def _parameters(check: Verification) -> str:
    """Sorted by their names, which count in lower case; the last of a name counts."""
    given = {
        encode(name.lower().strip()): (value or "").strip() for name, value in query_pairs(check.request.query_string)
    }
    return "&".join(f"{name}={encode(given[name])}" if given[name] else name for name in sorted(given))


def _require_version(check: Verification) -> None:
    if not check.headers.get("x-mns-version"):
        raise refused("MissingVersionHeader", 400, "The x-mns-version header is missing.")
