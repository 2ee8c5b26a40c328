"""OSS signature V1, in the Authorization header or in the URL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import Claim
from ramrole_creds.testing.verify.canonical import (
    decimal,
    header_lines,
    hmac_sha1_base64,
    query_pairs,
    sorted_query,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Verification, refused

if TYPE_CHECKING:
    from ramrole_creds.testing.verify.result import Accepted

# Parameters that are part of the resource: the union of what the official SDKs list.
SUB_RESOURCES: frozenset[str] = frozenset(
    """
    accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
    cloudboxes cname comp continuation-token cors dataPipeline delete encryption endTime group inventory inventoryId
    lifecycle link live location logging metaQuery metadataConfiguration objectInfo objectMeta partNumber policy
    position qos qosInfo referer regionList replication replicationLocation replicationProgress requestPayment
    resourceGroup restore security-token sequential startTime stat status style styleName symlink tagging
    transferAcceleration uploadId uploads versionId versioning versions vod website worm wormExtend wormId
    x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-async-process x-oss-process
    x-oss-request-payer x-oss-traffic-limit x-oss-write-get-object-response
    """.split()  # noqa: SIM905  # a table reads best as a table
)


@scheme("oss_v1", OSS, prefix="OSS ")
def oss_v1(check: Verification) -> Accepted:
    """`Authorization: OSS <id>:<signature>`."""
    claim = check.claim("OSS")
    date = check.require_date("x-oss-date", "date")
    # One official SDK sends the token in a header of the older name, outside the signature.
    token = check.headers.get("x-oss-security-token") or check.headers.get("security-token")
    return _conclude(check, claim, token, date)


@scheme("oss_v1_url", OSS, when=lambda request: "OSSAccessKeyId=" in request.query_string)
def oss_v1_url(check: Verification) -> Accepted:
    """A URL with `OSSAccessKeyId`, `Expires` and `Signature`."""
    query = check.query
    for name in ("OSSAccessKeyId", "Expires", "Signature"):
        if not query.get(name):
            raise refused("AccessDenied", 403, f"The query parameter {name} is missing.", "0002-00000227")
    expires = decimal(query["Expires"])
    if expires is None:
        raise refused("AccessDenied", 403, "Invalid date (should be seconds since epoch).", "0002-00000228")
    check.require_unexpired(expires)
    token = query.get("security-token") or check.headers.get("x-oss-security-token")
    return _conclude(check, Claim(query["OSSAccessKeyId"], query["Signature"]), token, query["Expires"])


def _conclude(check: Verification, claim: Claim, token: str | None, date: str) -> Accepted:
    issued = check.issued(claim.access_key_id, token)
    headers = check.headers
    oss_headers = header_lines(headers, (name for name in headers if name.startswith("x-oss-")))
    pairs = query_pairs(check.request.query_string)
    resource = oss_address(check.request).resource + sorted_query(
        (name, value) for name, value in pairs if name in SUB_RESOURCES or name.startswith("response-")
    )
    head = (check.request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    mac = partial(hmac_sha1_base64, to_bytes(issued.access_key_secret))
    return check.conclude(claim, issued, mac, "\n".join((*head, oss_headers + resource)))
