"""Operations on one object, its tags and symbolic links included; multipart uploads aside."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_listing import acl_document
from ramrole_creds.testing.services.bucket_store import StoredObject, object_size
from ramrole_creds.testing.services.markup import texts, xml_response
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.times import http_time, utc_text

if TYPE_CHECKING:
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall


def put_object(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key`."""
    call.permit(*put_actions(call))
    require_no_callback(call)
    stored = replace(StoredObject.of(call.body, call.kept_headers(), call.now), tags=call.given_tags)
    with call.store.lock:
        _require_absent_if_asked(call)
        call.keep(stored)
    return WireResponse(200, (stored.etag_header,))


def put_actions(call: StorageCall) -> tuple[str, ...]:
    """The actions that writing an object needs: one more where it gives tags or an ACL."""
    more = {"tagging": "PutObjectTagging", "object-acl": "PutObjectAcl"}
    return ("PutObject", *(action for header, action in more.items() if call.own_header(header)))


def require_no_callback(call: StorageCall) -> None:
    """Refuse an upload that asks for a callback, in its URL or in a header: the fake cloud calls nothing."""
    if "callback" in call.query or call.own_header("callback"):
        raise ServiceError("NotImplemented", "The fake cloud does not serve callbacks.", 501)


def copy_object(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key` with a source header."""
    call.permit(*call.reads_of_source(), *put_actions(call))
    with call.store.lock:
        _require_absent_if_asked(call)
        source = find_source(call)
        replaced = (call.own_header("metadata-directive") or "COPY").upper() == "REPLACE"
        headers = call.kept_headers() if replaced else source.headers
        stored = StoredObject(source.body, headers, call.now, source.etag, source.kind)
        call.keep(stored)
    content = {"LastModified": utc_text(stored.modified_at), "ETag": stored.etag_header[1]}
    return xml_response("CopyObjectResult", content, stored.etag_header)


def find_source(call: StorageCall) -> StoredObject:
    """The object to copy from."""
    source = call.find(*call.source)
    if source is None:
        raise no_such_key(call.source[1])
    return source


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
    return WireResponse(200, (stored.etag_header, (f"{call.prefix}next-append-position", str(len(stored.body)))))


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
    headers = (*_version_headers(stored), ("Content-Length", str(len(stored.body))))
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


def get_tagging(call: StorageCall) -> WireResponse:
    """`GET /bucket/key?tagging`."""
    call.permit("GetObjectTagging")
    tags: list[Node] = [{"Key": name, "Value": value} for name, value in find_object(call).tags]
    return xml_response("Tagging", {"TagSet": {"Tag": tags}})


def put_tagging(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key?tagging`."""
    call.permit("PutObjectTagging")
    names, values = texts(call.body, "Key"), texts(call.body, "Value")
    if len(names) != len(values):
        raise ServiceError("MalformedXML", "The XML you provided was not well-formed.")
    _set_tags(call, tuple(zip(names, values, strict=True)))
    return WireResponse(200)


def delete_tagging(call: StorageCall) -> WireResponse:
    """`DELETE /bucket/key?tagging`."""
    call.permit("DeleteObjectTagging")
    _set_tags(call, ())
    return WireResponse(204)


def _set_tags(call: StorageCall, tags: tuple[tuple[str, str], ...]) -> None:
    with call.store.lock:
        find_object(call)
        tagged = replace(call.bucket().objects[call.key], tags=tags)  # of a symbolic link itself
        call.keep(tagged)


def put_symlink(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key?symlink`."""
    call.permit(*put_actions(call))
    target = unquote(call.own_header("symlink-target") or "")
    if not target:
        raise ServiceError("InvalidArgument", "The header x-oss-symlink-target is missing.")
    link = replace(StoredObject.of(b"", call.kept_headers(), call.now, "Symlink"), target=target, tags=call.given_tags)
    with call.store.lock:
        call.keep(link)
    return WireResponse(200, (link.etag_header,))


def get_symlink(call: StorageCall) -> WireResponse:
    """`GET /bucket/key?symlink`."""
    call.permit("GetObject")
    with call.store.lock:
        link = call.bucket().objects.get(call.key)
    if link is None:
        raise no_such_key(call.key)
    if link.target is None:
        raise ServiceError("NotSymlink", "The object is not symlink")
    return WireResponse(200, ((f"{call.prefix}symlink-target", quote(link.target)), link.etag_header))


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
    headers = {"content-type": "application/octet-stream", **stored.headers}
    for name, value in call.query.items():
        if name.startswith("response-"):
            headers[name.removeprefix("response-")] = re.sub("[\r\n]", " ", value)
    described = [
        ((call.prefix + name) if name.startswith("meta-") else name.title(), value) for name, value in headers.items()
    ]
    described += [("Accept-Ranges", "bytes"), *_version_headers(stored)]
    if call.prefix == "x-oss-":
        described += [("x-oss-object-type", stored.kind), ("x-oss-storage-class", "Standard")]
        if stored.kind == "Appendable":
            described.append(("x-oss-next-append-position", str(len(stored.body))))
    return described


def _version_headers(stored: StoredObject) -> tuple[tuple[str, str], ...]:
    return stored.etag_header, ("Last-Modified", formatdate(stored.modified_at, usegmt=True))


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
