"""SHA256withRSA (PKCS#1 v1.5) in plain Python: enough for test tokens, and nothing to install.

Neither constant-time nor fast; the key in here is public and secures nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

# DigestInfo of SHA-256, RFC 8017 section 9.2.
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
_INTEGER = 0x02
_BIT_STRING = 0x03
_SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An RSA public key."""

    modulus: int
    exponent: int = 65537

    @classmethod
    def from_pem(cls, pem: str) -> PublicKey:
        """Read a PEM block, `PUBLIC KEY` or `RSA PUBLIC KEY`; the bare base64 of one will do.

        Raises:
            ValueError: it is not an RSA public key.
        """
        text = re.sub(r"-----[^-]+-----|\s", "", pem)
        try:
            tag, content, _ = _element(base64.b64decode(text, validate=True))
            first, inner, rest = _element(content)
            if tag == _SEQUENCE and first == _SEQUENCE:  # algorithm identifier, then the key in a bit string
                kind, bits, _ = _element(rest)
                if kind != _BIT_STRING:
                    raise ValueError(kind)  # noqa: TRY301  # all faults of form end in one error
                _, content, _ = _element(bits[1:])
                first, inner, rest = _element(content)
            second, exponent, _ = _element(rest)
            if (first, second) != (_INTEGER, _INTEGER):
                raise ValueError(first)  # noqa: TRY301  # as above
        except (ValueError, IndexError):
            raise ValueError("The text is not an RSA public key in PEM form.") from None
        return cls(int.from_bytes(inner, "big"), int.from_bytes(exponent, "big"))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """True when the signature is the key owner's."""
        size = (self.modulus.bit_length() + 7) // 8
        if len(signature) != size:
            return False
        opened = pow(int.from_bytes(signature, "big"), self.exponent, self.modulus)
        return opened.to_bytes(size, "big") == _padded(message, size)


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """An RSA private key for tests."""

    public: PublicKey
    secret: int

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        size = (self.public.modulus.bit_length() + 7) // 8
        value = pow(int.from_bytes(_padded(message, size), "big"), self.secret, self.public.modulus)
        return value.to_bytes(size, "big")


def _padded(message: bytes, size: int) -> bytes:
    digest = _SHA256_PREFIX + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and rest of the first DER element."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < start + length:
        raise ValueError("cut short")
    return tag, data[start : start + length], data[start + length :]
