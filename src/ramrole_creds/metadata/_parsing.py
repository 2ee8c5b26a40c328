"""Parsers of the metadata service's answers. They are pure, and have a typed error for everything unexpected.

No error shows any of what was read: it might be a credential.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ramrole_creds._formats.credential_json import PASCAL_CASE, json_object, read_credentials, require_success
from ramrole_creds.errors import MetadataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._http.transport import HttpResponse
    from ramrole_creds.credentials import Credentials

MAX_TOKEN_CHARACTERS = 4096
MAX_ROLE_NAME_CHARACTERS = 512
MAX_SHOWN_NAME_CHARACTERS = 40
NEVER_IN_A_ROLE_NAME = frozenset('/\\?#<>{}[]"')

# A proxy such as kube2ram lists the ARN of the role. The slash in it does not separate paths.
_ROLE_ARN = re.compile(r"acs:ram::\d*:role/([^/\s]+)")
_WRONG_SERVICE = "Something other than the metadata service may be answering, such as a captive portal."


def parse_token(response: HttpResponse, request_line: str) -> str:
    """The session token: one printable word.

    Raises:
        MetadataError: anything else. A line end within the token could add headers to later requests.
    """
    try:
        token = response.body.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isprintable() or set(token) & set(' <>"'):
        raise MetadataError(
            f"{request_line} answered 200 with {response.describe_body()}, which is not a token. {_WRONG_SERVICE}",
            step="token",
            status=200,
        )
    return token


def decode_text(response: HttpResponse, request_line: str, *, step: str = "item") -> str:
    """The body as text.

    Raises:
        MetadataError: it is not UTF-8.
    """
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        raise MetadataError(
            f"{request_line} answered {response.describe_body()} that are not UTF-8 text.", step=step, status=200
        ) from None


def parse_listing(response: HttpResponse, request_line: str) -> tuple[str, ...]:
    """The names of the roles, at least one.

    Raises:
        MetadataError: the listing is empty or contains something that is not the name of a role.
    """
    listing = decode_text(response, request_line, step="role")
    # By line feed only: `splitlines` also splits at characters that do not end a line, and that no name contains.
    names = [_role_name(line.strip(" \t\r"), response, request_line) for line in listing.split("\n") if line.strip()]
    if not names:
        raise MetadataError(
            f"{request_line} answered 200 with an empty listing. The service does so while a role is being attached: "
            "try again in a minute.",
            step="role",
            status=200,
        )
    return tuple(names)


def parse_credentials(response: HttpResponse, role: str, request_line: str) -> Credentials:
    """The credential document: `Code` "Success" and four fields; `LastUpdated` and unknown fields are ignored.

    Raises:
        MetadataError: anything else.
    """
    make_error = _error_factory(request_line, "credentials")
    document = json_object(response.body, make_error)
    require_success(document, make_error)
    return read_credentials(document, PASCAL_CASE, make_error, provider_name="ecs_ram_role", identity=role)


def parse_identity_document(text: str, request_line: str) -> dict[str, str]:
    """The instance identity document as names and texts.

    Raises:
        MetadataError: it is not a JSON object.
    """
    document = json_object(text, _error_factory(request_line, "item"))
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _role_name(line: str, response: HttpResponse, request_line: str) -> str:
    name = line.removesuffix("/")
    arn = _ROLE_ARN.fullmatch(name)
    plain = arn.group(1) if arn else name
    if (
        plain in ("", ".", "..")
        or len(name) > MAX_ROLE_NAME_CHARACTERS
        or not plain.isprintable()
        or set(plain) & NEVER_IN_A_ROLE_NAME
    ):
        # Only what looks like a name is shown: a document, or a piece of one, may contain secrets.
        looks_like_a_name = len(line) <= MAX_SHOWN_NAME_CHARACTERS and not set(line) & set('<>{}"')
        what = f"{line!a}" if looks_like_a_name else response.describe_body()
        raise MetadataError(
            f"{request_line} answered 200 with {what}, which is not the name of a role. {_WRONG_SERVICE}",
            step="role",
            status=200,
        )
    return name


def _error_factory(request_line: str, step: str) -> Callable[[str], MetadataError]:
    def make_error(what: str) -> MetadataError:
        return MetadataError(
            f"{request_line} answered 200 with {what}. The answer is not used. {_WRONG_SERVICE}", step=step, status=200
        )

    return make_error
