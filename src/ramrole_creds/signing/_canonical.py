"""Canonical forms that several schemes share: of the query, the path and sets of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.signing._percent import decode, encode, encode_path, is_encoded_path, is_encoded_query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.signing.request import Request


def query_pairs(query: str) -> list[tuple[str, str, str]]:
    """The decoded parameters in their order: name, "=" or "" for a bare name, value."""
    pairs = []
    for text in query.split("&"):
        name, equals, value = text.partition("=")
        if text:
            pairs.append((decode(name), equals, decode(value)))
    return pairs


def canonical_query(query: str, *, equals_when_empty: bool, sort_encoded: bool) -> str:
    """The query with names and values encoded again, sorted by name, then by value.

    Args:
        query: as it is in the URL.
        equals_when_empty: whether an empty value is written `name=` or `name`.
        sort_encoded: whether names are compared as encoded or as decoded text; differs for names outside ASCII.
    """
    if not query:
        return ""
    pairs = _sorted_as_written(query, sort_encoded=sort_encoded)
    if pairs is None:
        pairs = _sorted_anew(query, sort_encoded=sort_encoded)
    if not equals_when_empty:
        pairs = [pair.removesuffix("\0") for pair in pairs]
    elif query.count("=") != len(pairs):
        pairs = [pair if "\0" in pair else f"{pair}\0" for pair in pairs]
    return "&".join(pairs).replace("\0", "=")


def _sorted_as_written(query: str, *, sort_encoded: bool) -> list[str] | None:
    """The pairs, with NUL for "=", of a query that is encoded as it must be; None for another one."""
    if not is_encoded_query(query):
        return None
    # NUL sorts before every character of a name, as the end of a name does; "=" does not.
    pairs = sorted(query.replace("=", "\0").split("&"))
    if sort_encoded or "%" not in query:
        return pairs
    names = [pair.partition("\0")[0] for pair in pairs]
    # The order of the decoded text is that of the encoded text if names are plain and none is there twice.
    return pairs if len(set(names)) == len(names) and "%" not in "".join(names) else None


def _sorted_anew(query: str, *, sort_encoded: bool) -> list[str]:
    pairs = sorted((name, value) for name, _, value in query_pairs(query))
    encoded = [f"{encode(name)}\0{encode(value)}" for name, value in pairs]
    return sorted(encoded) if sort_encoded else encoded


def canonical_path(path: str) -> str:
    """The path decoded and encoded again, slashes kept; dots and doubled slashes stay."""
    return path if is_encoded_path(path) else encode_path(decode(path))


def without(request: Request, owned: frozenset[str]) -> list[tuple[str, str]]:
    """The request's headers without those that a scheme sets itself, whatever their case."""
    return [pair for lower, pair in request.lowered() if lower not in owned]


def with_host(headers: list[tuple[str, str]], request: Request) -> list[tuple[str, str]]:
    """The headers with Host in front, unless the caller has set it."""
    return headers if request.header("host") is not None else [("Host", request.host), *headers]


def prefixed(headers: Iterable[tuple[str, str]], *prefixes: str) -> dict[str, str]:
    """The headers with these prefixes, by lower-case name, sorted; repeated ones joined by a comma."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(prefixes):
            found[lower] = f"{found[lower]},{value}" if lower in found else value
    return dict(sorted(found.items()))


def header_lines(headers: dict[str, str]) -> str:
    """One line `name:value` for each header, each with its line end."""
    return "".join([f"{name}:{value}\n" for name, value in headers.items()])
