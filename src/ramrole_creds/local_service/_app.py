"""The service itself: which request gets what. An ASGI application; every refusal is a few bytes."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response

from ramrole_creds.credentials import sealed
from ramrole_creds.errors import MetadataError, ProviderUnavailable, RamRoleError
from ramrole_creds.local_service._clients import Client
from ramrole_creds.local_service._documents import LongTermKey, credential_document, role_name_of
from ramrole_creds.local_service._protocol import PEER
from ramrole_creds.local_service._tokens import SessionTokens, parse_ttl
from ramrole_creds.metadata.paths import ITEMS_PATH, ROLES_PATH, TOKEN_PATH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.types import Receive, Scope, Send

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.local_service._clients import ClientRules
    from ramrole_creds.local_service._history import History
    from ramrole_creds.local_service._limits import ServiceLimits
    from ramrole_creds.local_service._rate import RateLimiter
    from ramrole_creds.provider import CredentialProvider

    ReadItem = Callable[[str], Awaitable[str]]

METHODS: Final = frozenset({"GET", "PUT"})
TOKEN_HEADER: Final = b"x-aliyun-ecs-metadata-token"
TTL_HEADER: Final = b"x-aliyun-ecs-metadata-token-ttl-seconds"
RETRY_SECONDS: Final = 1
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
# Sent by browsers alone: a page must not read credentials, whatever its address.
BROWSER_HEADERS: Final = frozenset({b"origin", b"sec-fetch-site", b"sec-fetch-dest"})
FETCH_MODE: Final = b"sec-fetch-mode"


class CredentialApp:
    """Answers the credentials-URI protocol, and the metadata protocol where it is switched on.

    Args:
        path: the path of the credentials URI, secret where the service listens on TCP.
        rules: which provider answers which client; may be replaced while running.
        hosts: names and addresses that are accepted in the Host header; "*" accepts all.
        limits: see `ServiceLimits`.
        rate: counts the requests.
        history: counts the outcomes.
        metadata: answer the metadata protocol too.
        items: metadata items that are passed on.
        read_item: reads such an item.
    """

    def __init__(  # noqa: PLR0913  # one place to configure everything, by keyword
        self,
        path: str,
        rules: ClientRules,
        *,
        hosts: Collection[str],
        limits: ServiceLimits,
        rate: RateLimiter,
        history: History,
        metadata: bool = False,
        items: Collection[str] = (),
        read_item: ReadItem | None = None,
    ) -> None:
        self.rules = rules
        self._path = path.encode()
        self._hosts = frozenset(host.lower() for host in hosts)
        self._limits = limits
        self._rate = rate
        self._history = history
        self._metadata = metadata
        self._items = frozenset(items)
        self._read_item = read_item
        self._tokens = SessionTokens(time.monotonic)
        self._held: Callable[[], tuple[Credentials, bytes] | None] = sealed(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response, outcome = await self._answer(scope)
        self._history.count(outcome)
        response.headers.update(HEADERS)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> tuple[Response, str]:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = client_of(scope)
        path, method = scope["path"], scope["method"]
        knows_path = hmac.compare_digest(path.encode("utf-8", "replace"), self._path)
        # Counted apart: on loopback all clients have one address, and who guesses must not use up what others may ask.
        refusal = self._refusal(scope, headers, client.key if knows_path else f"{client.key} without the path")
        if refusal is not None:
            return refusal
        if knows_path:
            if method != "GET":
                return _refuse(405, "method")
            return await self._credentials(client, role=None)
        if self._metadata and path.startswith("/latest/"):
            return await self._metadata_answer(path, method, headers, client)
        return _refuse(404, "not_found")

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], key: str) -> tuple[Response, str] | None:
        """Why a request is refused whatever it asks for, None where it is not; `key` is what it is counted by."""
        if not self._rate.allows(key):
            response, outcome = _refuse(429, "rate_limited")
            response.headers["retry-after"] = str(RETRY_SECONDS)
            return response, outcome
        if scope["method"] not in METHODS:
            return _refuse(405, "method")
        if not self._accepts_host(headers.get(b"host", b"")):
            return _refuse(403, "host")
        if _is_from_browser(headers):
            return _refuse(403, "browser")
        return None

    def _accepts_host(self, value: bytes) -> bool:
        """Whether the Host header names this service: a page elsewhere may point its own name at loopback."""
        if "*" in self._hosts:
            return True
        host = value.decode("latin-1").lower()
        if host.startswith("["):
            host = host[1:].partition("]")[0]
        elif host.count(":") == 1:
            host = host.partition(":")[0]
        return host in self._hosts

    async def _credentials(self, client: Client, role: str | None) -> tuple[Response, str]:
        """The document for a client; `role` is the name that a metadata client asks for."""
        provider = self.rules.provider_for(client)
        if provider is None:
            return _refuse(403, "no_rule")
        try:
            credentials = await self._fetch(provider)
            if role is not None and role != role_name_of(credentials):
                return _refuse(404, "other_role")
            body = self._document(credentials)
        except RamRoleError as error:
            return _failure(error, plain=role is not None)
        return Response(body, media_type="application/json"), "served"

    async def _fetch(self, provider: CredentialProvider) -> Credentials:
        return await provider.get_credentials_async(timeout=self._limits.fetch_seconds)

    def _document(self, credentials: Credentials) -> bytes:
        """The document, made once for each set of credentials with a known end."""
        held = self._held()
        if held is not None and held[0] is credentials:
            return held[1]
        body = credential_document(credentials, time.time())
        if credentials.expiration is not None:
            self._held = sealed((credentials, body))
        return body

    async def _metadata_answer(
        self, path: str, method: str, headers: dict[bytes, bytes], client: Client
    ) -> tuple[Response, str]:
        if path == TOKEN_PATH:
            return self._token(method, headers)
        if method != "GET":
            return _refuse(405, "method")
        refusal = self._token_refusal(headers)
        if refusal is not None:
            return refusal
        if path.rstrip("/") == ROLES_PATH.rstrip("/"):
            return await self._listing(client)
        if path.startswith(ROLES_PATH):
            return await self._credentials(client, role=path.removeprefix(ROLES_PATH))
        return await self._item(path)

    def _token_refusal(self, headers: dict[bytes, bytes]) -> tuple[Response, str] | None:
        token = headers.get(TOKEN_HEADER)
        if token is None:
            return _refuse(403, "no_token")
        return None if self._tokens.is_valid(token.decode("latin-1")) else _refuse(401, "bad_token")

    def _token(self, method: str, headers: dict[bytes, bytes]) -> tuple[Response, str]:
        if method != "PUT":
            return _refuse(405, "method")
        if b"x-forwarded-for" in headers:
            return _refuse(403, "forwarded")
        ttl = parse_ttl(headers.get(TTL_HEADER, b"").decode("latin-1"))
        if ttl is None:
            return _refuse(400, "bad_ttl")
        return Response(self._tokens.issue(ttl), media_type="text/plain"), "token"

    async def _listing(self, client: Client) -> tuple[Response, str]:
        provider = self.rules.provider_for(client)
        if provider is None:
            return _refuse(404, "no_rule")  # as for an instance without a role
        try:
            credentials = await self._fetch(provider)
        except RamRoleError as error:
            return _failure(error, plain=True)
        return Response(quote(role_name_of(credentials)), media_type="text/plain"), "listing"

    async def _item(self, path: str) -> tuple[Response, str]:
        item = path.removeprefix(ITEMS_PATH)
        if item not in self._items or self._read_item is None or not path.startswith(ITEMS_PATH):
            return _refuse(404, "not_found")
        try:
            value = await self._read_item(item)
        except MetadataError as error:
            return _refuse(404 if error.status == 404 else 503, "item_failed")
        except RamRoleError:
            return _refuse(503, "item_failed")
        return Response(value, media_type="text/plain"), "item"


def _is_from_browser(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser sent a request.

    The `fetch` of Node.js sends `Sec-Fetch-Mode: cors` too, but none of the headers that a browser sends with it.
    """
    return not BROWSER_HEADERS.isdisjoint(headers) or headers.get(FETCH_MODE, b"cors") != b"cors"


def client_of(scope: Scope) -> Client:
    """Who sent a request."""
    peer = (scope.get("extensions") or {}).get(PEER)
    if peer is not None:
        return Client(uid=peer["uid"], address="")
    source = scope.get("client")
    return Client(uid=None, address=source[0] if source else "")


def _refuse(status: int, outcome: str) -> tuple[Response, str]:
    return Response(b"", status_code=status), outcome


def _failure(error: RamRoleError, *, plain: bool) -> tuple[Response, str]:
    """The answer where the provider gave nothing: 404 where there is no role, else 503."""
    from starlette.responses import JSONResponse

    absent = isinstance(error, ProviderUnavailable) and not isinstance(error, LongTermKey)
    if plain:
        return _refuse(404 if absent else 503, "failed")
    body = {"Code": "ServiceUnavailable", "Message": str(error)}
    return JSONResponse(body, status_code=503, headers={"retry-after": str(RETRY_SECONDS)}), "failed"
