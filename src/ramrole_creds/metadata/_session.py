"""The requests of one call of the metadata client: which are made, in which order, with or without a token."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from ramrole_creds._http.errors import ConnectionBroken, HttpError, ReadTimeout
from ramrole_creds.errors import MetadataError
from ramrole_creds.metadata import _errors as trouble
from ramrole_creds.metadata._parsing import decode_text, parse_credentials, parse_listing, parse_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._http.transport import HttpResponse, HttpSession
    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.metadata.token_mode import TokenMode

_log = logging.getLogger(__name__)


TOKEN_PATH = "/latest/api/token"  # noqa: S105  # a path
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105  # a header's name
TOKEN_TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"  # noqa: S105  # a header's name
TOKEN_TTL_SECONDS = 21600
TOKEN_MARGIN_SECONDS = 30
TOKENLESS_MEMORY_SECONDS = 21600.0
NEVER = float("-inf")
ROLES_PATH = "/latest/meta-data/ram/security-credentials/"
SMALL_BODY_BYTES = 8192
SANE_CLOCK_DIFFERENCE_SECONDS = 2 * 86400.0

Parsed = TypeVar("Parsed")


class TokenCache:
    """What a client knows about tokens from one call to the next.

    Each of its two fields is replaced as a whole: the worst that two threads at once can do is to ask for a token
    twice.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token: tuple[str, float] | None = None
        self._tokenless_until = NEVER

    def usable_token(self) -> str | None:
        """The session token, while it lives."""
        held = self._token
        return held[0] if held is not None and self._clock.monotonic() < held[1] else None

    def keep(self, token: str, ttl_seconds: float) -> None:
        """Keep a token until shortly before its end."""
        margin = min(TOKEN_MARGIN_SECONDS, ttl_seconds / 10)
        self._token = (token, self._clock.monotonic() + ttl_seconds - margin)
        self._tokenless_until = NEVER

    def forget(self, token: str) -> None:
        """The service refused this one; a newer one, of another thread, stays."""
        held = self._token
        if held is not None and held[0] == token:
            self._token = None

    def token_service_absent(self) -> bool:
        """True while it is remembered that there is no token service."""
        return self._clock.monotonic() < self._tokenless_until

    def mark_absent(self) -> None:
        """Do without for a while: the time-out of a service that never answers a PUT is not paid at each refresh."""
        self._tokenless_until = self._clock.monotonic() + TOKENLESS_MEMORY_SECONDS

    def forget_no_service(self) -> None:
        """There seems to be one after all."""
        self._tokenless_until = NEVER


