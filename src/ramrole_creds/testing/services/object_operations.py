"""Operations on one object, multipart uploads aside."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_listing import acl_document
from ramrole_creds.testing.services.bucket_store import StoredObject, object_size
from ramrole_creds.testing.services.markup import xml_response
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decode
from ramrole_creds.testing.verify.times import http_time, utc_text

if TYPE_CHECKING:
    from ramrole_creds.testing.account.access import Access
    from ramrole_creds.testing.services.storage_call import StorageCall

VERSION_OF_SOURCE = "?versionId="


def put_object(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key`."""
    call.permit(*put_actions(call))
    require_no_callback(call)
    stored = replace(StoredObject.of(call.body, call.kept_headers(), call.now), tags=call.given_tags)
    with call.store.lock:
        _require_absent_if_asked(call)
        call.store.room.take(stored.size(call.key))
        call.bucket().objects[call.key] = stored
    return WireResponse(200, (("ETag", f'"{stored.etag}"'),))


def put_actions(call: StorageCall) -> tuple[str, ...]:
    """The actions that writing an object needs: one more where it gives tags or an ACL."""
    more = {"tagging": "PutObjectTagging", "object-acl": "PutObjectAcl"}
    return ("PutObject", *(action for header, action in more.items() if call.own_header(header)))


def require_no_callback(call: StorageCall) -> None:
    """Refuse an upload that asks for a callback, in its URL or in a header: the fake cloud calls nothing."""
    if "callback" in call.query or call.own_header("callback"):
        raise ServiceError("NotImplemented", "The fake cloud does not serve callbacks.", 501)


def copy_source(call: StorageCall) -> tuple[str, str]:
    """Bucket and key of the object to copy from; a `+` is a blank, as Go's clients write it."""
    source, _, _ = (call.own_header("copy-source") or "").partition(VERSION_OF_SOURCE)
    bucket, _, key = decode(source, plus_is_space=True).lstrip("/").partition("/")
    return bucket, key


def reads_of_source(call: StorageCall) -> list[Access]:
    """What reading the object to copy from needs."""
    read = call.needs("GetObject", *copy_source(call))
    if VERSION_OF_SOURCE not in (call.own_header("copy-source") or ""):
        return [read]
    return [read, call.needs("GetObjectVersion", *copy_source(call))]


