"""Message Service: `Authorization: MNS <id>:<signature>`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import from_wire, header_lines, hmac_sha1_base64, to_bytes
from ramrole_creds.testing.verify.error_catalogs import MNS
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Verification, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.result import Accepted


@scheme("mns", MNS, prefix="MNS ")
def mns(check: Verification) -> Accepted:
    """A Message Service request; its token travels outside the signature."""
    headers = check.headers
    claim = check.claim("MNS")
    if not headers.get("x-mns-version"):
        raise refused("MissingVersionHeader", 400, "The x-mns-version header is missing.")
    check.require_date("x-mns-date", "date")
    issued = check.issued(claim.access_key_id, headers.get("security-token"))
    # The digest is opaque text here: the official SDK sends the base64 of the hex, the documentation the digest's.
    described = [headers.get(name, "") for name in ("content-md5", "content-type", "date")]
    mns_headers = header_lines(headers, (name for name in headers if name.startswith("x-mns-")))
    string_to_sign = "\n".join((check.request.method, *described, mns_headers + from_wire(check.request.target)))
    return check.conclude(claim, issued, partial(hmac_sha1_base64, to_bytes(issued.access_key_secret)), string_to_sign)
