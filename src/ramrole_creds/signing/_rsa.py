"""Signatures with an RSA private key, which takes the place of the secret. Needs the extra `rsa`."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from ramrole_creds.errors import SigningError, install_command
from ramrole_creds.signing._percent import to_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_pem_lines = re.compile(r"-----(?:BEGIN|END) [A-Z ]{1,40}-----|\s")


class RsaKey:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017) under one key. Keep it no longer than the credentials.

    Args:
        private_key: PKCS#8 or PKCS#1 in base64, with or without the lines of PEM.

    Raises:
        SigningError: it is not an RSA private key, or cryptography is not installed.
    """

    __slots__ = ("_key",)

    def __init__(self, private_key: str) -> None:
        self._key: RSAPrivateKey = _load(private_key)

    def hex(self, text: str) -> str:
        """The signature of `text` in hexadecimal."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return self._key.sign(to_bytes(text), padding.PKCS1v15(), hashes.SHA256()).hex()


def _load(private_key: str) -> RSAPrivateKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_der_private_key
    except ImportError:
        raise SigningError(
            f"Signing with an RSA key needs the package cryptography: {install_command('rsa')}."
        ) from None
    try:
        key = load_der_private_key(b64decode(_pem_lines.sub("", private_key), validate=True), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SigningError(
            "The access_key_secret is not an RSA private key without a passphrase. For ACS3-RSA-SHA256 it must be the "
            "base64 of one (PKCS#8 or PKCS#1) in one line, and the access_key_id the ID of its public key."
        )
    return key
