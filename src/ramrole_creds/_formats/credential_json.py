"""JSON answers that contain credentials, with a typed error for everything unexpected.

The metadata service, STS, sign-in services, credential commands and credentials URIs all use one of three sets of names
for the same four fields. No error shows a value that was read: it might be a credential.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds._formats.timestamps import parse_rfc3339
from ramrole_creds._http.transport import is_html
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ramrole_creds.errors import FetchError

    ErrorFactory = Callable[[str], FetchError]
    """Makes an error of the words that complete "… answered with"."""

MAX_SHOWN_MESSAGE_CHARACTERS = 300
MAX_CODE_WORD_CHARACTERS = 20

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_HEXADECIMAL = re.compile("[0-9A-Fa-f]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
# Longer than any word of a message, shorter than any secret. ARNs stay, since messages are about them.
_SECRET_LIKE = re.compile(r"(?!acs:ram::)[^\s'\",;()\[\]{}]{25,}")


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of the four fields in one kind of answer."""

    access_key_id: str
    access_key_secret: str
    security_token: str
    expiration: str


PASCAL_CASE = FieldNames("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
CAMEL_CASE = FieldNames("accessKeyId", "accessKeySecret", "securityToken", "expiration")
SNAKE_CASE = FieldNames("access_key_id", "access_key_secret", "sts_token", "expiration")


def json_object(content: bytes | str, make_error: ErrorFactory) -> dict[str, object]:
    """The JSON object in an answer. A name that occurs twice is an error, since parsers differ in what it means.

    Raises:
        FetchError: made by `make_error`; the answer is something else.
    """
    try:
        document = json.loads(content, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        document = None
    if not isinstance(document, dict):
        raise make_error(_describe_content(content))
    return document


def inner_object(document: dict[str, object], name: str, make_error: ErrorFactory) -> dict[str, object]:
    """The object under `name`.

    Raises:
        FetchError: made by `make_error`; there is no such object.
    """
    inner = document.get(name)
    if not isinstance(inner, dict):
        raise make_error(f"a document without {name}")
    return inner


def text_of(document: dict[str, object], name: str) -> str:
    """The text under `name`, "" if there is none."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def require_success(document: dict[str, object], make_error: ErrorFactory) -> None:
    """Check that `Code` says "Success".

    Raises:
        FetchError: made by `make_error`; it says something else, or is missing.
    """
    code = document.get("Code")
    if code != "Success":
        shown = f" {safe_code(code)!r}" if safe_code(code) else ""
        raise make_error(f"a document whose Code{shown} is not 'Success'")


def read_credentials(
    document: dict[str, object],
    names: FieldNames,
    make_error: ErrorFactory,
    *,
    provider_name: str,
    identity: str | None = None,
    token_required: bool = True,
    expiration_required: bool = True,
) -> Credentials:
    """The credentials in a document. Unknown fields are ignored.

    Raises:
        FetchError: made by `make_error`; a field is missing or has an impossible value.
    """
    required = [names.access_key_id, names.access_key_secret]
    if token_required:
        required.append(names.security_token)
    for name in required:
        if not text_of(document, name):
            raise make_error(f"a document whose {name} is missing or not text")
    expiration = _expiration(document.get(names.expiration), names.expiration, make_error)
    if expiration is None and expiration_required:
        raise make_error(f"a document whose {names.expiration} is missing")
    try:
        return Credentials(
            text_of(document, names.access_key_id),
            text_of(document, names.access_key_secret),
            text_of(document, names.security_token) or None,
            expiration,
            provider_name=provider_name,
            identity=identity,
        )
    except ConfigurationError as error:
        problem = re.split(r"[:.] ", error.message)[0].rstrip(".")  # its advice is for whoever typed a key
        raise make_error(f"a document in which {problem}") from None


def safe_code(value: object) -> str:
    """An error code that may be shown, "" for anything else.

    A long word with digits is not shown: it may be a secret in the wrong place.
    """
    if not isinstance(value, str) or _CODE.fullmatch(value) is None:
        return ""
    words = re.split(r"[._-]", value)
    if any(len(word) > MAX_CODE_WORD_CHARACTERS and not word.isalpha() for word in words):
        return ""
    return value


def safe_request_id(value: object) -> str:
    """A request id that may be shown, "" for anything else. A long word is hexadecimal, else it may be a secret."""
    if not isinstance(value, str) or _REQUEST_ID.fullmatch(value) is None:
        return ""
    long = [word for word in value.split("-") if len(word) > MAX_CODE_WORD_CHARACTERS]
    return value if all(_HEXADECIMAL.fullmatch(word) for word in long) else ""


def safe_message(value: object) -> str:
    """A service's message that may be shown: one short line without anything that looks like a secret."""
    if not isinstance(value, str):
        return ""
    words = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    return _SECRET_LIKE.sub("[…]", words)[:MAX_SHOWN_MESSAGE_CHARACTERS]


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError
    return document


def _describe_content(content: bytes | str) -> str:
    if not content.strip():
        return "nothing"
    if is_html(content):
        return "an HTML page, not a JSON object"
    return f"{len(content)} {'characters' if isinstance(content, str) else 'bytes'} that are not a JSON object"


def _expiration(value: object, name: str, make_error: ErrorFactory) -> datetime | None:
    if value is None or value == "":
        return None
    moment = parse_rfc3339(value) if isinstance(value, str) else None
    if moment is None:
        raise make_error(f"a document whose {name} is not an RFC 3339 time with a zone")
    return moment
