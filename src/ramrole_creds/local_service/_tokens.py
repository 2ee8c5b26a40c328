"""Session tokens of the metadata protocol: signed, so that the service need not remember them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from ramrole_creds.credentials import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TTL_SECONDS = 21600
NONCE_BYTES = 12
EXPIRY_BYTES = 8
SIGNATURE_BYTES = 32
TOKEN_CHARACTERS = 4 * (-(-(NONCE_BYTES + EXPIRY_BYTES + SIGNATURE_BYTES) // 3))


class SessionTokens:
    """Issues and checks tokens; each process has its own key, so tokens end with it.

    Args:
        monotonic: seconds of a clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = sealed(secrets.token_bytes(32))

    def issue(self, ttl_seconds: int) -> str:
        """A token that lives so many seconds."""
        end = int((self._monotonic() + ttl_seconds) * 1000)
        content = secrets.token_bytes(NONCE_BYTES) + end.to_bytes(EXPIRY_BYTES, "big")
        return base64.urlsafe_b64encode(content + self._sign(content)).decode("ascii")

    def is_valid(self, token: str) -> bool:
        """True while a token of this process lives."""
        if len(token) != TOKEN_CHARACTERS or not token.isascii():
            return False
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            return False
        content, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(content)):
            return False
        return int.from_bytes(content[NONCE_BYTES:], "big") > self._monotonic() * 1000

    def _sign(self, content: bytes) -> bytes:
        return hmac.new(self._key(), content, hashlib.sha256).digest()


def parse_ttl(text: str) -> int | None:
    """The life asked for a token, None where it is not 1 to 21600 seconds."""
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    seconds = int(text)
    return seconds if 1 <= seconds <= MAX_TTL_SECONDS else None
