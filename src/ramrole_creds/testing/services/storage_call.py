"""One verified call to object storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify import oss_address
from ramrole_creds.testing.verify.canonical import header_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.bucket_store import Bucket, BucketStore
    from ramrole_creds.testing.services.signed_service import SignedCall

KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
)


@dataclass(frozen=True, slots=True)
class StorageCall:
    """What is asked, by whom, of which bucket and key.

    `prefix` begins the protocol's own headers: "x-oss-" or "x-amz-".
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

    @classmethod
    def of(cls, call: SignedCall, store: BucketStore, prefix: str) -> StorageCall:
        """The call to storage that a signed call makes."""
        request, address = call.request, oss_address(call.request)
        region = (call.verdict.region or "cn-hangzhou").removeprefix("oss-")
        place = (request, address.bucket, address.key)
        return cls(*place, call.query, header_map(request), request.body, store, call.caller, region, prefix)

    @property
    def now(self) -> float:
        """Unix time of the request's arrival."""
        return self.request.at

    def own_header(self, name: str) -> str | None:
        """The value of the protocol's header `x-…-name`."""
        return self.headers.get(self.prefix + name)

    def permit(self, action: str) -> None:
        """Refuse a caller whose policies do not allow the action on this bucket or object now."""
        path = "" if self.bucket_name is None else self.bucket_name + (f"/{self.key}" if self.key else "")
        resource = f"acs:oss:oss-{self.region}:{self.caller.account_id}:{path or '*'}"
        if not self.caller.allows(f"oss:{action}", resource):
            raise ServiceError(
                "AccessDenied",
                "You have no right to access this object because of bucket acl."
                if self.key
                else "You do not have read or write permission on the bucket.",
                403,
                extra=(("AuthAction", f"oss:{action}"), ("EC", "0003-00000001")),
            )

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
        kept = {name: self.headers[name] for name in KEPT_HEADERS if name in self.headers}
        meta = self.prefix + "meta-"
        kept.update(
            {name.removeprefix(self.prefix): value for name, value in self.headers.items() if name.startswith(meta)}
        )
        return kept