def copy_object(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key` with a source header."""
    source_bucket, source_key = copy_source(call)
    call.permit(*reads_of_source(call), *put_actions(call))
    with call.store.lock:
        _require_absent_if_asked(call)
        bucket = call.store.find(source_bucket)
        source = bucket.objects.get(source_key) if bucket else None
        if source is None:
            raise no_such_key(source_key)
        replaced = (call.own_header("metadata-directive") or "COPY").upper() == "REPLACE"
        headers = call.kept_headers() if replaced else source.headers
        stored = StoredObject(source.body, headers, call.now, source.etag, source.kind)
        call.store.room.take(stored.size(call.key))
        call.bucket().objects[call.key] = stored
    content = {"LastModified": utc_text(stored.modified_at), "ETag": f'"{stored.etag}"'}
    return xml_response("CopyObjectResult", content, ("ETag", f'"{stored.etag}"'))


def append_object(call: StorageCall) -> WireResponse:
    """`POST /bucket/key?append&position=n`."""
    call.permit(*put_actions(call))
    position = call.query.get("position", "")
    with call.store.lock:
        objects = call.bucket().objects
        old = objects.get(call.key)
        if old is not None and old.kind != "Appendable":
            raise ServiceError("ObjectNotAppendable", "The object is not appendable", 409)
        length = len(old.body) if old else 0
        if position != str(length):
            raise ServiceError("PositionNotEqualToLength", "Position is not equal to file length", 409)
        headers, tags = (old.headers, old.tags) if old else (call.kept_headers(), call.given_tags)
        call.store.room.take(object_size(call.key, length + len(call.body), headers, tags))
        stored = StoredObject.of((old.body if old else b"") + call.body, headers, call.now, "Appendable")
        objects[call.key] = replace(stored, tags=tags)
    return WireResponse(
        200, (("ETag", f'"{stored.etag}"'), (f"{call.prefix}next-append-position", str(len(stored.body))))
    )


def get_object(call: StorageCall) -> WireResponse:
    """`GET` and `HEAD /bucket/key`, whole or in part."""
    call.permit("GetObject")
    stored = find_object(call)
    headers = _describe(call, stored)
    if _is_unchanged(call, stored):
        return WireResponse(304, tuple(headers))
    body, status = stored.body, 200
    wanted = _range(call, len(body))
    if wanted is not None:
        start, end = wanted
        headers.append(("Content-Range", f"bytes {start}-{end}/{len(body)}"))
        body, status = body[start : end + 1], 206
    return WireResponse(status, tuple(headers), body)


def get_object_meta(call: StorageCall) -> WireResponse:
    """`HEAD` and `GET /bucket/key?objectMeta`."""
    call.permit("GetObject")
    stored = find_object(call)
    headers = (
        ("ETag", f'"{stored.etag}"'),
        ("Last-Modified", formatdate(stored.modified_at, usegmt=True)),
        ("Content-Length", str(len(stored.body))),
    )
    return WireResponse(200, headers, stored.body if call.request.method == "HEAD" else b"")


def delete_object(call: StorageCall) -> WireResponse:
    """`DELETE /bucket/key`, also of a key that is not there."""
    call.permit("DeleteObject")
    with call.store.lock:
        call.bucket().objects.pop(call.key, None)
    return WireResponse(204)


def get_object_acl(call: StorageCall) -> WireResponse:
    """`GET /bucket/key?acl`."""
    call.permit("GetObjectAcl")
    find_object(call)
    return acl_document(call, "default")


def no_such_key(key: str) -> ServiceError:
    """The refusal of a key that is not there."""
    return ServiceError("NoSuchKey", "The specified key does not exist.", 404, extra=(("Key", key),))


def find_object(call: StorageCall) -> StoredObject:
    """The object of the call; the one that a symbolic link leads to."""
    with call.store.lock:
        objects = call.bucket().objects
        stored = objects.get(call.key)
        linked = objects.get(stored.target) if stored is not None and stored.target is not None else stored
    if stored is None:
        raise no_such_key(call.key)
    if linked is None:
        raise ServiceError("SymlinkTargetNotExist", "The symlink target object does not exist", 404)
    return linked


def _describe(call: StorageCall, stored: StoredObject) -> list[tuple[str, str]]:
    headers = dict(stored.headers)
    headers.setdefault("content-type", "application/octet-stream")
    overrides = {
        name.removeprefix("response-"): value for name, value in call.query.items() if name.startswith("response-")
    }
    headers |= {name: re.sub("[\r\n]", " ", value) for name, value in overrides.items()}
    described = [
        ((call.prefix + name) if name.startswith("meta-") else name.title(), value) for name, value in headers.items()
    ]
    described += [
        ("Accept-Ranges", "bytes"),
        ("ETag", f'"{stored.etag}"'),
        ("Last-Modified", formatdate(stored.modified_at, usegmt=True)),
    ]
    if call.prefix == "x-oss-":
        described += [("x-oss-object-type", stored.kind), ("x-oss-storage-class", "Standard")]
        if stored.kind == "Appendable":
            described.append(("x-oss-next-append-position", str(len(stored.body))))
    return described


def _range(call: StorageCall, length: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for the whole, which OSS also sends for a range it cannot satisfy."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", call.headers.get("range", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) if match[2] else length - 1, length - 1)
    else:
        start, end = max(length - int(match[2]), 0), length - 1
    if start <= end:
        return start, end
    if call.prefix == "x-amz-" or call.own_header("range-behavior") == "standard":
        raise ServiceError("InvalidRange", "The requested range cannot be satisfied.", 416)
    return None


def _is_unchanged(call: StorageCall, stored: StoredObject) -> bool:
    """Judge the conditions of a read: true where the reader has the object already."""
    match, none_match = call.headers.get("if-match"), call.headers.get("if-none-match")
    until = http_time(call.headers.get("if-unmodified-since", ""))
    since = http_time(call.headers.get("if-modified-since", ""))
    if match is not None and match.strip('"').upper() not in (stored.etag, "*"):
        raise _precondition_failed()
    if none_match is not None and none_match.strip('"').upper() in (stored.etag, "*"):
        return True
    if since is not None and stored.modified_at <= since:
        return True
    if until is not None and stored.modified_at > until + 1:
        raise _precondition_failed()
    return False


def _precondition_failed() -> ServiceError:
    return ServiceError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold.", 412)


def _require_absent_if_asked(call: StorageCall) -> None:
    forbidden = call.own_header("forbid-overwrite") == "true" or (
        call.prefix == "x-amz-" and call.headers.get("if-none-match") == "*"
    )
    if forbidden and call.key in call.bucket().objects:
        raise ServiceError(
            "FileAlreadyExists", "The object you specified already exists and can not be overwritten.", 409
        )
