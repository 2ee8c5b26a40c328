"""OSS signature version 1: Authorization header, signed URL, and upload form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import query_pairs, without
from ramrole_creds.signing._percent import decode, encode
from ramrole_creds.signing.scheme import join_query, parameter, signed_headers_of, without_parameters
from ramrole_creds.signing.schemes._bucket_scheme import BucketScheme
from ramrole_creds.signing.schemes._oss_policy import encode_policy
from ramrole_creds.signing.schemes._oss_resource import resource_path, without_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable

# Parameters that are part of the resource: all that oss2 or alibabacloud-oss-v2 sign (the latter names many of them
# operation by operation).
# fmt: off
SUB_RESOURCES: frozenset[str] = frozenset(
    (
        "accessPoint", "accessPointPolicy", "acl", "action", "append", "asyncFetch", "bucketArchiveDirectRead",
        "bucketInfo", "callback", "callback-var", "cleanRestoredObject", "cloudboxes", "cname", "comp",
        "continuation-token", "cors", "dataPipeline", "delete", "encryption", "endTime", "group", "httpsConfig",
        "inventory", "inventoryId", "legalHold", "lifecycle", "link", "live", "location", "logging",
        "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metaQuery", "objectInfo",
        "objectMeta", "objectWorm", "overwriteConfig", "partNumber", "policy", "policyStatus", "position",
        "publicAccessBlock", "qos", "qosInfo", "quota", "redundancyTransition", "referer", "regionList",
        "replication", "replicationLocation", "replicationProgress", "requestPayment", "resourceGroup",
        "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore", "retention", "rtc",
        "seal", "security-token", "sequential", "startTime", "stat", "status", "style", "styleName", "symlink",
        "tagging", "transferAcceleration", "uploadId", "uploads", "userDefinedLogFieldsConfig", "versionId",
        "versioning", "versions", "vod", "website", "worm", "wormExtend", "wormId", "x-oss-ac-forward-allow",
        "x-oss-ac-source-ip", "x-oss-ac-subnet-mask", "x-oss-ac-vpc-id", "x-oss-access-point-name",
        "x-oss-async-process", "x-oss-process", "x-oss-redundancy-transition-taskid", "x-oss-request-payer",
        "x-oss-target-redundancy-type", "x-oss-traffic-limit", "x-oss-write-get-object-response",
    )
)
# fmt: on

_OWNED_PARAMETERS = frozenset(("OSSAccessKeyId", "Expires", "Signature", "security-token"))


class OSSV1(BucketScheme):
    """Signs method, Content-MD5, Content-Type, date, `x-oss-*` headers, bucket, key and sub-resources; not the body.

    Args:
        bucket: the bucket; None to read it from the URL. A custom domain needs it.
        addressing: "path", "virtual" or "cname", if the host alone does not show where the URL names the bucket.
    """

    __slots__ = ()

    name: ClassVar[str] = "OSSV1"
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "date", "x-oss-date", "x-oss-security-token"))
    max_presign_seconds: ClassVar[float] = math.inf

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with Date and `Authorization: OSS …`."""
        del nonce
        request, headers, date = self._begin(request, credentials, now)
        query = without_parameters(request.query, _OWNED_PARAMETERS)
        string = self._string_to_sign(request, headers, query, date)
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(string)
        headers.append(("Authorization", f"OSS {credentials.access_key_id}:{signature}"))
        return request.with_headers(tuple(headers), query)

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL with `OSSAccessKeyId`, `Expires` and `Signature`."""
        request = without_plus(request)
        headers = tuple(without(request, self.owned_headers))
        query = without_parameters(request.query, _OWNED_PARAMETERS)
        if credentials.security_token:
            query = join_query(query, f"security-token={encode(credentials.security_token)}")
        expires = str(math.floor(now) + life)
        string = self._string_to_sign(request, headers, query, expires)
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(string)
        signed = request.with_headers(
            headers,
            join_query(
                query,
                f"OSSAccessKeyId={encode(credentials.access_key_id)}&Expires={expires}&Signature={encode(signature)}",
            ),
        )
        return signed, signed_headers_of(headers, ("content-md5", "content-type"), "x-oss-")

    def post_form(
        self, policy: str | dict[str, object], credentials: Signable, now: float, keys: SigningKeys
    ) -> dict[str, str]:
        """The fields `policy`, `OSSAccessKeyId`, `Signature`, and the token's."""
        encoded = encode_policy(policy, {}, credentials, now)
        fields = {
            "policy": encoded,
            "OSSAccessKeyId": credentials.access_key_id,
            "Signature": keys.of_secret(credentials.access_key_secret, "sha1").base64(encoded),
        }
        if credentials.security_token:
            fields["x-oss-security-token"] = credentials.security_token
        return fields

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the `x-oss-*` headers, and the resource."""
        expires = parameter(signed.query, "Expires")
        return self._string_to_sign(signed, signed.headers, signed.query, expires or signed.header("date") or "")

    def _string_to_sign(self, request: Request, headers: Iterable[tuple[str, str]], query: str, date: str) -> str:
        md5, kind, oss_headers = _signed_headers(headers)
        resource = decode(resource_path(request, self.bucket, self.addressing)) + _sub_resources(query)
        return f"{request.method}\n{md5}\n{kind}\n{date}\n{oss_headers}{resource}"

    def __repr__(self) -> str:
        return f"OSSV1(bucket={self.bucket!r}, addressing={self.addressing!r})"


def _signed_headers(headers: Iterable[tuple[str, str]]) -> tuple[str, str, str]:
    """Content-MD5, Content-Type, and the lines of the `x-oss-*` headers."""
    md5 = kind = ""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith("x-oss-"):
            found[lower] = f"{found[lower]},{value}" if lower in found else value
        elif lower == "content-type":
            kind = value
        elif lower == "content-md5":
            md5 = value
    return md5, kind, "".join([f"{name}:{found[name]}\n" for name in sorted(found)])


def _sub_resources(query: str) -> str:
    """The parameters that are part of the resource, after a question mark; "" if there is none."""
    pairs = sorted((name, value) for name, _, value in query_pairs(query) if name in SUB_RESOURCES) if query else []
    return "?" + "&".join([f"{name}={value}" if value else name for name, value in pairs]) if pairs else ""
