"""The instance metadata service of the fake cloud: with the paths, statuses and bodies of the real one.

What is not known of the real service is a switch in `Quirks`; its default is the likeliest answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from ramrole_creds.testing.server.messages import WireResponse
from ramrole_creds.testing.services.instance import document_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.instance import Instance

Mode = Literal["normal", "hardened"]
MODES: tuple[Mode, ...] = ("normal", "hardened")

VERSIONS = ("2016-01-01", "latest")
TOKEN_PATH = "/latest/api/token"  # noqa: S105  # a path
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105  # a header's name
TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"
MAX_TTL_SECONDS = 21600
MAX_TOKENS = 100_000  # the oldest are forgotten
ROLE_DIRECTORY = "ram/security-credentials/"

_REASONS = {
    400: "Missing or Invalid Parameters",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"""


@dataclass(slots=True)
class Quirks:
    """Details of the real service that are not documented, or that differ behind proxies; change them at any time.

    Args:
        token_ttl_echo: echo the TTL in a header of the token answer, as AWS does.
        token_status: answer the token call with this status instead of serving it (404, 405, 501: a private cloud
            without hardened mode; 403: behind a proxy), None to serve it.
        tokenless_status: answer to a request without token in hardened mode; AWS has 401.
        disabled_status: answer of a disabled endpoint.
        listing_newline: end the role listing with a newline.
        listing_arn: list the role's ARN instead of its name, as kube2ram may.
        compact_json: print the credential document on one line.
        only_latest_token: each new token ends the one before.
        content_type: of values; None sends none.
        server: a Server header; None sends none.
    """

    token_ttl_echo: bool = False
    token_status: int | None = None
    tokenless_status: int = 403
    disabled_status: int = 403
    listing_newline: bool = False
    listing_arn: bool = False
    compact_json: bool = False
    only_latest_token: bool = False
    content_type: str | None = "text/plain"
    server: str | None = None


