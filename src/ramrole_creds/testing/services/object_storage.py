"""The operations of object storage, on requests whose signature is right.

Both protocols of the service lead here, OSS's own and the S3-compatible one; only their header names differ.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NoReturn

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services import multipart, object_operations
from ramrole_creds.testing.services.bucket_listing import (
    acl_document,
    describe_bucket,
    list_buckets,
    list_objects,
    owner,
)
from ramrole_creds.testing.services.markup import texts, xml_response
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.storage_call import actions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall

    Operation = Callable[[StorageCall], WireResponse]


def perform(call: StorageCall) -> WireResponse:
    """Perform the operation that the call names.

    Raises:
        ServiceError: the storage refuses; nothing was changed.
    """
    _require_digest(call)
    operation: Operation | None
    if call.bucket_name is None:
        operation = list_buckets if call.request.method == "GET" else None
    elif not call.key:
        operation = _chosen(call, _BUCKET_OPERATIONS)
    elif call.own_header("copy-source") and call.request.method == "PUT" and "uploadId" not in call.query:
        operation = object_operations.copy_object
    else:
        operation = _chosen(call, _OBJECT_OPERATIONS)
    if operation is None:
        raise ServiceError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    return operation(call)


def _create_bucket(call: StorageCall) -> WireResponse:
    call.permit("PutBucket")
    call.store.create(call.bucket_name or "", call.now)
    return WireResponse(200, (("Location", f"/{call.bucket_name}"),))


def _delete_bucket(call: StorageCall) -> WireResponse:
    call.permit("DeleteBucket")
    with call.store.lock:
        bucket = call.bucket()
        if bucket.objects or bucket.uploads:
            raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty.", 409)
        call.store.delete(bucket.name)
    return WireResponse(204)


def _head_bucket(call: StorageCall) -> WireResponse:
    call.permit("GetBucketInfo")
    call.bucket()
    return WireResponse(200, ((f"{call.prefix}bucket-region", call.region),))


def _bucket_location(call: StorageCall) -> WireResponse:
    call.permit("GetBucketLocation")
    call.bucket()
    return xml_response("LocationConstraint", f"oss-{call.region}")


def _bucket_acl(call: StorageCall) -> WireResponse:
    call.permit("GetBucketAcl")
    call.bucket()
    return acl_document(call, "private")


def _bucket_info(call: StorageCall) -> WireResponse:
    call.permit("GetBucketInfo")
    bucket = call.bucket()
    more: dict[str, Node] = {"Owner": owner(call), "AccessControlList": {"Grant": "private"}}
    return xml_response("BucketInfo", {"Bucket": {**describe_bucket(call, bucket), **more}})


def _delete_objects(call: StorageCall) -> WireResponse:
    keys = texts(call.body, "Key")
    if not keys:
        raise ServiceError("MalformedXML", "The XML you provided was not well-formed.", 400)
    actions = actions_of("DeleteObject", of_a_version=bool(texts(call.body, "VersionId")))
    call.permit(*(call.needs(action, key=key) for key in keys for action in actions))
    with call.store.lock:
        for key in keys:
            call.bucket().objects.pop(key, None)
    quiet = "true" in texts(call.body, "Quiet")
    deleted: list[Node] = [] if quiet else [{"Key": key} for key in keys]
    return xml_response("DeleteResult", {"Deleted": deleted})


def _judged_only(sub_resource: str, action: str) -> Callable[[StorageCall], NoReturn]:
    """An operation that the fake cloud verifies and judges, and does not perform."""

    def refuse(call: StorageCall) -> NoReturn:
        call.permit(action)
        raise ServiceError("NotImplemented", f"The fake cloud does not serve ?{sub_resource}.", 501)

    return refuse


# The first whose sub-resource the query has; "" stands for a query without any.
_BUCKET_OPERATIONS: Mapping[str, tuple[tuple[str, Operation], ...]] = {
    "GET": (
        ("location", _bucket_location),
        ("acl", _bucket_acl),
        ("bucketInfo", _bucket_info),
        ("uploads", _judged_only("uploads", "ListMultipartUploads")),
        ("", list_objects),
    ),
    "HEAD": (("", _head_bucket),),
    "PUT": (("acl", _judged_only("acl", "PutBucketAcl")), ("", _create_bucket)),
    "DELETE": (("", _delete_bucket),),
    "POST": (("delete", _delete_objects),),
}
_OBJECT_OPERATIONS: Mapping[str, tuple[tuple[str, Operation], ...]] = {
    "GET": (
        ("acl", object_operations.get_object_acl),
        ("objectMeta", object_operations.get_object_meta),
        ("uploadId", multipart.list_parts),
        ("tagging", object_operations.get_tagging),
        ("symlink", object_operations.get_symlink),
        ("x-oss-process", _judged_only("x-oss-process", "GetObject")),
        ("", object_operations.get_object),
    ),
    "HEAD": (("objectMeta", object_operations.get_object_meta), ("", object_operations.get_object)),
    "PUT": (
        ("acl", _judged_only("acl", "PutObjectAcl")),
        ("uploadId", multipart.upload_part),
        ("tagging", object_operations.put_tagging),
        ("symlink", object_operations.put_symlink),
        ("", object_operations.put_object),
    ),
    "POST": (
        ("uploads", multipart.initiate_upload),
        ("uploadId", multipart.complete_upload),
        ("append", object_operations.append_object),
    ),
    "DELETE": (
        ("uploadId", multipart.abort_upload),
        ("tagging", object_operations.delete_tagging),
        ("", object_operations.delete_object),
    ),
}
# Sub-resources that are known and not served: to answer as if they were not there would be a lie.
_UNSERVED = frozenset(
    """
    cname comp cors encryption inventory lifecycle live logging metaQuery policy qos referer replication requestPayment
    resourceGroup restore stat style transferAcceleration versioning versions vod website worm x-oss-async-process
    """.split()  # noqa: SIM905  # a table reads best as a table
)
# Served for objects only.
_UNSERVED_OF_BUCKETS = _UNSERVED | {"tagging", "symlink", "x-oss-process", "callback"}


def _chosen(call: StorageCall, operations: Mapping[str, tuple[tuple[str, Operation], ...]]) -> Operation | None:
    for name in call.query:
        if name in (_UNSERVED if call.key else _UNSERVED_OF_BUCKETS):
            raise ServiceError("NotImplemented", f"The fake cloud does not serve ?{name}.", 501)
    for name, operation in operations.get(call.request.method, ()):
        if name and name in call.query:
            return operation
        if not name:
            _refuse_sub_resources(call, operations)
            return operation
    return None


def _refuse_sub_resources(call: StorageCall, operations: Mapping[str, tuple[tuple[str, Operation], ...]]) -> None:
    """Refuse a sub-resource that is served with other methods only: without it the call would do something else."""
    served = {name for each in operations.values() for name, _ in each if name}
    for name in served.intersection(call.query):
        message = f"The fake cloud does not serve {call.request.method} with ?{name}."
        raise ServiceError("NotImplemented", message, 501)


def _require_digest(call: StorageCall) -> None:
    given = call.headers.get("content-md5")
    if given is not None:
        digest = hashlib.md5(call.request.body).digest()  # noqa: S324  # the protocol's checksum
        if given != base64.b64encode(digest).decode():
            raise ServiceError("InvalidDigest", "The Content-MD5 you specified was invalid.", 400)
