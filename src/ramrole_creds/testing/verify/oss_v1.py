"""OSS signature V1, in the Authorization header or in the URL."""

from __future__ import annotations

from ramrole_creds.testing.verify.canonical import base64_mac, decimal, query_pairs, sorted_query
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.verification import Accepted, Verification, refused

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
    access_key_id, signature = check.claim("OSS")
    date = check.require_date("x-oss-date", "date")
    # One official SDK sends the token in a header of the older name, outside the signature.
    token = check.headers.get("x-oss-security-token") or check.headers.get("security-token")
    return _conclude(check, access_key_id, token, signature, date)


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
    return _conclude(check, query["OSSAccessKeyId"], token, query["Signature"], query["Expires"])


def _conclude(check: Verification, access_key_id: str, token: str | None, signature: str, date: str) -> Accepted:
    issued = check.issued(access_key_id, token)
    pairs = query_pairs(check.request.query_string)
    resource = oss_address(check.request).resource + sorted_query(
        (name, value) for name, value in pairs if name in SUB_RESOURCES or name.startswith("response-")
    )
    string_to_sign = check.plain_text(date, check.header_lines("x-oss-"), resource)
    return check.conclude(issued, signature, base64_mac(issued.access_key_secret), string_to_sign)
