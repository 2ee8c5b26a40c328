"""Which component of a signature differs, read from a server's refusal.

Services put the string that they signed into the answer (`StringToSign`, "server string to sign is:"). The difference
to ours shows what changed on the way, most often in a proxy. The explanation names components and never their values,
because the string contains the security token. Everything here takes time in proportion to the answer's length.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

from ramrole_creds.signing._percent import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Scheme

MAX_ANSWER_BYTES = 65536
MAX_STRINGS = 8
"""How many strings of an answer are compared."""

_BEFORE_STRING = re.compile(r"string ?to sign(?: is)?\s{0,9}:?\s{0,9}", re.IGNORECASE)
_FIRST_LINES = ("the method", "Content-MD5", "Content-Type", "the date")
_NO_STRING = "The answer does not say what the server signed: compare method, path, parameters and signed headers."
_SAME_STRING = (
    "The server signed the same string, so the secret differs: the AccessKey secret does not belong to this AccessKey "
    "ID."
)
_OTHER_SHAPE = (
    "The server signed a string of another form: the service expects another scheme or another version of it."
)


def explain_mismatch(scheme: Scheme, signed: Request, answer: bytes) -> str:
    """A sentence that says which component of the request the server signed differently.

    Args:
        scheme: the scheme that signed.
        signed: the request as it was sent.
        answer: the body of the refusal.
    """
    theirs = _server_strings(answer[:MAX_ANSWER_BYTES].decode("utf-8", "replace"))
    if not theirs:
        return _NO_STRING
    ours = [scheme.string_to_sign(signed)]
    canonical = getattr(scheme, "canonical_request", None)
    if canonical is not None:
        ours.insert(0, canonical(signed))
    for own in ours:
        alike = [text for text in theirs if _same_shape(own, text)]
        if own in alike:
            if own is ours[-1]:
                return _SAME_STRING
            continue
        if alike:
            names = ", ".join(_differences(own, alike[0]))
            return f"The server signed other values for: {names}. Look for a proxy that changes them."
    return _OTHER_SHAPE


def _server_strings(text: str) -> list[str]:
    """The strings and canonical requests that an answer names."""
    found = [*_elements(text, "CanonicalRequest"), *_elements(text, "StringToSign")]
    for message in _messages(text):
        before = _BEFORE_STRING.search(message)
        if before:
            found.append(message[before.end() :])
    return [string.replace("\r\n", "\n") for string in found[:MAX_STRINGS]]


def _messages(text: str) -> list[str]:
    """Texts that may contain the string: values of a JSON object, `Message` of XML, or the whole answer."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return list(_elements(text, "Message")) or [text]
    if not isinstance(parsed, dict):
        return []
    return [value for value in parsed.values() if isinstance(value, str)]


def _elements(text: str, name: str) -> Iterator[str]:
    """The texts of the XML elements of that name."""
    opening, closing = f"<{name}>", f"</{name}>"
    end = 0
    while (start := text.find(opening, end)) >= 0 and (end := text.find(closing, start)) >= 0:
        escaped = text[start + len(opening) : end]
        try:
            yield html.unescape(escaped)
        except ValueError:  # a character reference with thousands of digits
            yield escaped


def _same_shape(own: str, theirs: str) -> bool:
    return _head(own) == _head(theirs) or own.count("\n") == theirs.count("\n")


def _head(text: str) -> str:
    return text.partition("\n")[0].partition("&")[0]


def _differences(own: str, theirs: str) -> list[str]:
    if "\n" not in own and own.count("&") >= 2:
        return _parameter_differences(own, theirs)
    return _line_differences(own.split("\n"), theirs.split("\n"))


def _parameter_differences(own: str, theirs: str) -> list[str]:
    own_method, _, own_query = own.split("&", 2)
    parts = theirs.split("&", 2)
    if len(parts) != 3:
        return ["the whole string"]
    found = [] if own_method == parts[0] else ["the method"]
    found += [f"parameter {name}" for name in _differing(_parameters(own_query), _parameters(parts[2]))]
    return found or ["the order of the parameters"]


def _parameters(encoded: str) -> dict[str, str]:
    return {decode(name): value for name, _, value in (pair.partition("=") for pair in decode(encoded).split("&"))}


def _line_differences(ours: list[str], theirs: list[str]) -> list[str]:
    found = [f"header {name}" for name in _differing(_header_lines(ours), _header_lines(theirs))]
    own_rest, their_rest = _other_lines(ours), _other_lines(theirs)
    if len(own_rest) != len(their_rest):
        return [*found, "the number of lines"]
    pairs = enumerate(zip(own_rest, their_rest, strict=True))
    found += [_line_name(index, own_rest) for index, (own, other) in pairs if own != other]
    return found or ["the order of the lines"]


def _differing(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """The names whose values differ, or that only one side has."""
    return [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]


def _header_lines(lines: list[str]) -> dict[str, str]:
    return dict(line.split(":", 1) for line in lines if _is_header_line(line))


def _other_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if not _is_header_line(line)]


_is_header_line = re.compile(r"[a-z0-9-]+:(?!//).*").fullmatch
_is_hash = re.compile(r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-.*").fullmatch


def _line_name(index: int, lines: list[str]) -> str:
    """What a line that is not a header contains; the older strings and canonical requests have fixed places."""
    if index == len(lines) - 1:
        return "the body's hash" if _is_hash(lines[-1]) else "the resource"
    if lines[1:2] and lines[1].startswith("/"):
        return ("the method", "the path", "the query")[index] if index < 3 else "the names of the signed headers"
    return _FIRST_LINES[index] if index < len(_FIRST_LINES) else f"line {index + 1}"
