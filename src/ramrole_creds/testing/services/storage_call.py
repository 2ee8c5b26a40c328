"""One verified call to object storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ramrole_creds.testing.account.access import Access
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.access import Values
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.bucket_store import Bucket, BucketStore, StoredObject

KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
)
VERSION_OF_SOURCE = "?versionId="

# The actions that have another one beside them for versions: `GetObjectVersionAcl` for instance.
_VERSIONED = {"GetObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl"}
_VERSIONED |= {"GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"}


def actions_of(action: str, *, of_a_version: bool) -> list[str]:
    """The actions that a call needs.

    Known, from the page of each API of OSS: one of a version needs the permission for versions. Assumed: it needs the
    other one too.
    """
    versioned = of_a_version and action in _VERSIONED
    return [action, action.replace("Object", "ObjectVersion")] if versioned else [action]


@dataclass(frozen=True, slots=True)
class StorageCall:
    """What is asked, by whom, of which bucket and key.

    `prefix` begins the protocol's own headers: "x-oss-" or "x-amz-". `require` judges accesses, and raises
    `ServiceError` where one is denied.
    """

    request: WireRequest
    bucket_name: str | None
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    store: BucketStore
    caller: IssuedCredentials
    region: str
    prefix: str
    require: Callable[[list[Access]], None]

    @property
    def now(self) -> float:
        """Unix time of the request's arrival."""
        return self.request.at

    def own_header(self, name: str) -> str | None:
        """The value of the protocol's header `x-…-name`."""
        return self.headers.get(self.prefix + name)

    @property
    def given_tags(self) -> tuple[tuple[str, str], ...]:
        """The tags that the request gives to an object."""
        return tuple(parse_qsl(self.own_header("tagging") or "", keep_blank_values=True))

    def needs(self, action: str, bucket: str | None = None, key: str | None = None) -> Access:
        """An action of OSS on this call's bucket or object, or on another.

        Known, from "Policy syntax and elements" of OSS: an action on a bucket has `<bucket>` as its resource, one on
        an object `<bucket>/<key>`, and the listing of buckets `*`.
        """
        bucket = self.bucket_name if bucket is None else bucket
        key = self.key if key is None else key
        path = "*" if bucket is None else f"{bucket}/{key}" if key else bucket
        resource = f"acs:oss:oss-{self.region}:{self.caller.account_id}:{path}"
        return Access(f"oss:{action}", resource, self._conditions(action, bucket, key))

    def _conditions(self, action: str, bucket: str | None, key: str) -> dict[str, Values]:
        """The condition keys of OSS.

        Known, from "Policy syntax and elements" of OSS: the names, `oss:Prefix` and `oss:Delimiter` for listings,
        `oss:x-oss-acl` for the ACL of a bucket. Assumed: a tag that an object does not have is an absent key.
        """
        conditions: dict[str, Values] = {"acs:UserAgent": self.headers.get("user-agent", "")}
        if action == "ListObjects":
            conditions |= {"oss:Prefix": self.query.get("prefix", ""), "oss:Delimiter": self.query.get("delimiter", "")}
        if acl := self.own_header("acl"):
            conditions["oss:x-oss-acl"] = acl
        for name, value in self.given_tags:
            conditions[f"oss:RequestObjectTag/{name}"] = value
        stored = self.find(bucket, key)
        for name, value in () if stored is None else stored.tags:
            conditions[f"oss:ExistingObjectTag/{name}"] = value
        return conditions

    def permit(self, *accesses: str | Access) -> None:
        """Judge actions on this bucket or object, or other accesses, and refuse the call where one is denied."""
        needed: list[Access] = []
        for one in accesses:
            actions = actions_of(one, of_a_version="versionId" in self.query) if isinstance(one, str) else ()
            needed += [one] if isinstance(one, Access) else map(self.needs, actions)
        self.require(needed)

    @property
    def source(self) -> tuple[str, str]:
        """Bucket and key of the object to copy from; a `+` is a blank, as Go's clients write it."""
        source, _, _ = (self.own_header("copy-source") or "").partition(VERSION_OF_SOURCE)
        bucket, _, key = decode(source, plus_is_space=True).lstrip("/").partition("/")
        return bucket, key

    def reads_of_source(self) -> list[Access]:
        """What reading the object to copy from needs."""
        of_a_version = VERSION_OF_SOURCE in (self.own_header("copy-source") or "")
        return [self.needs(action, *self.source) for action in actions_of("GetObject", of_a_version=of_a_version)]

    def find(self, bucket: str | None, key: str) -> StoredObject | None:
        """The object of that bucket and key; None if it does not exist."""
        held = self.store.find(bucket or "")
        return None if held is None else held.objects.get(key)

    def keep(self, stored: StoredObject) -> None:
        """Store an object under the key of the call; whoever calls holds the store's lock."""
        self.store.room.take(stored.size(self.key))
        self.bucket().objects[self.key] = stored

    def bucket(self) -> Bucket:
        """The bucket that is asked for."""
        name = self.bucket_name or ""
        bucket = self.store.use(name, self.now)
        if bucket is None:
            raise ServiceError(
                "NoSuchBucket", "The specified bucket does not exist.", 404, extra=(("BucketName", name),)
            )
        return bucket

    def kept_headers(self) -> dict[str, str]:
        """The headers that are stored with an object, user metadata as `meta-…`."""
        meta = f"{self.prefix}meta-"
        kept = {name: one for name, one in self.headers.items() if name in KEPT_HEADERS or name.startswith(meta)}
        return {name.removeprefix(self.prefix): value for name, value in kept.items()}
