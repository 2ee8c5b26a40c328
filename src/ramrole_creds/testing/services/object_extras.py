"""Tags and symbolic links of objects, and what the fake cloud verifies and judges but does not do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, unquote

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.bucket_store import StoredObject
from ramrole_creds.testing.services.markup import texts, xml_response
from ramrole_creds.testing.services.object_operations import find_object, no_such_key, put_actions
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall


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
        call.store.room.take(tagged.size(call.key))
        call.bucket().objects[call.key] = tagged


def put_symlink(call: StorageCall) -> WireResponse:
    """`PUT /bucket/key?symlink`."""
    call.permit(*put_actions(call))
    target = unquote(call.own_header("symlink-target") or "")
    if not target:
        raise ServiceError("InvalidArgument", "The header x-oss-symlink-target is missing.")
    link = replace(StoredObject.of(b"", call.kept_headers(), call.now, "Symlink"), target=target, tags=call.given_tags)
    with call.store.lock:
        call.store.room.take(link.size(call.key))
        call.bucket().objects[call.key] = link
    return WireResponse(200, (("ETag", f'"{link.etag}"'),))


def get_symlink(call: StorageCall) -> WireResponse:
    """`GET /bucket/key?symlink`."""
    call.permit("GetObject")
    with call.store.lock:
        link = call.bucket().objects.get(call.key)
    if link is None:
        raise no_such_key(call.key)
    if link.target is None:
        raise ServiceError("NotSymlink", "The object is not symlink")
    return WireResponse(200, ((f"{call.prefix}symlink-target", quote(link.target)), ("ETag", f'"{link.etag}"')))


def judged_only(sub_resource: str, action: str) -> Callable[[StorageCall], NoReturn]:
    """An operation that the fake cloud verifies and judges, and does not perform."""

    def refuse(call: StorageCall) -> NoReturn:
        call.permit(action)
        raise ServiceError("NotImplemented", f"The fake cloud does not serve ?{sub_resource}.", 501)

    return refuse
