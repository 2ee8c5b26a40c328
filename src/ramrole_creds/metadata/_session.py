"""The requests of one call of the metadata client: which are sent, in which order, with or without a token."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from ramrole_creds._cache.replacement import reckon_expiry
from ramrole_creds._http.errors import ConnectionBroken, HttpError, ReadTimeout
from ramrole_creds._http.transport import HttpResponse
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import FetchError
from ramrole_creds.metadata import _errors as errors
from ramrole_creds.metadata._parsing import decode_text, parse_credentials, parse_listing, parse_token
from ramrole_creds.metadata.answered import has_answered, mark_answered
from ramrole_creds.metadata.paths import ROLES_PATH, TOKEN_PATH
from ramrole_creds.metadata.token_mode import OFF, PREFER

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._http.transport import HttpSession
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.errors import MetadataError, MetadataUnreachable
    from ramrole_creds.metadata.token_mode import TokenMode

_log = logging.getLogger(__name__)


TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105  # a header's name
TOKEN_TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"  # noqa: S105  # a header's name
TOKEN_TTL_SECONDS = 21600
TOKEN_MARGIN_SECONDS = 30
TOKENLESS_MEMORY_SECONDS = 21600.0
NEVER = float("-inf")
SMALL_BODY_BYTES = 8192
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0

Parsed = TypeVar("Parsed")


class TokenCache:
    """What a client knows about tokens from one call to the next.

    Each field is replaced as a whole: two threads at once can at worst request a token twice.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: Callable[[], tuple[str, float] | None] = sealed(None)
        self._tokenless_until = NEVER
        self._refusals: tuple[int, float] = (0, NEVER)
        self.token_service_seen = False

    def __reduce__(self) -> tuple[type[TokenCache], tuple[Clock]]:
        return TokenCache, (self._clock,)  # a token stays in its process

    def usable_token(self) -> str | None:
        """The session token while it is valid."""
        held = self._held()
        return held[0] if held is not None and self._clock.monotonic() < held[1] else None

    def keep(self, token: str, ttl_seconds: float) -> None:
        """Keep a token until shortly before its expiry."""
        margin = min(TOKEN_MARGIN_SECONDS, ttl_seconds / 10)
        self._held = sealed((token, self._clock.monotonic() + ttl_seconds - margin))
        self._tokenless_until = NEVER
        self.token_service_seen = True

    def forget(self, token: str) -> None:
        """Drop a token that the service rejected. A newer one of another thread stays."""
        held = self._held()
        if held is not None and held[0] == token:
            self._held = sealed(None)

    def mark_refused(self) -> float:
        """The service rejected a token that it issued a moment ago: the seconds until it is asked again, doubling."""
        count = self._refusals[0] + 1
        pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(count - 1, 10))
        self._refusals = (count, self._clock.monotonic() + pause)
        return pause

    def mark_accepted(self) -> None:
        """The service accepted a token."""
        if self._refusals[0]:
            self._refusals = (0, NEVER)

    def refusal_pause(self) -> float:
        """Seconds for which the service is not asked, because it rejects every new token; 0 if it does not."""
        return max(0.0, self._refusals[1] - self._clock.monotonic())

    def token_service_absent(self) -> bool:
        """True while the client remembers that there is no token service."""
        return self._clock.monotonic() < self._tokenless_until

    def mark_absent(self) -> None:
        """Remember that there is no token service: a PUT that is never answered costs its timeout only once."""
        self._tokenless_until = self._clock.monotonic() + TOKENLESS_MEMORY_SECONDS

    def mark_present(self) -> None:
        """Forget that there was no token service: it seems to exist now."""
        self._tokenless_until = NEVER


