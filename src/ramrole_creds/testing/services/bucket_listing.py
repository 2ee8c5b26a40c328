"""Listings of buckets, objects and uploads."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.markup import document
from ramrole_creds.testing.services.storage_call import StorageError
from ramrole_creds.testing.verify.verification import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.services.markup import Node
    from ramrole_creds.testing.services.storage_call import StorageCall

XML = ("Content-Type", "application/xml")
MAX_KEYS = 1000


def list_buckets(call: StorageCall) -> WireResponse:
    """`GET /` of the service."""
    call.permit("ListBuckets")
    with call.store.lock:
        buckets: list[Node] = [
            {
                "Name": name,
                "Location": f"oss-{call.region}",
                "Region": call.region,
                "CreationDate": utc_text(bucket.created_at),
                "StorageClass": "Standard",
                "ExtranetEndpoint": f"oss-{call.region}.aliyuncs.com",
                "IntranetEndpoint": f"oss-{call.region}-internal.aliyuncs.com",
            }
            for name in call.store.names()
            if (bucket := call.store.find(name)) and name.startswith(call.query.get("prefix", ""))
        ]
    content: dict[str, Node] = {"Owner": owner(call), "IsTruncated": "false", "Buckets": {"Bucket": buckets}}
    return WireResponse(200, (XML,), document("ListAllMyBucketsResult", content))


def list_objects(call: StorageCall) -> WireResponse:
    """`GET /bucket`, in the first and the second version of the listing."""
    call.permit("ListObjects")
    second = call.query.get("list-type") == "2"
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    limit = _max_keys(call.query.get("max-keys", "100" if call.prefix == "x-oss-" else "1000"))
    token = call.query.get("continuation-token", "")
    after = (_after(token) or call.query.get("start-after", "")) if second else call.query.get("marker", "")
    spell = _speller(call)
    with call.store.lock:
        page = _page(sorted(call.bucket().objects), prefix, delimiter, after, limit)
        objects = call.bucket().objects
        contents: list[Node] = [
            {
                "Key": spell(key),
                "LastModified": utc_text(objects[key].modified_at),
                "ETag": f'"{objects[key].etag}"',
                "Type": objects[key].kind,
                "Size": len(objects[key].body),
                "StorageClass": "Standard" if call.prefix == "x-oss-" else "STANDARD",
                **({"Owner": owner(call)} if not second or call.query.get("fetch-owner") == "true" else {}),
            }
            for key in page.keys
        ]
    content: dict[str, Node] = {"Name": call.bucket_name or "", "Prefix": spell(prefix)}
    if second:
        content |= {"StartAfter": spell(call.query.get("start-after", "")), "KeyCount": page.count}
        content |= {"ContinuationToken": token} if token else {}
        content |= {"NextContinuationToken": base64.b64encode(page.last.encode()).decode()} if page.truncated else {}
    else:
        content |= {"Marker": spell(after)}
        content |= {"NextMarker": spell(page.last)} if page.truncated else {}
    content |= {"MaxKeys": limit, "Delimiter": spell(delimiter), "IsTruncated": str(page.truncated).lower()}
    content |= {"EncodingType": "url"} if call.query.get("encoding-type") == "url" else {}
    content |= {"Contents": contents, "CommonPrefixes": [{"Prefix": spell(each)} for each in page.prefixes]}
    return WireResponse(200, (XML,), document("ListBucketResult", content))


def list_uploads(call: StorageCall) -> WireResponse:
    """`GET /bucket?uploads`."""
    call.permit("ListMultipartUploads")
    spell = _speller(call)
    with call.store.lock:
        uploads: list[Node] = [
            {"Key": spell(upload.key), "UploadId": upload.upload_id, "Initiated": utc_text(upload.started_at)}
            for upload in call.bucket().uploads.values()
            if upload.key.startswith(call.query.get("prefix", ""))
        ]
    content: dict[str, Node] = {
        "Bucket": call.bucket_name or "",
        "KeyMarker": "",
        "UploadIdMarker": "",
        "NextKeyMarker": "",
        "NextUploadIdMarker": "",
        "MaxUploads": MAX_KEYS,
        "IsTruncated": "false",
        "Upload": uploads,
    }
    return WireResponse(200, (XML,), document("ListMultipartUploadsResult", content))


def owner(call: StorageCall) -> Node:
    """The owner of everything: the account."""
    return {"ID": call.caller.account_id, "DisplayName": call.caller.account_id}


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


def _after(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError):
        raise StorageError("InvalidArgument", 400, "The continuation token provided is incorrect.") from None


def _max_keys(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_KEYS:
        raise StorageError("InvalidArgument", 400, f"max-keys must be 0 to {MAX_KEYS}.")
    return int(text)
