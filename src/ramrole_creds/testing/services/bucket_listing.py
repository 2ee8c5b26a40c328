"""Listings of buckets, objects and uploads."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ramrole_creds.testing.services.markup import xml_response
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decimal
from ramrole_creds.testing.verify.times import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.server.messages import WireResponse
    from ramrole_creds.testing.services.bucket_store import Bucket, StoredObject
    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall

MAX_KEYS = 1000


def list_buckets(call: StorageCall) -> WireResponse:
    """`GET /` of the service."""
    call.permit("ListBuckets")
    with call.store.lock:
        buckets: list[Node] = [
            describe_bucket(call, bucket) | {"Region": call.region}
            for name in call.store.names()
            if (bucket := call.store.find(name)) and name.startswith(call.query.get("prefix", ""))
        ]
    content: dict[str, Node] = {"Owner": owner(call), "IsTruncated": "false", "Buckets": {"Bucket": buckets}}
    return xml_response("ListAllMyBucketsResult", content)


def describe_bucket(call: StorageCall, bucket: Bucket) -> dict[str, Node]:
    """What a listing and `?bucketInfo` say of a bucket."""
    return {
        "Name": bucket.name,
        "Location": f"oss-{call.region}",
        "CreationDate": utc_text(bucket.created_at),
        "StorageClass": "Standard",
        "ExtranetEndpoint": f"oss-{call.region}.aliyuncs.com",
        "IntranetEndpoint": f"oss-{call.region}-internal.aliyuncs.com",
    }


def list_objects(call: StorageCall) -> WireResponse:
    """`GET /bucket`, in the first and the second version of the listing."""
    call.permit("ListObjects")
    query, spell = call.query, _speller(call)
    second = query.get("list-type") == "2"
    limit = _max_keys(query.get("max-keys", "100" if call.prefix == "x-oss-" else "1000"))
    after = _second_start(call) if second else query.get("marker", "")
    with call.store.lock:
        bucket = call.bucket()
        page = _page(sorted(bucket.objects), query.get("prefix", ""), query.get("delimiter", ""), after, limit)
        contents: list[Node] = [_listed(call, key, bucket.objects[key]) for key in page.keys]
    content: dict[str, Node] = {"Name": call.bucket_name or "", "Prefix": spell(query.get("prefix", ""))}
    content |= _second_position(call, page) if second else _first_position(call, page)
    content |= {"MaxKeys": limit, "Delimiter": spell(query.get("delimiter", "")), "IsTruncated": page.truncated}
    content |= {"EncodingType": "url"} if query.get("encoding-type") == "url" else {}
    content |= {"Contents": contents, "CommonPrefixes": [{"Prefix": spell(each)} for each in page.prefixes]}
    return xml_response("ListBucketResult", content)


def _listed(call: StorageCall, key: str, stored: StoredObject) -> Node:
    content: dict[str, Node] = {
        "Key": _speller(call)(key),
        "LastModified": utc_text(stored.modified_at),
        "ETag": f'"{stored.etag}"',
        "Type": stored.kind,
        "Size": len(stored.body),
        "StorageClass": "Standard" if call.prefix == "x-oss-" else "STANDARD",
    }
    if call.query.get("list-type") != "2" or call.query.get("fetch-owner") == "true":
        content["Owner"] = owner(call)
    return content


def _first_position(call: StorageCall, page: _Page) -> dict[str, Node]:
    spell = _speller(call)
    next_marker: dict[str, Node] = {"NextMarker": spell(page.last)} if page.truncated else {}
    return {"Marker": spell(call.query.get("marker", "")), **next_marker}


def _second_position(call: StorageCall, page: _Page) -> dict[str, Node]:
    token = call.query.get("continuation-token", "")
    content: dict[str, Node] = {"StartAfter": _speller(call)(call.query.get("start-after", ""))}
    content["KeyCount"] = page.count
    if token:
        content["ContinuationToken"] = token
    if page.truncated:
        content["NextContinuationToken"] = base64.b64encode(page.last.encode()).decode()
    return content


def owner(call: StorageCall) -> Node:
    """The owner of everything: the account."""
    return {"ID": call.caller.account_id, "DisplayName": call.caller.account_id}


_S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'


def acl_document(call: StorageCall, acl: str) -> WireResponse:
    """The owner's ACL as the protocol of the call writes it: one word in OSS's, a grant in S3's."""
    if call.prefix == "x-oss-":
        content: dict[str, Node] = {"Owner": owner(call), "AccessControlList": {"Grant": acl}}
        return xml_response("AccessControlPolicy", content)
    grant: Node = {_GRANTEE: owner(call), "Permission": "FULL_CONTROL"}
    content = {"Owner": owner(call), "AccessControlList": {"Grant": grant}}
    return xml_response("AccessControlPolicy", content, namespace=_S3_NAMESPACE)


@dataclass(frozen=True, slots=True)
class _Page:
    keys: list[str]
    prefixes: list[str]
    last: str
    truncated: bool

    @property
    def count(self) -> int:
        return len(self.keys) + len(self.prefixes)


def _page(names: list[str], prefix: str, delimiter: str, after: str, limit: int) -> _Page:
    keys: list[str] = []
    prefixes: list[str] = []
    last = ""
    for name in names:
        if not name.startswith(prefix):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if cut < 0 else name[: cut + len(delimiter)]
        if entry <= after or (prefixes and entry == prefixes[-1]):
            continue
        if len(keys) + len(prefixes) == limit:
            return _Page(keys, prefixes, last, truncated=limit > 0)
        (keys if cut < 0 else prefixes).append(entry)
        last = entry
    return _Page(keys, prefixes, last, truncated=False)


def _speller(call: StorageCall) -> Callable[[str], str]:
    if call.query.get("encoding-type") == "url":
        return lambda text: quote(text.encode("utf-8", "surrogateescape"), safe="~")
    return lambda text: text


def _second_start(call: StorageCall) -> str:
    token = call.query.get("continuation-token", "")
    try:
        return base64.b64decode(token, validate=True).decode() or call.query.get("start-after", "")
    except (binascii.Error, ValueError):
        raise ServiceError("InvalidArgument", "The continuation token provided is incorrect.") from None


def _max_keys(text: str) -> int:
    number = decimal(text)
    if number is None or number > MAX_KEYS:
        raise ServiceError("InvalidArgument", f"max-keys must be 0 to {MAX_KEYS}.", 400)
    return number
