"""Buckets, objects and uploads in progress: what the object storage endpoints serve."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ramrole_creds.testing.services.room import ENTRY_BYTES, Room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

MAX_STORED_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object.

    `headers` are those given with it (Content-Type, user metadata), in lower case; `target` is the key that a symbolic
    link leads to.
    """

    body: bytes
    headers: Mapping[str, str]
    modified_at: float
    etag: str
    kind: str = "Normal"
    tags: tuple[tuple[str, str], ...] = ()
    target: str | None = None

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str], now: float, kind: str = "Normal") -> StoredObject:
        """An object whose ETag is the MD5 of its body, as on the service."""
        return cls(body, dict(headers), now, hashlib.md5(body).hexdigest().upper(), kind)  # noqa: S324  # the protocol's

    @property
    def etag_header(self) -> tuple[str, str]:
        """The ETag header of answers about it."""
        return "ETag", f'"{self.etag}"'

    def size(self, key: str = "") -> int:
        """What it takes of the store's room."""
        return object_size(key, len(self.body), self.headers, self.tags) + len(self.target or "")


def object_size(key: str, length: int, headers: Mapping[str, str], tags: Iterable[tuple[str, str]] = ()) -> int:
    """What an object with a body of that length takes of the store's room."""
    return ENTRY_BYTES + len(key) + length + sum(len(name) + len(value) for name, value in (*headers.items(), *tags))


@dataclass(slots=True)
class Upload:
    """A multipart upload that is not complete yet."""

    upload_id: str
    key: str
    headers: Mapping[str, str]
    parts: dict[int, StoredObject] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """What it takes of the store's room without its parts."""
        return object_size(self.key, 0, self.headers)


@dataclass(slots=True)
class Bucket:
    """One bucket."""

    name: str
    created_at: float
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


class BucketStore:
    """All buckets of the fake cloud, shared by its two protocols.

    The first use of a bucket creates it, so that a test need not; one that was deleted is gone until
    it is created again. Whoever uses a bucket holds `lock`.
    """

    def __init__(self) -> None:
        self.lock: AbstractContextManager[bool] = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._deleted: set[str] = set()
        self._uploads = 0
        self.room: Room = Room(self._sizes, "EntityTooLarge", MAX_STORED_BYTES)

    def names(self) -> list[str]:
        """The names of the buckets in their order."""
        with self.lock:
            return sorted(self._buckets)

    def find(self, name: str) -> Bucket | None:
        """The bucket; None where it was never used or was deleted."""
        with self.lock:
            return self._buckets.get(name)

    def use(self, name: str, now: float) -> Bucket | None:
        """The bucket, made at its first use; None for one that was deleted."""
        with self.lock:
            return None if name in self._deleted else self.create(name, now)

    def create(self, name: str, now: float) -> Bucket:
        """The bucket, made where there is none, deleted or not."""
        with self.lock:
            if name not in self._buckets:
                self.room.take(ENTRY_BYTES + len(name))
                self._deleted.discard(name)
                self._buckets[name] = Bucket(name, now)
            return self._buckets[name]

    def delete(self, name: str) -> None:
        """Forget the bucket."""
        with self.lock:
            self._buckets.pop(name, None)
            self._deleted.add(name)

    def _sizes(self) -> Iterator[int]:
        yield from (ENTRY_BYTES + len(name) for name in (*self._buckets, *self._deleted))
        for bucket in self._buckets.values():
            yield from (one.size(key) for key, one in bucket.objects.items())
            for upload in bucket.uploads.values():
                yield upload.size
                yield from (part.size() for part in upload.parts.values())

    def new_upload_id(self) -> str:
        """An id for an upload, 32 upper-case hex digits as the service makes them."""
        with self.lock:
            self._uploads += 1
            return f"{self._uploads:032X}"
