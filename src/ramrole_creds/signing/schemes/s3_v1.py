"""The S3-compatible endpoint of OSS: the older signature of AWS, with HMAC-SHA1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.signing._canonical import header_lines, prefixed, query_pairs, without
from ramrole_creds.signing._percent import encode
from ramrole_creds.signing.scheme import join_query, parameter, signed_headers_of, without_parameters
from ramrole_creds.signing.schemes._bucket_scheme import BucketScheme
from ramrole_creds.signing.schemes._oss_resource import bucket_path, without_plus

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request
    from ramrole_creds.signing.scheme import Signable

TOKEN_NAME = "x-amz-security-token"  # noqa: S105  # a name

# Parameters that are part of the resource: the list of botocore.
# fmt: off
_SUB_RESOURCES = frozenset(
    (
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle",
        "location", "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication",
        "requestPayment", "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore", "select",
        "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
        "versions", "website",
    )
)
# fmt: on
_OWNED_PARAMETERS = frozenset(("AWSAccessKeyId", "Expires", "Signature", TOKEN_NAME))


class S3V1(BucketScheme):
    """Signs like OSSV1, with `x-amz-*` headers, the path as it is sent, and the sub-resources of S3.

    Args:
        bucket: the bucket; None to read it from the URL. A custom domain needs it.
        addressing: "path", "virtual" or "cname", if the host alone does not show where the URL names the bucket.

    Raises:
        SigningError: an argument is not valid.
    """

    __slots__ = ()

    name: ClassVar[str] = "S3V1"
    token_header: ClassVar[str] = TOKEN_NAME
    owned_headers: ClassVar[frozenset[str]] = frozenset(("authorization", "date", "x-amz-date", TOKEN_NAME))
    max_presign_seconds: ClassVar[float] = math.inf

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its Date and `Authorization: AWS …`."""
        del nonce
        request, headers, _ = self._begin(request, credentials, now)
        unsigned = request.with_headers(tuple(headers), without_parameters(request.query, _OWNED_PARAMETERS))
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(self.string_to_sign(unsigned))
        return unsigned.with_headers((*headers, ("Authorization", f"AWS {credentials.access_key_id}:{signature}")))

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The URL with `AWSAccessKeyId`, `Expires` and `Signature`."""
        request = without_plus(request)
        headers = tuple(without(request, self.owned_headers))
        query = join_query(
            without_parameters(request.query, _OWNED_PARAMETERS),
            f"{TOKEN_NAME}={encode(credentials.security_token)}" if credentials.security_token else "",
            f"AWSAccessKeyId={encode(credentials.access_key_id)}&Expires={math.floor(now) + life}",
        )
        unsigned = request.with_headers(headers, query)
        signature = keys.of_secret(credentials.access_key_secret, "sha1").base64(self.string_to_sign(unsigned))
        signed = unsigned.with_headers(headers, f"{query}&Signature={encode(signature)}")
        return signed, signed_headers_of(headers, ("content-md5", "content-type"), "x-amz-")

    def string_to_sign(self, signed: Request) -> str:
        """Method, three header values, the `x-amz-*` headers, and the resource."""
        md5, kind, date = (signed.header(name) or "" for name in ("content-md5", "content-type", "date"))
        headers = prefixed(signed.headers, "x-amz-")
        if signed.query:
            date = parameter(signed.query, "Expires") or date
            token = parameter(signed.query, TOKEN_NAME)
            headers = dict(sorted({**headers, TOKEN_NAME: token}.items())) if token else headers
        resource = bucket_path(signed, self.bucket, self.addressing)
        pairs = sorted(pair for pair in query_pairs(signed.query) if pair[0] in _SUB_RESOURCES)
        if pairs:
            resource += "?" + "&".join(f"{name}{equals}{value}" for name, equals, value in pairs)
        return f"{signed.method}\n{md5}\n{kind}\n{date}\n{header_lines(headers)}{resource}"

    def __repr__(self) -> str:
        return f"S3V1(bucket={self.bucket!r}, addressing={self.addressing!r})"
