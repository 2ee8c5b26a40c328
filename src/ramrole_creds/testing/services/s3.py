"""OSS's S3-compatible endpoint: the same buckets behind Signature Version 4."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.services.storage_service import StorageService
from ramrole_creds.testing.verify.error_catalogs import S3

if TYPE_CHECKING:
    from ramrole_creds.testing.services.signed_service import SignedCall
    from ramrole_creds.testing.services.storage_call import StorageCall


class S3Service(StorageService):
    """The S3-compatible protocol of OSS; give it the store of an `OssService` to share its buckets."""

    name = "s3"
    catalog = S3
    mark = "x-amz-"
    request_id_header = "x-amz-request-id"
    key_name = "AWSAccessKeyId"

    def stored(self, call: SignedCall) -> StorageCall:
        """The call to storage, with the content of an aws-chunked body."""
        stored = super().stored(call)
        chunked = (stored.own_header("content-sha256") or "").startswith("STREAMING-")
        return replace(stored, body=_unchunked(stored.body)) if chunked else stored


_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n")


def _unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body; the signatures of its chunks are not verified."""
    content, position = bytearray(), 0
    while (size := _CHUNK_SIZE.match(body, position)) is not None and (length := int(size[1], 16)) > 0:
        content += body[size.end() : size.end() + length]
        position = size.end() + length + 2
    return bytes(content)
