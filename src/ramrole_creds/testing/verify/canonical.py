"""The pieces that canonical forms are built of, read from the bytes of the wire.

Text stands for bytes here: UTF-8 where it is valid, lone surrogates where it is not, so that every byte the client
sent reaches the HMAC. `to_bytes` gives the bytes back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ramrole_creds.testing.account.rsa_signature import PublicKey
    from ramrole_creds.testing.server.messages import WireRequest

Pair = tuple[str, str | None]
Mac = Callable[[str], str]


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


def split_query(query: str) -> list[Pair]:
    """The raw pairs of a query in their order; None is the value of a name without `=`."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(name, value if equals else None) for name, equals, value in parts]


def query_pairs(query: str) -> list[Pair]:
    """The decoded pairs of a query; a raw `+` is a space, as the services' servers read it."""
    return [
        (decode(name, plus_is_space=True), None if value is None else decode(value, plus_is_space=True))
        for name, value in split_query(query)
    ]


def sorted_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query in byte order; the value of a name without one is empty."""
    pairs = ((name, value or "") for name, value in query_pairs(query))
    return sorted(pairs, key=lambda pair: (to_bytes(pair[0]), to_bytes(pair[1])))


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


def sha256_hex(data: bytes) -> str:
    """Lower-case hex of SHA-256."""
    return hashlib.sha256(data).hexdigest()


def base64_mac(key: str | bytes, digest: str = "sha1") -> Mac:
    """Gives the HMAC of a text in standard base64."""
    return lambda text: base64.b64encode(_hmac(key, text, digest)).decode()


def hex_mac(key: str | bytes, digest: str = "sha256") -> Mac:
    """Gives the HMAC of a text in lower-case hex."""
    return lambda text: _hmac(key, text, digest).hex()


def rsa_mac(key: PublicKey, signature: str, read: Callable[[str], bytes]) -> Mac:
    """Gives the signature itself for the text that it signs: RSA can be checked without computing it."""

    def mac(text: str) -> str:
        try:
            return signature if key.verify(to_bytes(text), read(signature)) else ""
        except ValueError:
            return ""

    return mac


def derived_key(secret: str, *steps: str) -> bytes:
    """The signing key of the V4 family, which is bound to a day, a region and a product."""
    key = to_bytes(secret)
    for step in steps:
        key = _hmac(key, step, "sha256")
    return key


def _hmac(key: str | bytes, text: str, digest: str) -> bytes:
    return hmac.digest(key if isinstance(key, bytes) else to_bytes(key), to_bytes(text), digest)


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
