"""Percent-encoding as the signature rules define it: UTF-8, upper-case hex, `A-Z a-z 0-9 - _ . ~` kept.

Decoding turns bytes that are not UTF-8 into lone surrogates, so that decoding and encoding again returns the bytes
that were on the wire.
"""

from __future__ import annotations

import re

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_ENCODED_BYTE = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_ENCODED_PATH_BYTE = tuple("/" if byte == 0x2F else text for byte, text in enumerate(_ENCODED_BYTE))

_ENCODED_ASCII = dict(enumerate(_ENCODED_BYTE[:128]))
_ENCODED_PATH_ASCII = dict(enumerate(_ENCODED_PATH_BYTE[:128]))

# Text that encoding would not change, so that it need not be decoded first. The hex pairs left out are those of
# unreserved characters, which must not be encoded, and in a path that of the slash.
_ESCAPE = "[0189A-F][0-9A-F]|3[A-F]|[46]0|5[B-E]|7[BCDF]"
_PLAIN = r"[A-Za-z0-9\-_.~]*"
_TEXT = rf"{_PLAIN}(?:%(?:{_ESCAPE}|2[0-9A-CF]){_PLAIN})*"
is_encoded_query = re.compile(rf"(?=[^&]){_TEXT}(?:={_TEXT})?(?:&(?=[^&]){_TEXT}(?:={_TEXT})?)*").fullmatch
"""Matches a query of encoded names and `name=value` pairs, none of them empty."""
is_encoded_path = re.compile(rf"[A-Za-z0-9\-_.~/]*(?:%(?:{_ESCAPE}|2[0-9A-C])[A-Za-z0-9\-_.~/]*)*").fullmatch
"""Matches an encoded path."""


def encode(text: str) -> str:
    """`text` with everything but unreserved characters encoded; a space is `%20`, a slash `%2F`."""
    if text.isascii():
        return text.translate(_ENCODED_ASCII)
    return "".join([_ENCODED_BYTE[byte] for byte in text.encode("utf-8", "surrogateescape")])


def encode_path(text: str) -> str:
    """Like `encode`, with slashes kept."""
    if text.isascii():
        return text.translate(_ENCODED_PATH_ASCII)
    return "".join([_ENCODED_PATH_BYTE[byte] for byte in text.encode("utf-8", "surrogateescape")])


def decode(text: str) -> str:
    """`text` percent-decoded; `+` stays `+`."""
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text, errors="surrogateescape")


def to_bytes(text: str) -> bytes:
    """The bytes that `text` has on the wire."""
    return text.encode("utf-8", "surrogateescape")
