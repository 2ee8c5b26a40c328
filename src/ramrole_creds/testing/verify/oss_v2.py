"""OSS signature V2, in the Authorization header or in the URL; superseded by V4, still served."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import Claim
from ramrole_creds.testing.verify.canonical import (
    decimal,
    encode,
    encoded_query,
    header_lines,
    hmac_sha256_base64,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Verification, VerificationFailed, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.result import Accepted


@scheme("oss_v2", OSS, prefix="OSS2 ")
def oss_v2(check: Verification) -> Accepted:
    """`Authorization: OSS2 AccessKeyId:…,AdditionalHeaders:…,Signature:…`."""
    parts = [part.partition(":") for part in check.headers.get("authorization", "").removeprefix("OSS2 ").split(",")]
    fields = {name.strip(): value.strip() for name, _, value in parts}
    if not fields.get("AccessKeyId") or not fields.get("Signature"):
        raise VerificationFailed(check.catalog.malformed)
    date = check.require_date("x-oss-date", "date")
    claim = Claim(fields["AccessKeyId"], fields["Signature"])
    token = check.headers.get("x-oss-security-token")
    return _conclude(check, claim, token, date, fields.get("AdditionalHeaders", ""))


@scheme("oss_v2_url", OSS, when=lambda request: "x-oss-signature-version=OSS2&" in f"{request.query_string}&")
def oss_v2_url(check: Verification) -> Accepted:
    """A URL with `x-oss-signature-version=OSS2`."""
    query = check.query
    claim = Claim(query.get("x-oss-access-key-id", ""), query.get("x-oss-signature", ""))
    expires = decimal(query.get("x-oss-expires", ""))
    if not all(claim) or expires is None:
        raise refused("AccessDenied", 403, "The query parameters of the signature are incomplete.")
    check.require_unexpired(expires)
    token, additional = query.get("security-token"), query.get("x-oss-additional-headers", "")
    return _conclude(check, claim, token, query["x-oss-expires"], additional)


def _conclude(check: Verification, claim: Claim, token: str | None, date: str, additional: str) -> Accepted:
    issued = check.issued(claim.access_key_id, token)
    headers = check.headers
    names = sorted({name.lower() for name in additional.split(";") if name})
    signed = [name for name in headers if name.startswith("x-oss-") or name in names]
    query = encoded_query(check.request.query_string, without="x-oss-signature")
    resource = encode(oss_address(check.request).resource) + (f"?{query}" if query else "")
    head = (check.request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    string_to_sign = "\n".join((*head, header_lines(headers, signed) + ";".join(names), resource))
    return check.conclude(
        claim, issued, partial(hmac_sha256_base64, to_bytes(issued.access_key_secret)), string_to_sign
    )
