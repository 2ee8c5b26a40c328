"""JSON answers that hold credentials, read with a typed complaint for everything that is not as it must be.

STS, sign-in services, credential commands and credentials URIs all answer one of three spellings of the same four
fields. No complaint shows any value that was read: it might be a credential.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds._formats.timestamps import parse_rfc3339
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ramrole_creds.errors import FetchError

    ErrorFactory = Callable[[str], FetchError]
    """Makes an error of the words that end "… answered with"."""

MAX_SHOWN_MESSAGE_CHARACTERS = 300

_SHOWN_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}")
# Longer than any word of a message, shorter than any secret. ARNs stay, they are what a message is about.
_SECRET_LIKE = re.compile(r"(?!acs:ram::)[^\s'\",;()\[\]{}]{25,}")


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Names of the four fields in one kind of answer."""

    access_key_id: str
    access_key_secret: str
    security_token: str
    expiration: str


PASCAL_CASE = FieldNames("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
CAMEL_CASE = FieldNames("accessKeyId", "accessKeySecret", "securityToken", "expiration")
SNAKE_CASE = FieldNames("access_key_id", "access_key_secret", "sts_token", "expiration")


def json_object(content: bytes | str, make_error: ErrorFactory) -> dict[str, object]:
    """The JSON object that an answer is.

    Raises:
        FetchError: made by `make_error`; the answer is something else.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        document = None
    if not isinstance(document, dict):
        raise make_error("something that is no JSON object" if content.strip() else "nothing")
    return document


def inner_object(document: dict[str, object], name: str, make_error: ErrorFactory) -> dict[str, object]:
    """The object under `name`.

    Raises:
        FetchError: made by `make_error`; there is none.
    """
    inner = document.get(name)
    if not isinstance(inner, dict):
        raise make_error(f"a document without {name}")
    return inner


def text_of(document: dict[str, object], name: str) -> str:
    """The text under `name`, "" where there is none."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def read_credentials(  # each by keyword
    document: dict[str, object],
    spelling: FieldNames,
    make_error: ErrorFactory,
    *,
    provider_name: str,
    identity: str | None = None,
    token_required: bool = True,
    expiration_required: bool = True,
) -> Credentials:
    """The credentials in a document.

    Raises:
        FetchError: made by `make_error`; a field is missing or cannot be what it says.
    """
    required = [spelling.access_key_id, spelling.access_key_secret]
    if token_required:
        required.append(spelling.security_token)
    for name in required:
        if not text_of(document, name):
            raise make_error(f"a document whose {name} is missing or no text")
    expiration = _expiration(document.get(spelling.expiration), spelling.expiration, make_error)
    if expiration is None and expiration_required:
        raise make_error(f"a document whose {spelling.expiration} is missing")
    try:
        return Credentials(
            text_of(document, spelling.access_key_id),
            text_of(document, spelling.access_key_secret),
            text_of(document, spelling.security_token) or None,
            expiration,
            provider_name=provider_name,
            identity=identity,
        )
    except ConfigurationError as error:
        problem = str(error).partition(":")[0]
    raise make_error(f"a document in which {problem}")


def safe_code(value: object) -> str:
    """An error code as it may be shown, "" where it is none."""
    return value if isinstance(value, str) and _SHOWN_CODE.fullmatch(value) else ""


def safe_request_id(value: object) -> str:
    """A request id as it may be shown, "" where it is none."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else ""


def safe_message(value: object) -> str:
    """A service's message as it may be shown: one line, short, and without anything that looks like a secret."""
    if not isinstance(value, str):
        return ""
    words = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    return _SECRET_LIKE.sub("[…]", words)[:MAX_SHOWN_MESSAGE_CHARACTERS]


def _expiration(value: object, name: str, make_error: ErrorFactory) -> datetime | None:
    if value is None or value == "":
        return None
    moment = parse_rfc3339(value) if isinstance(value, str) else None
    if moment is None:
        raise make_error(f"a document whose {name} is no RFC 3339 time with a zone")
    return moment
