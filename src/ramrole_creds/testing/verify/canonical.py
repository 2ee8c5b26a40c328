"""The pieces that canonical forms are built of, read from the bytes of the wire.

Text stands for bytes here: UTF-8 where it is valid, lone surrogates where it is not, so that every byte the client
sent reaches the HMAC. `to_bytes` gives the bytes back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from ramrole_creds.testing.server.messages import WireRequest

Pair = tuple[str, str | None]


def to_bytes(text: str) -> bytes:
    """The bytes that `text` stands for."""
    return text.encode("utf-8", "surrogateescape")


def to_text(raw: bytes) -> str:
    """`raw` as text that `to_bytes` turns back into the same bytes."""
    return raw.decode("utf-8", "surrogateescape")


def from_wire(text: str) -> str:
    """A header value or target, which a server holds as Latin-1, read as the UTF-8 that the services take it for."""
    try:
        return to_text(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def encode(text: str, keep: str = "") -> str:
    """Percent-encode the UTF-8 bytes, unreserved characters and those in `keep` excepted."""
    return quote_from_bytes(to_bytes(text), safe="~" + keep)


def decode(text: str, *, plus_is_space: bool = False) -> str:
    """Undo percent-encoding once."""
    raw = to_bytes(from_wire(text))
    return to_text(unquote_to_bytes(raw.replace(b"+", b" ") if plus_is_space else raw))


def split_query(query: str) -> list[tuple[str, str | None]]:
    """The raw pairs of a query in their order; None is the value of a name without `=`."""
    pairs: list[tuple[str, str | None]] = []
    for part in query.split("&"):
        if part:
            name, equals, value = part.partition("=")
            pairs.append((name, value if equals else None))
    return pairs


def query_pairs(query: str, *, plus_is_space: bool = True) -> list[tuple[str, str | None]]:
    """The decoded pairs of a query; a raw `+` is a space, as the services' servers read it."""
    return [
        (
            decode(name, plus_is_space=plus_is_space),
            None if value is None else decode(value, plus_is_space=plus_is_space),
        )
        for name, value in split_query(query)
    ]


def header_map(request: WireRequest, join: Callable[[list[str]], str] = ",".join) -> dict[str, str]:
    """Stripped header values by lower-case name; `join` makes one of a repeated header's values."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name.lower(), []).append(from_wire(value).strip())
    return {name: each[0] if len(each) == 1 else join(each) for name, each in values.items()}


def header_lines(headers: Mapping[str, str], names: Iterable[str]) -> str:
    """`name:value` and a newline for each of `names` in byte order."""
    return "".join(f"{name}:{headers[name]}\n" for name in sorted(set(names), key=to_bytes))


def sorted_query(pairs: Iterable[Pair], *, equals: bool = False) -> str:
    """`?name=value&…` in byte order, nothing for no pairs; `equals` keeps the `=` of an empty value."""
    texts = sorted((to_bytes(name), f"{name}={value or ''}" if value or equals else name) for name, value in pairs)
    return "?" + "&".join(text for _, text in texts) if texts else ""


def encoded_query(query: str, *, without: str = "", bare: Container[str] | None = None) -> str:
    """The parameters percent-encoded and in byte order; an empty value of names in `bare`, or of all, has no `=`."""
    pairs = sorted((encode(name), encode(value or ""), name) for name, value in query_pairs(query) if name != without)
    return "&".join(
        name if not value and (bare is None or raw in bare) else f"{name}={value}" for name, value, raw in pairs
    )


def decimal(text: str) -> int | None:
    """The number that a text of ASCII digits stands for; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def hashed(head: str, canonical_requests: Iterable[str]) -> dict[str, str]:
    """Strings to sign of the V4 family: `head` and the hash of a canonical request, with that request."""
    return {head + sha256_hex(to_bytes(each)): each for each in canonical_requests}


def sha256_hex(data: bytes) -> str:
    """Lower-case hex of SHA-256."""
    return hashlib.sha256(data).hexdigest()


def hmac_sha1_base64(key: bytes, text: str) -> str:
    """Standard base64 of HMAC-SHA1."""
    return base64.b64encode(hmac.new(key, to_bytes(text), hashlib.sha1).digest()).decode()


def hmac_sha256(key: bytes, text: str) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, to_bytes(text), hashlib.sha256).digest()


def hmac_sha256_hex(key: bytes, text: str) -> str:
    """Lower-case hex of HMAC-SHA256."""
    return hmac_sha256(key, text).hex()


def hmac_sha256_base64(key: bytes, text: str) -> str:
    """Standard base64 of HMAC-SHA256."""
    return base64.b64encode(hmac_sha256(key, text)).decode()


def derived_key(prefix: str, secret: str, day: str, region: str, product: str, terminator: str) -> bytes:
    """The signing key of the V4 family, which is bound to a day, a region and a product."""
    key = to_bytes(prefix + secret)
    for step in (day, region, product, terminator):
        key = hmac_sha256(key, step)
    return key


def same(ours: str, theirs: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(to_bytes(ours), to_bytes(theirs))


def content_md5_matches(body: bytes, value: str) -> bool:
    """Whether `value` is the body's MD5 in one of the spellings in use: base64 or hex, of the digest or its hex."""
    digest = hashlib.md5(body)  # noqa: S324  # the protocols' checksum, no security rests on it
    spellings = {
        base64.b64encode(digest.digest()).decode(),
        base64.b64encode(digest.hexdigest().encode()).decode(),
        digest.hexdigest(),
    }
    return value in spellings or value.lower() == digest.hexdigest()
