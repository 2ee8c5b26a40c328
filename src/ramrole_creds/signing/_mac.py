"""Message authentication codes in the forms that signatures have."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from ramrole_creds.signing._percent import to_bytes
from ramrole_creds.signing.body import new_hash

if TYPE_CHECKING:
    import hashlib

_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))


class KeyedHmac:
    """HMAC (RFC 2104) under one key, which is hashed in advance.

    OpenSSL takes longer to set up an HMAC than to hash the few hundred bytes of a string to sign; copying two hash
    states costs a third of that. It is as secret as the key: keep it no longer than the credentials.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, algorithm: str) -> None:
        self._inner: hashlib._Hash = new_hash(algorithm)
        self._outer: hashlib._Hash = new_hash(algorithm)
        block = self._inner.block_size
        if len(key) > block:
            hashed = new_hash(algorithm)
            hashed.update(key)
            key = hashed.digest()
        padded = key.ljust(block, b"\0")
        self._inner.update(padded.translate(_INNER_PAD))
        self._outer.update(padded.translate(_OUTER_PAD))

    def _finished(self, text: str) -> hashlib._Hash:
        inner = self._inner.copy()
        inner.update(to_bytes(text))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer

    def hex(self, text: str) -> str:
        """The code of `text` in hexadecimal."""
        return self._finished(text).hexdigest()

    def base64(self, text: str) -> str:
        """The code of `text` in base64."""
        return b64encode(self._finished(text).digest()).decode("ascii")

    def __repr__(self) -> str:
        return f"<HMAC-{self._inner.name.upper()} with its key>"
