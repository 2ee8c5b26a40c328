"""OSS's S3-compatible endpoint: the same buckets behind Signature Version 4."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.object_storage import perform
from ramrole_creds.testing.services.storage_call import StorageCall, StorageError
from ramrole_creds.testing.services.storage_refusal import refusal_document, refusal_of
from ramrole_creds.testing.verify import (
    NonceMemory,
    Rejected,
    oss_address,
    verify_s3_hmacv1,
    verify_s3_v4,
    verify_s3_v4_url,
)
from ramrole_creds.testing.verify.canonical import query_pairs

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify import VerificationResult, Verifier

ANONYMOUS = Rejected("s3", "AccessDenied", 403, "You have no right to access this object because of bucket acl.")


@dataclass(slots=True)
class S3Service:
    """The S3-compatible face of OSS; give it the store of an `OssService` to share its buckets."""

    issuer: CredentialStore
    store: BucketStore = field(default_factory=BucketStore)
    nonces: NonceMemory = field(default_factory=NonceMemory)

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "s3"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature or by an `x-amz-` header."""
        if request.header("authorization") or _verifier(request) is not None:
            return _verifier(request) is not None
        return any(name.lower().startswith("x-amz-") for name, _ in request.headers)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and do what it asks."""
        request_id = self.issuer.nonce().replace("-", "")[:24]
        verifier = _verifier(request)
        verdict: VerificationResult = verifier(request, self.issuer, request.at, self.nonces) if verifier else ANONYMOUS
        if isinstance(verdict, Rejected):
            return _refuse(request, request_id, verdict)
        address = oss_address(request)
        place = (address.bucket, address.key)
        call = StorageCall.of(request, place, self.store, verdict.issued, region=verdict.region, prefix="x-amz-")
        if (call.own_header("content-sha256") or "").startswith("STREAMING-"):
            call = replace(call, body=_unchunked(call.body))
        try:
            response = perform(call)
        except StorageError as error:
            return _refuse(request, request_id, refusal_of("s3", error))
        return replace(response, headers=(("x-amz-request-id", request_id), *response.headers))


def _verifier(request: WireRequest) -> Verifier | None:
    authorization = request.header("authorization") or ""
    if authorization:
        if authorization.startswith("AWS4-HMAC-SHA256"):
            return verify_s3_v4
        return verify_s3_hmacv1 if authorization.startswith("AWS ") else None
    query = {name for name, _ in query_pairs(request.query_string)}
    return verify_s3_v4_url if {"X-Amz-Signature", "X-Amz-Credential"} & query else None


def _unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body; the signatures of its chunks are not looked at."""
    parts: list[bytes] = []
    while body:
        head, _, rest = body.partition(b"\r\n")
        size = re.match(rb"[0-9a-fA-F]{1,8}", head)
        if size is None or int(size[0], 16) == 0:
            break
        length = int(size[0], 16)
        parts.append(rest[:length])
        body = rest[length + 2 :]
    return b"".join(parts)


def _refuse(request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
    body = refusal_document(request, request_id, refused, key_name="AWSAccessKeyId")
    headers = (("x-amz-request-id", request_id), ("Content-Type", "application/xml"))
    return WireResponse(refused.status, headers, body)
