"""The object storage endpoints: OSS's own protocol, and the S3-compatible one over the same buckets."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.denial import no_right
from ramrole_creds.testing.services.markup import error_content, xml_response
from ramrole_creds.testing.services.object_operations import put_object
from ramrole_creds.testing.services.object_storage import perform
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.services.storage_call import StorageCall
from ramrole_creds.testing.verify import oss_address, parse_post_form
from ramrole_creds.testing.verify.canonical import header_map
from ramrole_creds.testing.verify.error_catalogs import OSS, S3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.account.access import Access
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.bucket_store import BucketStore
    from ramrole_creds.testing.services.denial import Denial
    from ramrole_creds.testing.verify import PostForm, Rejected


class StorageService(SignedService):
    """Object storage in one of its protocols.

    Subclasses set `key_name` too, the element that repeats the AccessKey ID in an error document.
    """

    key_name: ClassVar[str]

    def __init__(self, issuer: CredentialStore, store: BucketStore) -> None:
        super().__init__(issuer)
        self.store: BucketStore = store

    def answer(self, call: SignedCall) -> WireResponse:
        """Do what the request asks."""
        return perform(self.stored(call))

    def needs(self, call: SignedCall) -> Iterable[Access]:
        """None yet: each operation judges what it needs."""
        return ()

    def stored(self, call: SignedCall) -> StorageCall:
        """The call to storage that a signed call makes."""
        request, address = call.request, oss_address(call.request)
        return StorageCall(
            request=request,
            bucket_name=address.bucket,
            key=address.key,
            query=call.query,
            headers=header_map(request),
            body=request.body,
            store=self.store,
            caller=call.caller,
            region=call.region.removeprefix("oss-"),
            prefix=self.mark,
            require=lambda needed: self.require(call, *needed),
        )

    def denied(self, denial: Denial) -> ServiceError:
        """`AccessDenied` with its detail."""
        return no_right(denial)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """Code and message, what the server signed and what it got, the fine code and where to read on."""
        content = {**error_content(request, request_id, refused), **dict(refused.extra)}
        ec = refused.ec or dict(refused.extra).get("EC")
        further = {
            self.key_name: refused.access_key_id,
            "SignatureProvided": refused.signature_provided,
            "StringToSign": refused.string_to_sign,
            "CanonicalRequest": refused.canonical_request,
            "EC": ec,
            "RecommendDoc": f"https://api.aliyun.com/troubleshoot?q={ec}" if ec else None,
        }
        content |= {name: value for name, value in further.items() if value is not None}
        return xml_response("Error", content, status=refused.status)


class OssService(StorageService):
    """OSS on one port, addressed by path, or by host under the service's names and under localhost."""

    name = "oss"
    catalog = OSS
    mark = "x-oss-"
    key_name = "OSSAccessKeyId"

    def looks_familiar(self, request: WireRequest) -> bool:
        """By an `x-oss-` header, by host, or by the name of a bucket in use."""
        if "X-Amz-Signature=" in request.query_string:
            return False
        if super().looks_familiar(request):
            return True
        address = oss_address(request)
        return address.virtual_hosted or (address.bucket is not None and self.store.find(address.bucket) is not None)

    def own_headers(self, request_id: str) -> tuple[tuple[str, str], ...]:
        """Those of OSS itself."""
        return (("Server", "AliyunOSS"), ("x-oss-request-id", request_id), ("x-oss-server-time", "1"))

    def answer(self, call: SignedCall) -> WireResponse:
        """Do what the request or the form asks."""
        return _post_object(self.stored(call)) if call.verdict.scheme == "oss_post" else super().answer(call)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """The error of OSS; for a HEAD request, whose answer has no body, in a header as well."""
        response = super().refuse(request, request_id, refused)
        if refused.ec:
            response = response.with_header("x-oss-ec", refused.ec)
        if request.method == "HEAD":
            response = response.with_header("x-oss-err", base64.b64encode(response.body).decode())
        return response


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


def _post_object(call: StorageCall) -> WireResponse:
    form = parse_post_form(call.request)
    key = form.fields.get("key") if form else None
    if form is None or not key:
        raise ServiceError("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    key = key.replace("${filename}", form.filename)
    headers = {name: value for name, value in form.fields.items() if name.startswith("x-oss-meta-")}
    headers["content-type"] = form.fields.get("content-type") or form.content_type
    stored = put_object(replace(call, key=key, body=form.file, headers=headers))
    return _post_answer(call, form, key, stored)


def _post_answer(call: StorageCall, form: PostForm, key: str, stored: WireResponse) -> WireResponse:
    status = form.fields.get("success_action_status", "204")
    redirect = form.fields.get("success_action_redirect", "")
    if redirect.startswith(("http://", "https://")) and redirect.isprintable():
        return WireResponse(303, (*stored.headers, ("Location", redirect)))
    if status != "201":
        return WireResponse(200 if status == "200" else 204, stored.headers)
    content = {
        "Bucket": call.bucket_name or "",
        "Location": f"http://{call.request.header('host') or ''}/{key}",
        "Key": key,
        "ETag": stored.header("etag") or "",
    }
    return xml_response("PostResponse", content, *stored.headers, status=201)


_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n")


def _unchunked(body: bytes) -> bytes:
    """The content of an aws-chunked body; the signatures of its chunks are not verified."""
    content, position = bytearray(), 0
    while (size := _CHUNK_SIZE.match(body, position)) is not None and (length := int(size[1], 16)) > 0:
        content += body[size.end() : size.end() + length]
        position = size.end() + length + 2
    return bytes(content)
