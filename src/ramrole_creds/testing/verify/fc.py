"""Function Compute 2.0: `Authorization: FC <id>:<signature>`, API calls and HTTP triggers; signed trigger URLs."""

from __future__ import annotations

from ramrole_creds.testing.verify.canonical import base64_mac, decimal, decode, query_pairs, to_bytes
from ramrole_creds.testing.verify.error_catalogs import FC
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

TRIGGER_PATH = "/2016-08-15/proxy/"


@scheme("fc", FC, prefix="FC ")
def fc(check: Verification) -> Accepted:
    """A Function Compute 2.0 request, signed in its headers."""
    access_key_id, signature = check.claim("FC")
    date = check.require_date("date")
    return _conclude(check, access_key_id, check.headers.get("x-fc-security-token"), signature, date)


@scheme("fc_url", FC, when=lambda request: "x-fc-signature=" in request.query_string)
def fc_url(check: Verification) -> Accepted:
    """A URL of an HTTP trigger, signed in its parameters."""
    query = check.query
    access_key_id, signature = query.get("x-fc-access-key-id"), query.get("x-fc-signature", "")
    expires = decimal(query.get("x-fc-expires", ""))
    if not access_key_id or expires is None:
        raise refused("MissingRequiredHeader", 400, "The query parameters of the signature are incomplete.")
    check.require_unexpired(expires)
    return _conclude(check, access_key_id, query.get("x-fc-security-token"), signature, query["x-fc-expires"])


def _conclude(check: Verification, access_key_id: str, token: str | None, signature: str, date: str) -> Accepted:
    issued = check.issued(access_key_id, token)
    string_to_sign = check.plain_text(date, check.header_lines("x-fc-"), _resource(check))
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret, "sha256"), string_to_sign)


def _resource(check: Verification) -> str:
    path = decode(check.request.path)
    if not path.startswith(TRIGGER_PATH):
        return path
    pairs = query_pairs(check.request.query_string)
    lines = [name if value is None else f"{name}={value}" for name, value in pairs if name != "x-fc-signature"]
    return path + "\n" + "\n".join(sorted(lines, key=to_bytes))
