"""The body of a request and its digests.

Bytes are hashed as they are. A file is hashed from its current position and then rewound to it, so that the HTTP
client sends what was signed. An iterator can be read only once: schemes that cover the body refuse it, the others
(OSS, Function Compute, MaxCompute, ROA, RPC) accept it.
"""

from __future__ import annotations

import hashlib
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from ramrole_creds.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias, TypeGuard

CHUNK_BYTES = 1 << 20


class BinaryFile(Protocol):
    """An open binary file that can be read twice."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; the rest of the file for -1."""

    def tell(self) -> int:
        """The position of the next read."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position of the next read."""


if TYPE_CHECKING:
    Body: TypeAlias = bytes | BinaryFile | Iterable[bytes]
    BodyLike: TypeAlias = Body | str | bytearray | memoryview


def as_body(body: BodyLike | None) -> Body | None:
    """The body as a request keeps it: text as UTF-8, mutable bytes copied, streams as they are.

    Raises:
        SigningError: an HTTP client cannot send a body of this type.
    """
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read") or (hasattr(body, "__iter__") and not isinstance(body, dict)):
        return body
    raise SigningError(
        f"A body of type {type(body).__name__} cannot be signed. Pass bytes, str, a binary file or an iterable "
        "of bytes; encode JSON and forms first, so that what is signed is what is sent."
    )


def is_empty(body: Body | None) -> bool:
    """True when there is nothing to send; a stream counts as not empty."""
    return body is None or body == b""


def is_seekable(body: Body | None) -> TypeGuard[BinaryFile]:
    """True for a file that can be read, rewound and read again."""
    if not hasattr(body, "read") or not hasattr(body, "seek") or not hasattr(body, "tell"):
        return False
    seekable = getattr(body, "seekable", None)
    return seekable is None or bool(seekable())


def digest(body: Body | None, algorithm: str) -> bytes:
    """The digest of the body; see `hex_digest`."""
    return bytes.fromhex(hex_digest(body, algorithm))


def hex_digest(body: Body | None, algorithm: str) -> str:
    """The digest of the body in hexadecimal.

    Args:
        body: bytes, or a file, which is rewound to where it was.
        algorithm: a name of hashlib ("sha256", "md5", "sm3").

    Raises:
        SigningError: the body can be read only once, the file is in text mode, or this Python lacks the algorithm.
    """
    if body is None:
        body = b""
    if isinstance(body, bytes):
        if algorithm == "sha256":
            return sha256(body).hexdigest()
        hasher = new_hash(algorithm)
        hasher.update(body)
        return hasher.hexdigest()
    if not is_seekable(body):
        raise SigningError(
            "This scheme signs the body, and this body can be read only once: signing it would leave nothing to send. "
            "Pass bytes or a seekable file, or use a scheme that does not sign the body (OSSV1, OSSV4)."
        )
    hasher = new_hash(algorithm)
    start = body.tell()
    try:
        while chunk := body.read(CHUNK_BYTES):
            if not isinstance(chunk, bytes):
                raise SigningError("The body is a file in text mode. Open it with mode 'rb'.")
            hasher.update(chunk)
    finally:
        body.seek(start)
    return hasher.hexdigest()


def new_hash(algorithm: str) -> hashlib._Hash:
    """A hash object; MD5 counts as "not for security", so that it works on FIPS systems too.

    Raises:
        SigningError: this Python's OpenSSL lacks the algorithm.
    """
    try:
        return hashlib.new(algorithm, usedforsecurity=False)
    except (ValueError, TypeError) as error:
        raise SigningError(
            f"This Python's OpenSSL does not support {algorithm.upper()}. Use a build of OpenSSL 1.1.1 or later that "
            "does, or a SHA-2 algorithm."
        ) from error


def length(body: Body | None) -> int:
    """The length of the body in bytes.

    Raises:
        SigningError: the body is a stream of unknown length.
    """
    if body is None:
        return 0
    if isinstance(body, bytes):
        return len(body)
    if not is_seekable(body):
        raise SigningError(
            "The length of the body is signed, and the length of this body is unknown. Pass bytes or a seekable file."
        )
    start = body.tell()
    end = body.seek(0, 2)
    body.seek(start)
    return end - start
