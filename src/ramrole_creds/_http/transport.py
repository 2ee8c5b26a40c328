"""The one place that opens connections.

Every request has a time limit that nothing can extend, not even headers that arrive byte by byte. Reading stops at
`max_body`, redirects are never followed, and proxies of the environment are used only on request; netrc and cookies
never are. A failure is an `HttpError` whose text is safe to print: it contains no query, no body and no header.
"""

from __future__ import annotations

import logging  # noqa: F401  # its fork handler takes a lock that imports need; ours registers later and so runs first
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import timezone
from typing import TYPE_CHECKING, TypeVar, cast, overload

from ramrole_creds._checks import checked_seconds
from ramrole_creds._http.errors import ConnectFailed, HttpError, ReadTimeout, TimeLimitExceeded
from ramrole_creds._http.urls import InvalidUrlError, parse_url
from ramrole_creds.clock import DEFAULT_CLOCK, Clock, DefaultClock, is_scheduling
from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
MAX_SANE_AGE_SECONDS = 86400
RETRY_WAIT_SECONDS = 0.1
MAX_RETRY_WAIT_SECONDS = 1.0
MAX_IMPORT_SECONDS = 30.0

_importing = threading.RLock()
"""Held while a request loads a module. A fork waits for it: in the child, no thread would finish loading a module that
a thread of the parent had begun, and a half-loaded module can never be used there."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer.

    Args:
        status: the HTTP status.
        headers: values by lower-case name.
        body: the decoded body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """The value of a header, "" if it is absent."""
        return self.headers.get(name.lower(), "")

    def server_time(self) -> float | None:
        """Unix seconds by the server's clock: `Date` plus the `Age` that a cache in between added."""
        date, age = _http_date(self.header("date")), self.header("age").strip() or "0"
        if date is None or not age.isascii() or not age.isdigit() or len(age) > 9:
            return None
        return date + int(age) if int(age) <= MAX_SANE_AGE_SECONDS else None

    def retry_after(self) -> float | None:
        """Seconds to wait, as the `Retry-After` header says in seconds or as a date."""
        value = self.header("retry-after").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit():
            return float(value[:9])
        until, now = _http_date(value), self.server_time()
        return None if until is None or now is None else max(0.0, until - now)

    def describe_body(self) -> str:
        """The kind of body, without any of its content."""
        if not self.body.strip():
            return "an empty body"
        return "an HTML page" if is_html(self.body) else f"{len(self.body)} bytes"


def pause(seconds: float, clock: Clock = DEFAULT_CLOCK) -> None:
    """Wait between two attempts. Time that a test moves does not pass by waiting: with such a clock, go on at once."""
    if not is_scheduling(clock.target if isinstance(clock, DefaultClock) else clock):
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """How requests are made.

    Args:
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        max_body: maximum bytes of a body, decoded.
        use_environment: use HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE; never for instance metadata.
        verify: False, or the path of a CA bundle, instead of the default certificates.
        attempts: maximum attempts per request, including the first.
        sleep: waits between attempts; takes seconds.

    Raises:
        ConfigurationError: a timeout is not a positive number of seconds.
    """

    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_body: int = 65536
    use_environment: bool = False
    verify: bool | str = True
    attempts: int = 3
    sleep: Callable[[float], None] = field(default=pause, repr=False)

    def __post_init__(self) -> None:
        checked_seconds("connect_timeout", self.connect_timeout)
        checked_seconds("read_timeout", self.read_timeout)

    def open(self, time_limit: float) -> HttpSession:
        """Start a session whose requests share one time limit in seconds."""
        return HttpSession(self, time_limit)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        time_limit: float,
        retry: bool = True,
    ) -> HttpResponse:
        """Send one request with its own time limit; see `HttpSession.request`."""
        return self.open(time_limit).request(method, url, headers=headers, body=body, retry=retry)


