"""Which component of a signature differs, read from a server's refusal.

Services put the string that they signed into the answer (`StringToSign`, "server string to sign is:"). Comparing it
with ours shows what was changed on the way, most often by a proxy. Only names of components are told, never their
values: the string holds the security token.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

from ramrole_creds.signing._percent import decode

if TYPE_CHECKING:
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Scheme

_XML_ELEMENT = re.compile(r"<(CanonicalRequest|StringToSign)>(.*?)</\1>", re.DOTALL)
_IN_MESSAGE = re.compile(r"(?:string to sign is|stringToSign is|string to sign)\s*:?\s*(.*)", re.DOTALL | re.IGNORECASE)
_FIRST_LINES = ("the method", "Content-MD5", "Content-Type", "the date")


def explain_mismatch(scheme: Scheme, signed: Request, answer: bytes) -> str:
    """A sentence that says which component of the request the server signed differently.

    Args:
        scheme: the scheme that signed.
        signed: the request as it was sent.
        answer: the body of the refusal.
    """
    theirs = _server_strings(answer)
    if not theirs:
        return "The answer does not say what the server signed: compare method, path, parameters and signed headers."
    ours = [scheme.string_to_sign(signed)]
    canonical = getattr(scheme, "canonical_request", None)
    if canonical is not None:
        ours.insert(0, canonical(signed))
    for own in ours:
        alike = [text for text in theirs if _same_shape(own, text)]
        if own in alike:
            if own is ours[-1]:
                return (
                    "The server signed the very same string, so the secret differs: the AccessKey secret is not that "
                    "of this AccessKey ID."
                )
            continue
        if alike:
            names = _differences(own, alike[0])
            return f"The server signed something else in: {', '.join(names)}. Look for a proxy that changes it."
    return (
        "What the server signed has another shape than what was sent: the scheme, or its version, is not the service's."
    )


def _server_strings(answer: bytes) -> list[str]:
    text = answer.decode("utf-8", "replace")
    found = [html.unescape(match.group(2)) for match in _XML_ELEMENT.finditer(text)]
    for message in _messages(text):
        match = _IN_MESSAGE.search(message)
        if match:
            found.append(match.group(1))
    return [string.replace("\r\n", "\n") for string in found]


def _messages(text: str) -> list[str]:
    """Texts in which a service may say it: strings of a JSON object, `Message` of XML, or the whole."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return [html.unescape(match) for match in re.findall(r"<Message>(.*?)</Message>", text, re.DOTALL)] or [text]
    if not isinstance(parsed, dict):
        return []
    return [value for value in parsed.values() if isinstance(value, str)]


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
    ours, others = _parameters(own_query), _parameters(parts[2])
    found += [f"parameter {name}" for name in sorted(ours.keys() | others.keys()) if ours.get(name) != others.get(name)]
    return found or ["the order of the parameters"]


def _parameters(encoded: str) -> dict[str, str]:
    return {decode(name): value for name, _, value in (pair.partition("=") for pair in decode(encoded).split("&"))}


def _line_differences(ours: list[str], theirs: list[str]) -> list[str]:
    own_headers, their_headers = _header_lines(ours), _header_lines(theirs)
    names = sorted(own_headers.keys() | their_headers.keys())
    found = [f"header {name}" for name in names if own_headers.get(name) != their_headers.get(name)]
    own_rest = [line for line in ours if not _is_header_line(line)]
    their_rest = [line for line in theirs if not _is_header_line(line)]
    if len(own_rest) != len(their_rest):
        return [*found, "the number of lines"]
    pairs = enumerate(zip(own_rest, their_rest, strict=True))
    found += [_line_name(index, own_rest) for index, (own, other) in pairs if own != other]
    return found or ["the order of the lines"]


def _header_lines(lines: list[str]) -> dict[str, str]:
    return dict(line.split(":", 1) for line in lines if _is_header_line(line))


_is_header_line = re.compile(r"[a-z0-9-]+:(?!//).*").fullmatch


def _line_name(index: int, lines: list[str]) -> str:
    """What a line that is no header holds; the classic strings and the canonical requests have fixed places."""
    if index == len(lines) - 1:
        return (
            "the body's hash"
            if re.fullmatch(r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-.*", lines[-1])
            else "the resource"
        )
    if lines[1:2] and lines[1].startswith("/"):
        return ("the method", "the path", "the query")[index] if index < 3 else "the names of the signed headers"
    return _FIRST_LINES[index] if index < len(_FIRST_LINES) else f"line {index + 1}"
