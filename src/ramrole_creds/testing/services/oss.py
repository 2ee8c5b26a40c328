"""The object storage endpoint: OSS's own protocol with signatures V1, V2, V4, signed URLs and upload forms."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.markup import document
from ramrole_creds.testing.services.object_operations import put_object
from ramrole_creds.testing.services.object_storage import perform
from ramrole_creds.testing.services.storage_call import StorageCall, StorageError
from ramrole_creds.testing.services.storage_refusal import refusal_document, refusal_of
from ramrole_creds.testing.verify import (
    NonceMemory,
    Rejected,
    oss_address,
    parse_post_form,
    verify_oss_post,
    verify_oss_v1,
    verify_oss_v1_url,
    verify_oss_v2,
    verify_oss_v2_url,
    verify_oss_v4,
    verify_oss_v4_url,
)
from ramrole_creds.testing.verify.canonical import query_pairs

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify import VerificationResult, Verifier

HEADER_VERIFIERS: tuple[tuple[str, Verifier], ...] = (
    ("OSS4-HMAC-SHA256", verify_oss_v4),
    ("OSS2 ", verify_oss_v2),
    ("OSS ", verify_oss_v1),
)
ANONYMOUS = Rejected("oss", "AccessDenied", 403, "You have no right to access this object because of bucket acl.")


@dataclass(slots=True)
class OssService:
    """OSS on one port, addressed by path, or by host under the service's names and under localhost."""

    issuer: CredentialStore
    store: BucketStore = field(default_factory=BucketStore)
    nonces: NonceMemory = field(default_factory=NonceMemory)

    @property
    def name(self) -> str:
        """The name faults and the request log use."""
        return "oss"

    def recognizes(self, request: WireRequest) -> bool:
        """By signature, by an `x-oss-` header, by host; without any of them by the name of a bucket in use."""
        if _verifier(request) is not None:
            return True
        if request.header("authorization") or "X-Amz-Signature=" in request.query_string:
            return False
        if any(name.lower().startswith("x-oss-") for name, _ in request.headers):
            return True
        address = oss_address(request)
        return address.virtual_hosted or (address.bucket is not None and self.store.find(address.bucket) is not None)

    def handle(self, request: WireRequest) -> WireResponse:
        """Verify the request and do what it asks."""
        request_id = self.issuer.nonce().replace("-", "")[:24]
        verifier = _verifier(request)
        verdict: VerificationResult = verifier(request, self.issuer, request.at, self.nonces) if verifier else ANONYMOUS
        if isinstance(verdict, Rejected):
            return _refuse(request, request_id, verdict)
        address = oss_address(request)
        place = (address.bucket, address.key)
        call = StorageCall.of(request, place, self.store, verdict.issued, region=verdict.region, prefix="x-oss-")
        try:
            response = _post_object(call) if verifier is verify_oss_post else perform(call)
        except StorageError as error:
            return _refuse(request, request_id, refusal_of("oss", error))
        return replace(response, headers=(*_own_headers(request_id), *response.headers))


def _refuse(request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
    """The error of OSS; for a HEAD request, whose answer has no body, in a header as well."""
    body = refusal_document(request, request_id, refused, key_name="OSSAccessKeyId")
    headers = [*_own_headers(request_id), ("Content-Type", "application/xml")]
    if refused.ec:
        headers.append(("x-oss-ec", refused.ec))
    if request.method == "HEAD":
        headers.append(("x-oss-err", base64.b64encode(body).decode()))
    return WireResponse(refused.status, tuple(headers), body)


def _own_headers(request_id: str) -> tuple[tuple[str, str], ...]:
    return (("Server", "AliyunOSS"), ("x-oss-request-id", request_id), ("x-oss-server-time", "1"))


def _verifier(request: WireRequest) -> Verifier | None:
    authorization = request.header("authorization") or ""
    for kind, verifier in HEADER_VERIFIERS:
        if authorization.startswith(kind):
            return verifier
    if authorization:
        return None
    query = {name: value or "" for name, value in query_pairs(request.query_string)}
    version = query.get("x-oss-signature-version")
    if version == "OSS2":
        return verify_oss_v2_url
    if version is not None or "x-oss-signature" in query:
        return verify_oss_v4_url
    if "OSSAccessKeyId" in query:
        return verify_oss_v1_url
    form = (request.header("content-type") or "").lower().startswith("multipart/form-data")
    return verify_oss_post if form and request.method == "POST" else None


def _post_object(call: StorageCall) -> WireResponse:
    form = parse_post_form(call.request)
    key = form.fields.get("key") if form else None
    if form is None or not key:
        raise StorageError("InvalidArgument", 400, "Bucket POST must contain a field named 'key'.")
    key = key.replace("${filename}", form.filename)
    headers = {name: value for name, value in form.fields.items() if name.startswith("x-oss-meta-")}
    headers["content-type"] = form.fields.get("content-type") or form.content_type
    stored = put_object(replace(call, key=key, body=form.file, headers=headers))
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
    return WireResponse(201, (*stored.headers, ("Content-Type", "application/xml")), document("PostResponse", content))
