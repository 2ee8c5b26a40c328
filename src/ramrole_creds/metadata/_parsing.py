"""What the metadata service's answers must look like: pure parsers, each with a typed error for everything else.

No error shows any of what was read: it might be a credential.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ramrole_creds._formats.timestamps import parse_rfc3339
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, MetadataError

if TYPE_CHECKING:
    from datetime import datetime

    from ramrole_creds._http.transport import HttpResponse

MAX_TOKEN_CHARACTERS = 4096
MAX_ROLE_NAME_CHARACTERS = 512
MAX_SHOWN_NAME_CHARACTERS = 40
NEVER_IN_A_ROLE_NAME = frozenset('/\\?#<>{}[]"')
REQUIRED_FIELDS = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")

# A proxy in the manner of kube2ram lists the role's ARN; its one slash is no path.
_ROLE_ARN = re.compile(r"acs:ram::\d*:role/([^/\s]+)")
# Words and dots, as all error codes are. No digits: a secret in the wrong place has some, and must not be shown.
_SHOWN_CODE = re.compile(r"[A-Za-z.]{1,64}")


def parse_token(response: HttpResponse, asked: str) -> str:
    """The session token: one printable word.

    Raises:
        MetadataError: anything else; a line end within could smuggle headers into later requests.
    """
    try:
        token = response.body.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isprintable() or set(token) & set(' <>"'):
        raise MetadataError(
            f"{asked} answered 200 with {response.describe_body()}, which is no token. Something other than the "
            "metadata service may be answering, such as a captive portal.",
            step="token",
            status=200,
        )
    return token


def decode_text(response: HttpResponse, asked: str, *, step: str = "item") -> str:
    """The body as text.

    Raises:
        MetadataError: it is no UTF-8.
    """
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        pass
    raise MetadataError(f"{asked} answered {response.describe_body()} that are no UTF-8 text.", step=step, status=200)


def parse_listing(response: HttpResponse, asked: str) -> tuple[str, ...]:
    """The roles' names, at least one.

    Raises:
        MetadataError: the listing is empty or names something that is no role.
    """
    listing = decode_text(response, asked, step="role")
    # By line feed only: `splitlines` also splits at characters that no line ends with, and that no name has.
    names = [_role_name(line.strip(" \t\r"), response, asked) for line in listing.split("\n") if line.strip()]
    if not names:
        raise MetadataError(
            f"{asked} answered 200 with an empty listing. The service does so while a role is being attached: try "
            "again in a minute.",
            step="role",
            status=200,
        )
    return tuple(names)


def _role_name(line: str, response: HttpResponse, asked: str) -> str:
    name = line.removesuffix("/")
    arn = _ROLE_ARN.fullmatch(name)
    plain = arn.group(1) if arn else name
    if (
        plain in ("", ".", "..")
        or len(name) > MAX_ROLE_NAME_CHARACTERS
        or not plain.isprintable()
        or set(plain) & NEVER_IN_A_ROLE_NAME
    ):
        # Only what looks like a name is shown: a document, or a piece of one, may hold secrets.
        looks_like_a_name = len(line) <= MAX_SHOWN_NAME_CHARACTERS and not set(line) & set('<>{}"')
        what = f"a name that no role has, {line!a}" if looks_like_a_name else response.describe_body()
        raise MetadataError(
            f"{asked} answered 200 with {what}, and not with the name of a role. Something other than the metadata "
            "service may be answering, such as a captive portal.",
            step="role",
            status=200,
        )
    return name


def parse_credentials(response: HttpResponse, role: str, asked: str) -> Credentials:
    """The credential document: `Code` "Success" and four non-empty texts; unknown keys and `LastUpdated` ignored.

    Raises:
        MetadataError: anything else.
    """

    def bad(what: str) -> MetadataError:
        return MetadataError(
            f"{asked} answered 200 with {what}. Nothing of it is used. If it stays so, something other than the "
            "metadata service is answering.",
            step="credentials",
            status=200,
        )

    document = _json_object(response, bad)
    code = document.get("Code")
    if code != "Success":
        shown = f" {code!r}" if isinstance(code, str) and _SHOWN_CODE.fullmatch(code) else ""
        raise bad(f"a document whose Code{shown} is not 'Success'")
    fields = {}
    for name in REQUIRED_FIELDS:
        value = document.get(name)
        if not isinstance(value, str) or not value:
            raise bad(f"a document whose {name} is missing or no text")
        fields[name] = value
    try:
        return Credentials(
            fields["AccessKeyId"],
            fields["AccessKeySecret"],
            fields["SecurityToken"],
            _expiration(fields["Expiration"], bad),
            provider_name="ecs_ram_role",
            identity=role,
        )
    except ConfigurationError as error:
        problem = str(error).partition(":")[0]
    raise bad(f"a document in which {problem}")


def parse_identity_document(text: str, asked: str) -> dict[str, str]:
    """Names and texts of the instance identity document.

    Raises:
        MetadataError: it is no JSON object of texts.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise MetadataError(
            f"{asked} answered 200 with {len(text)} characters that are no JSON object, and so no identity document. "
            "Something other than the metadata service may be answering.",
            step="item",
            status=200,
        )
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _json_object(response: HttpResponse, bad: _Complaint) -> dict[str, object]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        document = json.loads(response.body, object_pairs_hook=unique)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        document = None
    if not isinstance(document, dict):
        raise bad(f"{response.describe_body()}, which is no credential document")
    return document


def _expiration(text: str, bad: _Complaint) -> datetime:
    moment = parse_rfc3339(text)
    if moment is None:
        raise bad("a document whose Expiration is no RFC 3339 time with a zone")
    return moment


if TYPE_CHECKING:
    from collections.abc import Callable

    _Complaint = Callable[[str], MetadataError]
