"""The message authentication codes in the forms in which signatures carry them."""

from __future__ import annotations

from base64 import b64encode
from hmac import digest


def hmac_sha1(secret: str, text: str) -> str:
    """HMAC-SHA1 in base64."""
    return b64encode(digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode("ascii")


def hmac_sha256(secret: str, text: str) -> str:
    """HMAC-SHA256 in base64."""
    return b64encode(digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha256")).decode("ascii")
