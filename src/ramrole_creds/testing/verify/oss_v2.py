"""OSS signature V2, in the Authorization header or in the URL; superseded by V4, still served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import base64_mac, decimal, encode, encoded_query, header_lines
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Accepted, Verification, VerificationFailed, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials


@scheme("oss_v2", OSS, prefix="OSS2 ")
def oss_v2(check: Verification) -> Accepted:
    """`Authorization: OSS2 AccessKeyId:…,AdditionalHeaders:…,Signature:…`."""
    parts = [part.partition(":") for part in check.headers.get("authorization", "").removeprefix("OSS2 ").split(",")]
    fields = {name.strip(): value.strip() for name, _, value in parts}
    if not fields.get("AccessKeyId") or not fields.get("Signature"):
        raise VerificationFailed(check.catalog.malformed)
    date = check.require_date("x-oss-date", "date")
    issued = check.issued(fields["AccessKeyId"], check.headers.get("x-oss-security-token"))
    return _conclude(check, issued, fields["Signature"], date, fields.get("AdditionalHeaders", ""))


@scheme("oss_v2_url", OSS, when=lambda request: "x-oss-signature-version=OSS2&" in f"{request.query_string}&")
def oss_v2_url(check: Verification) -> Accepted:
    """A URL with `x-oss-signature-version=OSS2`."""
    query = check.query
    access_key_id, signature = query.get("x-oss-access-key-id"), query.get("x-oss-signature")
    expires = decimal(query.get("x-oss-expires", ""))
    if not access_key_id or not signature or expires is None:
        raise refused("AccessDenied", 403, "The query parameters of the signature are incomplete.")
    check.require_unexpired(expires)
    issued = check.issued(access_key_id, query.get("security-token"))
    return _conclude(check, issued, signature, query["x-oss-expires"], query.get("x-oss-additional-headers", ""))


def _conclude(check: Verification, issued: IssuedCredentials, signature: str, date: str, additional: str) -> Accepted:
    names = sorted({name.lower() for name in additional.split(";") if name})
    signed = (name for name in check.headers if name.startswith("x-oss-") or name in names)
    query = encoded_query(check.request.query_string, without="x-oss-signature")
    resource = encode(oss_address(check.request).resource) + (f"?{query}" if query else "")
    lines = header_lines(check.headers, signed) + ";".join(names)
    string_to_sign = check.plain_text(date, f"{lines}\n", resource)
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret, "sha256"), string_to_sign)
