"""OSS signature V1, in the Authorization header or in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    header_lines,
    header_map,
    hmac_sha1_base64,
    query_pairs,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS, ErrorSpec
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.verification import (
    Verification,
    VerificationFailed,
    http_time,
    run_verification,
    utc_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

# Parameters that are part of the resource: the union of what the official SDKs list.
SUB_RESOURCES = frozenset(
    """
    accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
    cloudboxes cname comp continuation-token cors dataPipeline delete encryption endTime group inventory inventoryId
    lifecycle link live location logging metaQuery metadataConfiguration objectInfo objectMeta partNumber policy
    position qos qosInfo referer regionList replication replicationLocation replicationProgress requestPayment
    resourceGroup restore security-token sequential startTime stat status style styleName symlink tagging
    transferAcceleration uploadId uploads versionId versioning versions vod website worm wormExtend wormId
    x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-async-process x-oss-process
    x-oss-request-payer x-oss-traffic-limit x-oss-write-get-object-response
    """.split()  # noqa: SIM905 - a table reads best as a table
)


def verify_oss_v1(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: OSS <id>:<signature>`."""
    return run_verification(Verification("oss_v1", OSS, request, issuer, now, nonces), _verify_header)


def verify_oss_v1_url(
    request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
) -> VerificationResult:
    """Judge a URL with `OSSAccessKeyId`, `Expires` and `Signature`."""
    return run_verification(Verification("oss_v1_url", OSS, request, issuer, now, nonces), _verify_url)


def expired(expires_at: float, now: float) -> VerificationFailed:
    """The refusal of a URL whose time has passed."""
    return VerificationFailed(
        ErrorSpec("AccessDenied", 403, "Request has expired.", "0002-00000069"),
        extra=(("Expires", utc_text(expires_at)), ("ServerTime", utc_text(now))),
    )


def _verify_header(check: Verification) -> Accepted:
    headers = header_map(check.request)
    claim = headers.get("authorization", "").removeprefix("OSS ").strip()
    access_key_id, colon, signature = claim.rpartition(":")
    if not colon or not access_key_id:
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    date = headers.get("x-oss-date") or headers.get("date")
    if not date:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000501")
        )
    when = http_time(date)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "OSS authentication requires a valid Date.", "0002-00000502")
        )
    check.require_clock(when)
    # One official SDK sends the token in a header of the older name, outside the signature.
    token = headers.get("x-oss-security-token") or headers.get("security-token")
    issued = check.issued(access_key_id, token)
    string_to_sign = _string_to_sign(check.request, headers, date)
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, signature, access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _verify_url(check: Verification) -> Accepted:
    query = {name: value or "" for name, value in query_pairs(check.request.query_string)}
    for name in ("OSSAccessKeyId", "Expires", "Signature"):
        if not query.get(name):
            raise VerificationFailed(
                ErrorSpec("AccessDenied", 403, f"The query parameter {name} is missing.", "0002-00000227")
            )
    expires = query["Expires"]
    if not expires.isascii() or not expires.isdigit():
        raise VerificationFailed(
            ErrorSpec("AccessDenied", 403, "Invalid date (should be seconds since epoch).", "0002-00000228")
        )
    access_key_id = query["OSSAccessKeyId"]
    if check.now > int(expires):
        raise expired(min(int(expires), 253402300799), check.now)
    headers = header_map(check.request)
    issued = check.issued(access_key_id, query.get("security-token") or headers.get("x-oss-security-token"))
    string_to_sign = _string_to_sign(check.request, headers, expires)
    ours = hmac_sha1_base64(to_bytes(issued.access_key_secret), string_to_sign)
    check.require_signature(ours, query["Signature"], access_key_id, string_to_sign)
    return check.accept(access_key_id, issued)


def _string_to_sign(request: WireRequest, headers: dict[str, str], date: str) -> str:
    oss_headers = header_lines(headers, (name for name in headers if name.startswith("x-oss-")))
    resource = oss_address(request).resource + _sub_resources(query_pairs(request.query_string))
    head = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return "\n".join((*head, oss_headers + resource))


def _sub_resources(pairs: Iterable[tuple[str, str | None]]) -> str:
    taking_part = sorted(
        (to_bytes(name), f"{name}={value}" if value else name)
        for name, value in pairs
        if name in SUB_RESOURCES or name.startswith("response-")
    )
    return "?" + "&".join(text for _, text in taking_part) if taking_part else ""