class MetadataService:
    """Answers metadata requests for one instance; safe for many threads. The issuer makes the session tokens."""

    name = "metadata"

    def __init__(self, instance: Instance, issuer: CredentialStore, clock: Clock, mode: Mode = "normal") -> None:
        self.instance = instance
        self.mode = mode
        self.enabled = True
        self.quirks: Quirks = Quirks()
        self._issuer = issuer
        self._clock = clock
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()  # guards _tokens

    @property
    def mode(self) -> Mode:
        """Either "normal" or "hardened"."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise ValueError(f'mode must be "normal" or "hardened", not {mode!r}.')
        self._mode: Mode = mode

    def recognizes(self, request: WireRequest) -> bool:
        """True for `/latest…`, `/2016-01-01…` and a plain request for `/`, which has no body and names no service."""
        if request.target == "/":
            host = (request.header("Host") or "").partition(":")[0]
            named = host.endswith((".aliyuncs.com", ".localhost"))
            signed = request.header("Authorization") is not None or request.header("x-acs-action") is not None
            return not (signed or named or request.body)
        return _split(request.path)[0] in VERSIONS

    def step(self, request: WireRequest) -> str:
        """Which step of a client's the request is: "token", "role", "credentials" or "item"."""
        if request.path == TOKEN_PATH:
            return "token"
        _, item = _split(request.path)
        name = _role_path(item)
        if name is None:
            return "item"
        return "credentials" if name else "role"

    def handle(self, request: WireRequest) -> WireResponse:
        """Answer one request."""
        response = self._answer(request)
        if self.quirks.server is not None:
            response = response.with_header("Server", self.quirks.server)
        return response

    def forget_tokens(self) -> None:
        """End every session: the next use of a token is answered 401."""
        with self._lock:
            self._tokens.clear()

    def _answer(self, request: WireRequest) -> WireResponse:
        if not self.enabled:
            return error_page(self.quirks.disabled_status)
        if request.path == TOKEN_PATH:
            return self._token(request)
        if request.method not in {"GET", "HEAD"}:
            return error_page(405)
        refusal = self._check_token(request)
        if refusal is not None:
            return refusal
        if request.path == "/":
            return self._value("\n".join(VERSIONS))
        version, item = _split(request.path)
        return self._item(item, request.at) if version in VERSIONS else error_page(404)

    def _token(self, request: WireRequest) -> WireResponse:
        if self.quirks.token_status is not None:
            return error_page(self.quirks.token_status)
        if request.method != "PUT":
            return error_page(405)
        if request.header("X-Forwarded-For") is not None:
            return error_page(403)
        ttl = _ttl(request.header(TTL_HEADER) or "")
        if ttl is None:
            return error_page(400)
        token = self._issuer.metadata_token()
        self._keep(token, ttl)
        response = self._value(token)
        if self.quirks.token_ttl_echo:
            response = response.with_header(TTL_HEADER, str(ttl))
        return response

    def _keep(self, token: str, ttl: int) -> None:
        now = self._clock.monotonic()
        with self._lock:
            if self.quirks.only_latest_token:
                self._tokens.clear()
            while len(self._tokens) >= MAX_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[token] = now + ttl

    def _check_token(self, request: WireRequest) -> WireResponse | None:
        token = request.header(TOKEN_HEADER)
        if token is None:
            return error_page(self.quirks.tokenless_status) if self.mode == "hardened" else None
        with self._lock:
            ends = self._tokens.get(token)
            if ends is not None and ends > self._clock.monotonic():
                return None
            self._tokens.pop(token, None)
        return error_page(401)

    def _item(self, item: str, at: float) -> WireResponse:
        name = _role_path(item)
        if name is not None:
            return self._credentials(name, at) if name else self._listing(at)
        values = self._values()
        if item in values:
            value = values[item]
            return error_page(404) if value is None else self._value(value)
        names = {*values, *([f"meta-data/{ROLE_DIRECTORY}"] if self.instance.visible_roles(at) else [])}
        children = _children(names - {"vendor-data"}, item.strip("/"))
        return self._value("\n".join(children)) if children else error_page(404)

    def _values(self) -> dict[str, str | bytes | None]:
        """Everything but roles, by its path; None for what is not set."""
        instance = self.instance
        return {
            "user-data": instance.user_data,
            "vendor-data": instance.vendor_data,
            "maintenance/active-system-events": instance.events,
            "dynamic/instance-identity/document": instance.identity_document(),
            **{f"meta-data/{path}": value for path, value in list(instance.items.items())},  # a test may change them
        }

    def _listing(self, at: float) -> WireResponse:
        roles = self.instance.visible_roles(at)
        if not roles:
            return error_page(404)
        if self.quirks.listing_arn:
            roles = [f"acs:ram::{self.instance.account.account_id}:role/{name}" for name in roles]
        return self._value("\n".join(roles) + ("\n" if self.quirks.listing_newline else ""))

    def _credentials(self, name: str, at: float) -> WireResponse:
        issued = self.instance.credentials(name, at)
        if issued is None:
            return error_page(404)
        return self._value(document_of(issued, compact=self.quirks.compact_json))

    def _value(self, value: str | bytes) -> WireResponse:
        content_type = self.quirks.content_type
        headers = () if content_type is None else (("Content-Type", content_type),)
        return WireResponse(200, headers, value.encode() if isinstance(value, str) else value)


def error_page(status: int) -> WireResponse:
    """The XHTML page that the real service answers errors with; it never names the cause."""
    reason = _REASONS.get(status, "Error")
    page = _PAGE.format(title=f"{status} - {reason}")
    return WireResponse(status, (("Content-Type", "text/html"),), page.encode("iso-8859-1"), reason)


def _ttl(text: str) -> int | None:
    """The life asked for a token; None where it is not 1 to 21600 seconds."""
    given = text.isascii() and text.isdigit() and len(text) <= 6
    return int(text) if given and 1 <= int(text) <= MAX_TTL_SECONDS else None


def _split(path: str) -> tuple[str, str]:
    """Version and item of a path, decoded: "/latest/meta-data/mac" gives "latest" and "meta-data/mac"."""
    version, _, item = path.lstrip("/").partition("/")
    return version, unquote(item)


def _role_path(item: str) -> str | None:
    """The name below the role directory, "" for the listing itself, None for any other item."""
    head, separator, rest = item.partition("/security-credentials")
    if not separator or head not in {"meta-data/ram", "meta-data/Ram"} or rest[:1] not in {"", "/"}:
        return None
    return rest[1:]


def _children(names: Iterable[str], directory: str) -> list[str]:
    """What a directory lists: its children. Those that have children end in "/"."""
    prefix = f"{directory}/" if directory else ""
    found = set()
    for name in names:
        if name.startswith(prefix):
            child, slash, _ = name[len(prefix) :].partition("/")
            found.add(child + slash)
    return sorted(found - {""})