class HttpSession:
    """Requests that share one time limit. Keeps no connection between them."""

    def __init__(self, transport: HttpTransport, time_limit: float) -> None:
        self._transport = transport
        self._started = time.monotonic()
        self._deadline = self._started + time_limit
        self.attempts: int = 0
        """Requests that were sent so far, including repeated ones."""

    def elapsed(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self._started

    def remaining(self) -> float:
        """Seconds left of the time limit, 0 once it has passed."""
        return max(0.0, self._deadline - time.monotonic())

    @overload
    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: bool = True,
        read_timeout: float | None = None,
        max_body: int | None = None,
        parse: None = None,
    ) -> HttpResponse: ...
    @overload
    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: bool = True,
        read_timeout: float | None = None,
        max_body: int | None = None,
        parse: Callable[[HttpResponse], Parsed],
    ) -> Parsed | HttpResponse: ...
    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: bool = True,
        read_timeout: float | None = None,
        max_body: int | None = None,
        parse: Callable[[HttpResponse], Parsed] | None = None,
    ) -> Parsed | HttpResponse:
        """Send a request, and repeat it after a refusal, a broken connection, 429 or 5xx; all within the time limit.

        Args:
            method: HTTP method.
            url: absolute URL.
            headers: sent as given.
            body: bytes to send.
            retry: False for a request that must be sent only once.
            read_timeout: shorter than that of the transport; a server that does not answer in it is not asked again.
            max_body: another limit than that of the transport.
            parse: reads an answer with status 200. If it raises a FetchError, the request is repeated.

        Returns:
            What `parse` returned for status 200; the response itself for any other status or without `parse`.

        Raises:
            HttpError: no usable answer came.
            FetchError: what `parse` raised for the last answer.
        """
        patience = min(self._transport.read_timeout, read_timeout or self._transport.read_timeout)

        def send() -> HttpResponse | HttpError:
            return self._send(method, url, headers or {}, body, patience, max_body)

        attempts = _Attempts(send, parse, self.remaining, retry_timeouts=read_timeout is None)
        outcome = attempts.next()
        if retry and self._transport.attempts > 1 and self.remaining() and attempts.may_repeat(outcome):
            outcome = self._repeat(attempts)
        if isinstance(outcome.error, HttpError):
            outcome.error.answered = attempts.answered
        if outcome.error is not None:
            raise outcome.error
        return cast("Parsed | HttpResponse", outcome.value)

    def _repeat(self, attempts: _Attempts) -> _Outcome:
        # Imported at the first failure: a successful request, and so the start of a program, does without it.
        with _importing:
            from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

        back_off = wait_random_exponential(multiplier=RETRY_WAIT_SECONDS, max=MAX_RETRY_WAIT_SECONDS)

        def wait(seconds: float) -> float:
            return min(max(seconds, attempts.last.retry_after()), self.remaining())

        self._transport.sleep(wait(RETRY_WAIT_SECONDS))
        return Retrying(
            sleep=self._transport.sleep,
            wait=lambda state: wait(back_off(state)),
            stop=lambda state: not self.remaining() or stop_after_attempt(self._transport.attempts - 1)(state),
            retry=retry_if_result(attempts.may_repeat),
            retry_error_callback=lambda _state: attempts.last,
        )(attempts.next)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        patience: float,
        max_body: int | None,
    ) -> HttpResponse | HttpError:
        """Send once. Errors are returned, not raised: no traceback then holds what was sent or read."""
        where = f"{method} {safe_url(url)}"
        try:
            parse_url(url)
        except InvalidUrlError as error:
            return ConnectFailed(f"{where}: {error}.")
        if not self.remaining():
            return TimeLimitExceeded(f"{where}: the time limit had passed before the request was sent.")
        try:
            with _importing:
                from ramrole_creds._http.connection import Exchange
        except (OSError, ImportError, MemoryError) as error:  # for instance, no descriptor left to read a module with
            reason = getattr(error, "strerror", None) or f"a module cannot be loaded ({type(error).__name__})"
            return ConnectFailed(f"{where}: {reason.lower()}.", local=True)
        self.attempts += 1
        transport = self._transport
        exchange = Exchange(deadline=self._deadline, use_environment=transport.use_environment, verify=transport.verify)
        try:
            timeouts = (transport.connect_timeout, patience)
            return HttpResponse(*exchange.run(method, url, headers, body, timeouts, max_body or transport.max_body))
        except Exception as error:  # noqa: BLE001  # requests, urllib3, ssl and http.client raise some thirty kinds
            return exchange.explain(error, where)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one attempt: a value or an error, and the response if there was one."""

    value: object = None
    error: FetchError | None = None
    response: HttpResponse | None = None

    def retry_after(self) -> float:
        """Seconds that the server asks to wait, 0 if it names none."""
        return (self.response.retry_after() if self.response is not None else None) or 0.0


_NOT_SENT = _Outcome()


class _Attempts:
    """The attempts at one request."""

    def __init__(
        self,
        send: Callable[[], HttpResponse | HttpError],
        parse: Callable[[HttpResponse], object] | None,
        remaining: Callable[[], float],
        *,
        retry_timeouts: bool,
    ) -> None:
        self._send = send
        self._parse = parse
        self._remaining = remaining
        self._retry_timeouts = retry_timeouts
        self.last = _NOT_SENT
        self.answered = False

    def next(self) -> _Outcome:
        """Make one more attempt if there is time for it; the result of the last one."""
        if self.last is _NOT_SENT or self._remaining():
            self.last = self._read(self._send())
        return self.last

    def may_repeat(self, outcome: _Outcome) -> bool:
        """True if the same request may succeed in a moment."""
        if isinstance(outcome.error, HttpError):
            return outcome.error.retriable and (self._retry_timeouts or not isinstance(outcome.error, ReadTimeout))
        if outcome.retry_after() >= self._remaining():
            return False  # the server itself says that another attempt in time is useless
        return outcome.error is not None or (outcome.response is not None and outcome.response.status in RETRIED_STATUS)

    def _read(self, response: HttpResponse | HttpError) -> _Outcome:
        if isinstance(response, HttpError):
            self.answered = self.answered or response.answered
            return _Outcome(error=response)
        self.answered = True
        if response.status != 200 or self._parse is None:
            return _Outcome(response, response=response)
        try:
            return _Outcome(self._parse(response), response=response)
        except FetchError as error:
            return _Outcome(error=error, response=response)


def safe_url(url: str) -> str:
    """The URL as it may be printed: without user, query and fragment."""
    try:
        parts = parse_url(url)
    except InvalidUrlError:
        return "a malformed URL"
    return f"{parts.base}{parts.path}"


def is_html(content: bytes | str) -> bool:
    """True if the content begins like an HTML or XML document."""
    start = content.lstrip()[:20]
    text = start if isinstance(start, str) else start.decode("latin-1")
    return text.lower().startswith(("<!doctype html", "<html", "<?xml"))


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
        # HTTP dates are in GMT, whether they name it or not.
        return (date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _before_fork() -> None:
    global _forked_with_lock  # noqa: PLW0603  # the handler below needs it
    # Bounded: a module that never finishes loading must not keep the program from forking.
    _forked_with_lock = _importing.acquire(timeout=MAX_IMPORT_SECONDS)


def _after_fork() -> None:
    if _forked_with_lock:
        _importing.release()


_forked_with_lock = False
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
