"""Canonical forms that several schemes share: of the query, of the path, of sets of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.signing.percent import decode, encode, encode_path, is_encoded_path, is_encoded_query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.signing.request import Headers, Request


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
    if is_encoded_query(query) and (sort_encoded or "%" not in query):
        pairs = [text.partition("=") for text in query.split("&") if text]
        pairs.sort(key=_name_and_value)
    else:
        pairs = query_pairs(query)
        if not sort_encoded:
            pairs.sort(key=_name_and_value)
        pairs = [(encode(name), equals, encode(value)) for name, equals, value in pairs]
        if sort_encoded:
            pairs.sort(key=_name_and_value)
    if equals_when_empty:
        return "&".join([f"{name}={value}" for name, _, value in pairs])
    return "&".join([f"{name}={value}" if value else name for name, _, value in pairs])


def canonical_path(path: str) -> str:
    """The path decoded and encoded anew, slashes kept; dots and doubled slashes stay."""
    return path if is_encoded_path(path) else encode_path(decode(path))


def without(headers: Headers, owned: frozenset[str]) -> list[tuple[str, str]]:
    """The headers but for those that a scheme sets itself, whatever their case."""
    return [pair for pair in headers if pair[0].lower() not in owned]


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


def _name_and_value(pair: tuple[str, str, str]) -> tuple[str, str]:
    return pair[0], pair[2]
