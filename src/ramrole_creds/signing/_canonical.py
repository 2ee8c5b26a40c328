"""Canonical forms that several schemes share: of the query, of the path, of sets of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.signing._percent import decode, encode, encode_path, is_encoded_path, is_encoded_query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.signing.request import Request


def query_pairs(query: str) -> list[tuple[str, str, str]]:
    """The query taken apart and decoded, in its order: name, "=" or "" (a bare name), value."""
    pairs = []
    for text in query.split("&"):
        name, equals, value = text.partition("=")
        if text:
            pairs.append((decode(name), equals, decode(value)))
    return pairs


def canonical_query(query: str, *, equals_when_empty: bool, sort_encoded: bool) -> str:
    """The query with names and values encoded anew, sorted by name, then by value.

    Args:
        query: as it stands in the URL.
        equals_when_empty: whether an empty value is written `name=` or `name`.
        sort_encoded: whether names are compared as encoded or as decoded text; differs for names outside ASCII.
    """
    if not query:
        return ""
    if is_encoded_query(query):
        # NUL sorts before everything that names are made of, as the end of a name does; "=" does not.
        ordered = sorted(query.replace("=", "\0").split("&"))
        if sort_encoded or "%" not in query or _sorts_alike(ordered):
            if not equals_when_empty:
                ordered = [pair.removesuffix("\0") for pair in ordered]
            elif query.count("=") != len(ordered):
                ordered = [pair if "\0" in pair else f"{pair}\0" for pair in ordered]
            return "&".join(ordered).replace("\0", "=")
    pairs = query_pairs(query)
    if not sort_encoded:
        pairs.sort(key=_name_and_value)
    encoded = [(encode(name), encode(value)) for name, _, value in pairs]
    if sort_encoded:
        encoded.sort()
    if equals_when_empty:
        return "&".join([f"{name}={value}" for name, value in encoded])
    return "&".join([f"{name}={value}" if value else name for name, value in encoded])


def canonical_path(path: str) -> str:
    """The path decoded and encoded anew, slashes kept; dots and doubled slashes stay."""
    return path if is_encoded_path(path) else encode_path(decode(path))


def without(request: Request, owned: frozenset[str]) -> list[tuple[str, str]]:
    """The request's headers but for those that a scheme sets itself, whatever their case."""
    return [pair for lower, pair in request.lowered() if lower not in owned]


def with_host(headers: list[tuple[str, str]], request: Request) -> list[tuple[str, str]]:
    """The headers with Host in front, unless the caller has set it."""
    return headers if request.header("host") is not None else [("Host", request.host), *headers]


def prefixed(headers: Iterable[tuple[str, str]], *prefixes: str) -> dict[str, str]:
    """The headers whose names begin so, by lower-case name, sorted; repeated ones joined by a comma."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(prefixes):
            found[lower] = f"{found[lower]},{value}" if lower in found else value
    return dict(sorted(found.items()))


def header_lines(headers: dict[str, str]) -> str:
    """One line `name:value` a header, each with its line end."""
    return "".join([f"{name}:{value}\n" for name, value in headers.items()])


def _sorts_alike(ordered: list[str]) -> bool:
    """Whether pairs sorted as encoded text are in the order of the decoded text: plain names, none twice."""
    names = [pair.partition("\0")[0] for pair in ordered]
    return len(set(names)) == len(names) and "%" not in "".join(names)


def _name_and_value(pair: tuple[str, str, str]) -> tuple[str, str]:
    return pair[0], pair[2]