class MetadataSession:
    """The requests of one call: one time limit, one client's memory.

    Its frames and fields hold tokens and documents; who calls it cuts them off the tracebacks of what it raises.
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
        return decode_text(self._get(path, step="item"), f"GET {self._endpoint}{path}")

    def attached_roles(self, wanted: str | None = None) -> tuple[str, ...]:
        """The names that the service lists.

        Raises:
            RoleNotAttached: there is no listing.
        """
        asked = f"GET {self._endpoint}{ROLES_PATH}"
        response = self._get(
            ROLES_PATH, step="role", missing_is_answer=True, is_usable=_is_read_by(parse_listing, asked)
        )
        if response.status == 404:
            raise trouble.no_role(asked, wanted)
        return parse_listing(response, asked)

    def credentials_of(self, role: str) -> Credentials | None:
        """None where the service does not know the role."""
        path = ROLES_PATH + quote(role, safe="")
        asked = f"GET {self._endpoint}{path}"

        def parse(answer: HttpResponse, asked: str) -> Credentials:
            return parse_credentials(answer, role, asked)

        response = self._get(path, step="credentials", missing_is_answer=True, is_usable=_is_read_by(parse, asked))
        if response.status == 404:
            return None
        served_at = response.server_time()
        credentials = parse(response, asked)
        self._require_alive(credentials, served_at, asked)
        if served_at is not None and self._context is not None:
            self._context.record_server_time(served_at)
        return credentials

    def credentials_of_pinned(self, role: str) -> Credentials:
        """Credentials of this role and no other; only a 404 leads to a listing, to say what is attached instead."""
        credentials = self.credentials_of(role)
        if credentials is not None:
            return credentials
        attached = self.attached_roles(wanted=role)
        asked = f"GET {self._endpoint}{ROLES_PATH}{quote(role, safe='')}"
        if role not in attached:
            raise trouble.other_role(role, attached, asked)
        credentials = self.credentials_of(role)  # attached this moment
        if credentials is None:
            raise trouble.role_without_credentials(role, asked)
        return credentials

    def credentials_of_attached(self, remembered: str | None) -> Credentials:
        """Credentials of whatever role is attached; the remembered one is asked for without a listing."""
        credentials = self.credentials_of(remembered) if remembered else None
        if credentials is not None:
            return credentials
        listed = ""
        for _ in range(2):  # twice, since it may be replaced between listing and asking
            attached = self.attached_roles()
            if attached[0] == listed:
                break
            listed = attached[0]
            if len(attached) > 1:
                _log.warning("The metadata service lists several roles; the first, %r, is used", listed)
            credentials = self.credentials_of(listed)
            if credentials is not None:
                return credentials
        raise trouble.role_without_credentials(listed, f"GET {self._endpoint}{ROLES_PATH}{quote(listed, safe='')}")

    def _require_alive(self, credentials: Credentials, served_at: float | None, asked: str) -> None:
        if credentials.expiration is None:
            return
        wall = self._clock.time()
        sane = served_at is not None and abs(served_at - wall) <= SANE_CLOCK_DIFFERENCE_SECONDS
        now = served_at if served_at is not None and sane else wall
        ago = now - credentials.expiration.timestamp()
        if ago >= 0:
            raise trouble.ended_already(asked, credentials.expiration, ago, by_its_own_clock=sane)

    def _get(
        self,
        path: str,
        *,
        step: str,
        missing_is_answer: bool = False,
        is_usable: Callable[[HttpResponse], bool] | None = None,
    ) -> HttpResponse:
        """A 200, or a 404 where that is an answer too; everything else is raised."""
        memory = self._memory
        token = self._token()
        response = self._send(path, token, step, is_usable)
        if response.status == 401 and token is not None:
            memory.forget(token)  # it ended early or was revoked: a new one, once
            token = self._token()
            response = self._send(path, token, step, is_usable)
        elif (
            response.status in (401, 403)
            and token is None
            and self._token_mode == "prefer"  # noqa: S105  # a mode
            and not self._fell_back
        ):
            memory.forget_no_service()  # hardened since: a token, once
            token = self._new_token()
            if token is not None:
                response = self._send(path, token, step, is_usable)
        if response.status == 200 or (response.status == 404 and missing_is_answer):
            return response
        asked = f"GET {self._endpoint}{path}"
        raise trouble.refused(response, asked, step, self._token_mode, with_token=token is not None)

    def _token(self) -> str | None:
        if self._token_mode == "off" or self._memory.token_service_absent():  # noqa: S105  # a mode
            return None
        return self._memory.usable_token() or self._new_token()

    def _new_token(self) -> str | None:
        """A session token, or None where the service has none and none is required."""
        asked = f"PUT {self._endpoint}{TOKEN_PATH}"
        may_fall_back = self._token_mode == "prefer"  # noqa: S105  # a mode
        response: HttpResponse | None = None
        failure: Exception | None = None
        try:
            response = self._session.request(
                "PUT",
                self._endpoint + TOKEN_PATH,
                headers={TOKEN_TTL_HEADER: str(TOKEN_TTL_SECONDS), "Content-Length": "0"},
                retry_timeouts=False,
                read_timeout=self._session.remaining() / 2,  # what falls back needs time too
                max_body=SMALL_BODY_BYTES,
                is_usable=_is_read_by(parse_token, asked),
            )
        except HttpError as error:
            silent = isinstance(error, (ReadTimeout, ConnectionBroken)) and not error.answered
            if not (silent and may_fall_back):
                failure = trouble.no_answer(error, self._endpoint, "token")
        if failure is not None:  # raised here, where it does not drag the other along
            raise failure
        if response is not None and response.status == 200:
            token = parse_token(response, asked)
            self._memory.keep(token, _token_life(response))
            return token
        if response is None or (may_fall_back and response.status in trouble.NO_TOKEN_SERVICE_STATUS):
            _log.info("%s: no token service there; going on without a token", asked)
            self._memory.mark_absent()
            self._fell_back = True
            return None
        raise trouble.no_token(response, asked)

    def _send(
        self, path: str, token: str | None, step: str, is_usable: Callable[[HttpResponse], bool] | None
    ) -> HttpResponse:
        failure: Exception
        try:
            return self._session.request(
                "GET",
                self._endpoint + path,
                headers={} if token is None else {TOKEN_HEADER: token},
                max_body=SMALL_BODY_BYTES if step == "role" else None,
                is_usable=is_usable,
            )
        except HttpError as error:
            failure = trouble.no_answer(error, self._endpoint, step)
        raise failure


def _is_read_by(parse: Callable[[HttpResponse, str], object], asked: str) -> Callable[[HttpResponse], bool]:
    """Tells whether an answer can be read: one that cannot is asked for again."""

    def is_usable(response: HttpResponse) -> bool:
        try:
            parse(response, asked)
        except MetadataError:
            return False
        return True

    return is_usable


def _token_life(response: HttpResponse) -> float:
    """The life the service grants, where it says one and it is no longer than what was asked for."""
    granted = response.header(TOKEN_TTL_HEADER).strip()
    if granted.isascii() and granted.isdigit() and len(granted) < 9 and 0 < int(granted) <= TOKEN_TTL_SECONDS:
        return float(granted)
    return float(TOKEN_TTL_SECONDS)