class MetadataSession:
    """The requests of one call: one time limit, and the memory of one client.

    Its frames and fields contain tokens and documents. `MetadataClient` removes them from the tracebacks of errors.
    """

    def __init__(
        self,
        endpoint: str,
        token_mode: TokenMode,
        memory: TokenCache,
        clock: Clock,
        session: HttpSession,
        context: FetchContext | None,
    ) -> None:
        self._endpoint = endpoint
        self._token_mode = token_mode
        self._memory = memory
        self._clock = clock
        self._session = session
        self._context = context
        self._fell_back = False

    def item(self, path: str) -> str:
        """One item's text.

        Raises:
            MetadataUnreachable, MetadataError: see `MetadataClient.get`.
        """
        text = self._get(path, "item", decode_text)
        if text is None:
            raise errors.no_such_item(self._request_line(path))
        return text

    def attached_roles(self, wanted: str | None = None) -> tuple[str, ...]:
        """The names that the service lists.

        Raises:
            RoleNotAttached: there is no listing.
        """
        names = self._get(ROLES_PATH, "role", parse_listing)
        if names is None:
            raise errors.no_role(self._request_line(ROLES_PATH), wanted)
        return names

    def credentials_of(self, role: str) -> Credentials | None:
        """Credentials of one role; None if the service does not know it."""

        def parse(response: HttpResponse, request_line: str) -> tuple[Credentials, float | None]:
            return parse_credentials(response, role, request_line), response.server_time()

        path = _role_path(role)
        found = self._get(path, "credentials", parse)
        if found is None:
            return None
        credentials, served_at = found
        self._require_unexpired(credentials, served_at, self._request_line(path))
        if served_at is not None and self._context is not None:
            self._context.record_server_time(served_at)
        return credentials

    def credentials_of_pinned(self, role: str) -> Credentials:
        """Credentials of exactly this role. Only its 404 leads to a listing, for the text of the error."""
        credentials = self.credentials_of(role)
        if credentials is not None:
            return credentials
        attached = self.attached_roles(wanted=role)
        request_line = self._request_line(_role_path(role))
        if role not in attached:
            raise errors.other_role(role, attached, request_line)
        credentials = self.credentials_of(role)  # attached a moment ago
        if credentials is None:
            raise errors.role_without_credentials(role, request_line)
        return credentials

    def credentials_of_attached(self, remembered: str | None) -> Credentials:
        """Credentials of whatever role is attached. The remembered role is requested without a listing."""
        credentials = self.credentials_of(remembered) if remembered else None
        if credentials is not None:
            return credentials
        listed = ""
        for _ in range(2):  # twice, since the role may be replaced between the listing and the next request
            attached = self.attached_roles()
            if attached[0] == listed:
                break
            listed = attached[0]
            if len(attached) > 1:
                _log.warning("The metadata service lists several roles; the first, %r, is used", listed)
            credentials = self.credentials_of(listed)
            if credentials is not None:
                return credentials
        raise errors.role_without_credentials(listed, self._request_line(_role_path(listed)))

    def _request_line(self, path: str, method: str = "GET") -> str:
        return f"{method} {self._endpoint}{path}"

    def _require_unexpired(self, credentials: Credentials, served_at: float | None, request_line: str) -> None:
        """Refuse credentials that had expired for certain when they were served; see `reckon_expiry`.

        If only the local clock says so, it may be wrong: the cache keeps such credentials, and looks at them again.
        """
        now, wall = self._clock.monotonic(), self._clock.time()
        server_time = None if served_at is None else (served_at, now)
        expires_at, certain = reckon_expiry(credentials, server_time, now, wall)
        if certain and expires_at <= now and credentials.expiration is not None:
            raise errors.already_expired(request_line, credentials.expiration, now - expires_at)

    def _get(self, path: str, step: str, parse: Callable[[HttpResponse, str], Parsed]) -> Parsed | None:
        """What `parse` returns for status 200, None for 404; any other answer is an error."""
        memory, request_line = self._memory, self._request_line(path)
        pause = memory.refusal_pause()
        if pause:
            raise errors.tokens_refused(request_line, step, pause)
        token = self._token()
        answer = self._send(path, token, step, parse)
        if _status_of(answer) == 401 and token is not None:
            memory.forget(token)  # it expired early or was revoked: get a new one, once
            token = self._token()
            answer = self._send(path, token, step, parse)
            if _status_of(answer) == 401 and token is not None:
                memory.forget(token)
                raise errors.tokens_refused(request_line, step, memory.mark_refused())
        elif _status_of(answer) in (401, 403) and token is None:
            token = self._token_after_all()
            answer = answer if token is None else self._send(path, token, step, parse)
        if not isinstance(answer, HttpResponse):
            memory.mark_accepted()
            return answer
        if answer.status == 404:
            return None
        raise errors.unexpected_status(answer, request_line, step, self._token_mode, with_token=token is not None)

    def _token_after_all(self) -> str | None:
        """A token for an instance that did without and was hardened since then, once per call."""
        if self._token_mode != PREFER or self._fell_back:
            return None
        self._memory.mark_present()
        return self._new_token()

    def _token(self) -> str | None:
        if self._token_mode == OFF or self._memory.token_service_absent():
            return None
        return self._memory.usable_token() or self._new_token()

    def _new_token(self) -> str | None:
        """A session token; None if the service has none and none is required.

        A call without an answer means that there is no token service, unless it issued a token to this client before.
        """
        request_line = self._request_line(TOKEN_PATH, "PUT")
        may_fall_back = self._token_mode == PREFER

        def parse(response: HttpResponse) -> tuple[str, float]:
            return parse_token(response, request_line), _token_life(response)

        answer: tuple[str, float] | HttpResponse | None
        try:
            answer = self._request(
                "PUT",
                TOKEN_PATH,
                {TOKEN_TTL_HEADER: str(TOKEN_TTL_SECONDS), "Content-Length": "0"},
                parse,
                read_timeout=self._session.remaining() / 2,  # a request without a token needs time too
                max_body=SMALL_BODY_BYTES,
            )
        except HttpError as error:
            silent = isinstance(error, (ReadTimeout, ConnectionBroken)) and not error.answered
            if not silent or not may_fall_back or self._memory.token_service_seen:
                raise self._no_answer(error, "token") from None
            answer = None
        if isinstance(answer, tuple):
            self._memory.keep(*answer)
            return answer[0]
        if answer is None or (may_fall_back and answer.status in errors.NO_TOKEN_SERVICE_STATUS):
            _log.info("%s: there is no token service; continuing without a token", request_line)
            self._memory.mark_absent()
            self._fell_back = True
            return None
        raise errors.no_token(answer, request_line)

    def _send(
        self, path: str, token: str | None, step: str, parse: Callable[[HttpResponse, str], Parsed]
    ) -> Parsed | HttpResponse:
        request_line = self._request_line(path)
        try:
            return self._request(
                "GET",
                path,
                {} if token is None else {TOKEN_HEADER: token},
                lambda response: parse(response, request_line),
                max_body=SMALL_BODY_BYTES if step == "role" else None,
            )
        except HttpError as error:
            raise self._no_answer(error, step) from None

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        parse: Callable[[HttpResponse], Parsed],
        *,
        read_timeout: float | None = None,
        max_body: int | None = None,
    ) -> Parsed | HttpResponse:
        """Send a request, and remember that the service exists if anything comes back."""
        url = self._endpoint + path
        try:
            answer = self._session.request(
                method, url, headers=headers, read_timeout=read_timeout, max_body=max_body, parse=parse
            )
        except FetchError as error:
            if not isinstance(error, HttpError) or error.answered:
                mark_answered(self._endpoint)
            raise
        mark_answered(self._endpoint)
        return answer

    def _no_answer(self, error: HttpError, step: str) -> MetadataUnreachable | MetadataError:
        return errors.no_answer(error, self._endpoint, step, exists=has_answered(self._endpoint))


def _status_of(answer: object) -> int:
    """The status of a response; what was parsed had the status 200."""
    return answer.status if isinstance(answer, HttpResponse) else 200


def _role_path(role: str) -> str:
    return ROLES_PATH + quote(role, safe="")


def _token_life(response: HttpResponse) -> float:
    """The granted lifetime in seconds, if it is a number and not longer than the requested one."""
    granted = response.header(TOKEN_TTL_HEADER).strip()
    if granted.isascii() and granted.isdigit() and len(granted) < 9 and 0 < int(granted) <= TOKEN_TTL_SECONDS:
        return float(granted)
    return float(TOKEN_TTL_SECONDS)
