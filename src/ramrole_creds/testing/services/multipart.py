"""Multipart uploads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_store import StoredObject, Upload, object_size
from ramrole_creds.testing.services.markup import texts, xml_response
from ramrole_creds.testing.services.object_operations import (
    find_source,
    put_actions,
    require_no_callback,
)
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decimal
from ramrole_creds.testing.verify.times import utc_text

if TYPE_CHECKING:
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall

MAX_PARTS = 10_000


def initiate_upload(call: StorageCall) -> WireResponse:
    """`POST /bucket/key?uploads`."""
    call.permit(*put_actions(call))
    with call.store.lock:
        upload = Upload(call.store.new_upload_id(), call.key, call.kept_headers())
        call.store.room.take(upload.size)
        call.bucket().uploads[upload.upload_id] = upload
    content = {"Bucket": call.bucket_name or "", "Key": call.key, "UploadId": upload.upload_id}
    return xml_response("InitiateMultipartUploadResult", content)


def upload_part(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key?partNumber=n&uploadId=id`, from the body or from another object."""
    source = call.own_header("copy-source")
    call.permit(*(() if source is None else call.reads_of_source()), "PutObject")
    number = decimal(call.query.get("partNumber", ""))
    if number is None or not 1 <= number <= MAX_PARTS:
        raise ServiceError("InvalidArgument", f"Part number must be an integer between 1 and {MAX_PARTS}.", 400)
    with call.store.lock:
        body = call.body if source is None else _copied(call)
        part = StoredObject.of(body, {}, call.now)
        call.store.room.take(part.size())
        _upload(call).parts[number] = part
    if source is None:
        return WireResponse(200, (part.etag_header,))
    content = {"LastModified": utc_text(call.now), "ETag": part.etag_header[1]}
    return xml_response("CopyPartResult", content)


def complete_upload(call: StorageCall) -> WireResponse:
    """`POST /bucket/key?uploadId=id`."""
    call.permit("PutObject")
    require_no_callback(call)
    with call.store.lock:
        upload = _upload(call)
        if (call.own_header("complete-all") or "").lower() == "yes":
            chosen = sorted(upload.parts)
        else:
            chosen = _chosen_parts(call, upload)
        parts = [upload.parts[number] for number in chosen]
        if not parts:
            raise ServiceError("InvalidPart", "An upload is completed with one part at least.", 400)
        length = sum(len(part.body) for part in parts)
        call.store.room.take(object_size(call.key, length, upload.headers))
        digests = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts))  # noqa: S324  # the protocol's
        etag = f"{digests.hexdigest().upper()}-{len(parts)}"
        body = b"".join(part.body for part in parts)
        bucket = call.bucket()
        stored = bucket.objects[call.key] = StoredObject(body, upload.headers, call.now, etag, "Multipart")
        del bucket.uploads[upload.upload_id]
    content = {
        "Location": f"http://{call.request.header('host') or ''}{call.request.path}",
        "Bucket": call.bucket_name or "",
        "Key": call.key,
        "ETag": stored.etag_header[1],
    }
    return xml_response("CompleteMultipartUploadResult", content, stored.etag_header)


def abort_upload(call: StorageCall) -> WireResponse:
    """`DELETE /bucket/key?uploadId=id`."""
    call.permit("AbortMultipartUpload")
    with call.store.lock:
        del call.bucket().uploads[_upload(call).upload_id]
    return WireResponse(204)


def list_parts(call: StorageCall) -> WireResponse:
    """`GET /bucket/key?uploadId=id`."""
    call.permit("ListParts")
    after = call.query.get("part-number-marker", "0")
    with call.store.lock:
        upload = _upload(call)
        parts: list[Node] = [
            {
                "PartNumber": number,
                "LastModified": utc_text(part.modified_at),
                "ETag": f'"{part.etag}"',
                "Size": len(part.body),
            }
            for number, part in sorted(upload.parts.items())
            if number > (decimal(after) or 0)
        ]
        last = max(upload.parts, default=0)
    content: dict[str, Node] = {
        "Bucket": call.bucket_name or "",
        "Key": call.key,
        "UploadId": upload.upload_id,
        "StorageClass": "Standard",
        "PartNumberMarker": after,
        "NextPartNumberMarker": last,
        "MaxParts": MAX_PARTS,
        "IsTruncated": "false",
        "Part": parts,
    }
    return xml_response("ListPartsResult", content)


def _upload(call: StorageCall) -> Upload:
    upload = call.bucket().uploads.get(call.query.get("uploadId", ""))
    if upload is None or upload.key != call.key:
        raise ServiceError(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
            404,
        )
    return upload


def _chosen_parts(call: StorageCall, upload: Upload) -> list[int]:
    numbers, etags = texts(call.body, "PartNumber"), texts(call.body, "ETag")
    chosen = [number for each in numbers if (number := decimal(each)) is not None]
    if not chosen or not len(chosen) == len(numbers) == len(etags):
        raise ServiceError("MalformedXML", "The XML you provided was not well-formed.", 400)
    if chosen != sorted(set(chosen)):
        raise ServiceError("InvalidPartOrder", "The list of parts was not in ascending order.", 400)
    known = {number: part.etag for number, part in upload.parts.items()}
    if any(known.get(number) != etag.strip('"').upper() for number, etag in zip(chosen, etags, strict=True)):
        raise ServiceError("InvalidPart", "One or more of the specified parts could not be found.", 400)
    return chosen


def _copied(call: StorageCall) -> bytes:
    body = find_source(call).body
    first, _, last = (call.own_header("copy-source-range") or "").removeprefix("bytes=").partition("-")
    start, end = decimal(first), decimal(last)
    return body if start is None or end is None else body[start : end + 1]
