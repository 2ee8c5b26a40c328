"""The object storage endpoint: OSS's own protocol with signatures V1, V2, V4, signed URLs and upload forms."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import xml_response
from ramrole_creds.testing.services.object_operations import put_object
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.storage_service import StorageService
from ramrole_creds.testing.verify import oss_address, parse_post_form
from ramrole_creds.testing.verify.error_catalogs import OSS

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.signed_service import SignedCall
    from ramrole_creds.testing.services.storage_call import StorageCall
    from ramrole_creds.testing.verify import PostForm, Rejected


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
