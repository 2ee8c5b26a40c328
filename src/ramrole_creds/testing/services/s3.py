"""OSS's S3-compatible endpoint: the same buckets behind Signature Version 4."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.denial import no_right
from ramrole_creds.testing.services.object_storage import perform
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.services.storage_call import StorageCall
from ramrole_creds.testing.services.storage_refusal import refusal_document
from ramrole_creds.testing.verify.error_catalogs import S3

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.denial import Denial
    from ramrole_creds.testing.services.service import ServiceError
    from ramrole_creds.testing.verify import Rejected


class S3Service(SignedService):
    """The S3-compatible protocol of OSS; give it the store of an `OssService` to share its buckets.

    Args:
        issuer: knows the keys that requests may be signed with.
        store: the buckets; None makes a new store.
    """

    name = "s3"
    catalog = S3

    def __init__(self, issuer: CredentialStore, store: BucketStore | None = None) -> None:
        super().__init__(issuer)
        self.store: BucketStore = BucketStore() if store is None else store

    def looks_familiar(self, request: WireRequest) -> bool:
        """By an `x-amz-` header."""
        return any(name.lower().startswith("x-amz-") for name, _ in request.headers)

    def answer(self, call: SignedCall) -> WireResponse:
        """Do what the request asks."""
        stored = StorageCall.of(call, self.store, "x-amz-", lambda accesses: self.require(call, *accesses))
        if (stored.own_header("content-sha256") or "").startswith("STREAMING-"):
            stored = replace(stored, body=_unchunked(stored.body))
        response = perform(stored)
        return replace(response, headers=(("x-amz-request-id", call.request_id), *response.headers))

    def denied(self, denial: Denial) -> ServiceError:
        """`AccessDenied` with its detail."""
        return no_right(denial)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """A document in XML."""
        body = refusal_document(request, request_id, refused, key_name="AWSAccessKeyId")
        headers = (("x-amz-request-id", request_id), ("Content-Type", "application/xml"))
        return WireResponse(refused.status, headers, body)


def _unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body; the signatures of its chunks are not verified."""
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
