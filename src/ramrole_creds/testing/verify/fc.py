"""Function Compute 2.0: `Authorization: FC <id>:<signature>`, API calls and HTTP triggers; signed trigger URLs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import Claim
from ramrole_creds.testing.verify.canonical import (
    decimal,
    decode,
    header_lines,
    hmac_sha256_base64,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import FC
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Verification, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.result import Accepted

TRIGGER_PATH = "/2016-08-15/proxy/"


@scheme("fc", FC, prefix="FC ")
def fc(check: Verification) -> Accepted:
    """A Function Compute 2.0 request, signed in its headers."""
    claim = check.claim("FC")
    date = check.require_date("date")
    return _conclude(check, claim, check.headers.get("x-fc-security-token"), date)


@scheme("fc_url", FC, when=lambda request: "x-fc-signature=" in request.query_string)
def fc_url(check: Verification) -> Accepted:
    """A URL of an HTTP trigger, signed in its parameters."""
    query = check.query
    claim = Claim(query.get("x-fc-access-key-id", ""), query.get("x-fc-signature", ""))
    expires = decimal(query.get("x-fc-expires", ""))
    if not claim.access_key_id or expires is None:
        raise refused("MissingRequiredHeader", 400, "The query parameters of the signature are incomplete.")
    check.require_unexpired(expires)
    return _conclude(check, claim, query.get("x-fc-security-token"), query["x-fc-expires"])


def _conclude(check: Verification, claim: Claim, token: str | None, date: str) -> Accepted:
    issued = check.issued(claim.access_key_id, token)
    headers = check.headers
    fc_headers = header_lines(headers, (name for name in headers if name.startswith("x-fc-")))
    head = (check.request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    string_to_sign = "\n".join((*head, fc_headers + _resource(check)))
    mac = partial(hmac_sha256_base64, to_bytes(issued.access_key_secret))
    return check.conclude(claim, issued, mac, string_to_sign)


def _resource(check: Verification) -> str:
    path = decode(check.request.path)
    if not path.startswith(TRIGGER_PATH):
        return path
    pairs = query_pairs(check.request.query_string)
    lines = [name if value is None else f"{name}={value}" for name, value in pairs if name != "x-fc-signature"]
    return path + "\n" + "\n".join(sorted(lines, key=to_bytes))
