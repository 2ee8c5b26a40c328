"""The one place that opens connections.

Every request has a time limit that nothing can stretch, not even headers that drip in byte by byte; a body is cut off
at its cap; redirects are never followed; proxies, netrc and cookies of the environment play no part unless asked for.
What goes wrong is told as an `HttpError` whose text is safe to print: it has no query, no body and no header in it.
"""

from __future__ import annotations

import logging  # noqa: F401  # its handler takes a lock before a fork that imports need: ours is set up later, to run sooner
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import timezone
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from ramrole_creds._http.errors import ConnectFailed, HttpError, ReadTimeout, TimeLimitExceeded
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tenacity import RetryCallState
    from typing_extensions import Self

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
MAX_SANE_AGE_SECONDS = 86400
RETRY_WAIT_SECONDS = 0.1
MAX_RETRY_WAIT_SECONDS = 1.0
MAX_IMPORT_SECONDS = 30.0

_importing = threading.RLock()
"""Held while a module is loaded that a request needs. A process splits only when it is free: in the child no thread
goes on loading what one of the parent had begun, and what is half loaded can never be used there."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read whole.

    Args:
        headers: looked up by lower-case name.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """A header's value, "" where it is absent."""
        return self.headers.get(name.lower(), "")

    def server_time(self) -> float | None:
        """Unix seconds by the server's clock: `Date`, plus the `Age` that a cache on the way added to it."""
        date, age = _http_date(self.header("date")), self.header("age").strip() or "0"
        if date is None or not age.isascii() or not age.isdigit() or len(age) > 9:
            return None
        return date + int(age) if int(age) <= MAX_SANE_AGE_SECONDS else None

    def retry_after(self) -> float | None:
        """Seconds that the server asks to be left alone, said as such or as a date."""
        value = self.header("retry-after").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit():
            return float(value[:9])
        until, now = _http_date(value), self.server_time()
        return None if until is None or now is None else max(0.0, until - now)

    def describe_body(self) -> str:
        """What the body looks like, without showing any of it."""
        if not self.body.strip():
            return "an empty body"
        start = self.body.lstrip()[:100].lower()
        if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
            return "an HTML page"
        return f"{len(self.body)} bytes"


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """How requests are made.

    Args:
        connect_timeout: seconds for connecting.
        read_timeout: seconds without a byte.
        max_body: most bytes of a body, decoded.
        use_environment: honour HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE; never for instance metadata.
        verify: False, or a CA bundle's path, in place of the default certificates.
        attempts: most tries of one request, the first included.
        sleep: waits between tries; seconds.

    Raises:
        ConfigurationError: a timeout is no number of seconds above 0.
    """

    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_body: int = 65536
    use_environment: bool = False
    verify: bool | str = True
    attempts: int = 3
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "read_timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}.")

    def open(self, time_limit: float) -> HttpSession:
        """A session whose requests share one time limit in seconds."""
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
        """One request in a session of its own; see `HttpSession.request`."""
        return self.open(time_limit).request(method, url, headers=headers, body=body, retry=retry)


class HttpSession:
    """Requests of one fetch, which share one time limit. Holds no socket between them."""

    def __init__(self, transport: HttpTransport, time_limit: float) -> None:
        self._transport = transport
        self._started = time.monotonic()
        self._deadline = self._started + time_limit
        self.attempts = 0
        """Requests that were sent so far, repeated ones included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is held that would have to be given back."""

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def remaining(self) -> float:
        """Seconds left of the time limit, 0 when it has run out."""
        return max(0.0, self._deadline - time.monotonic())

    def request(  # noqa: PLR0913  # all but method and URL by keyword, and rarely needed
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: bool = True,
        retry_timeouts: bool = True,
        read_timeout: float | None = None,
        max_body: int | None = None,
        is_usable: Callable[[HttpResponse], bool] | None = None,
    ) -> HttpResponse:
        """Ask, and ask again after a refusal, a cut connection, 429 or 5xx; all within the time limit.

        Args:
            method: HTTP method.
            url: absolute URL.
            headers: sent as given.
            body: bytes to send.
            retry: False for a request that must be sent once only.
            retry_timeouts: False where a server that does not answer is not asked again.
            read_timeout: a shorter one than the transport's.
            max_body: another cap than the transport's.
            is_usable: looks at a 200; where it says False, the server is asked again.

        Raises:
            HttpError: there was no usable answer. An answer of any status is returned.
        """
        transport = self._transport
        patience = min(transport.read_timeout, read_timeout or transport.read_timeout)
        outcomes: list[HttpResponse | HttpError] = []

        def attempt() -> HttpResponse | HttpError:
            if not outcomes or self.remaining():
                outcomes.append(self._attempt(method, url, headers or {}, body, patience, max_body))
            return outcomes[-1]

        def again(outcome: HttpResponse | HttpError) -> bool:
            if isinstance(outcome, HttpError):
                return outcome.retriable and (retry_timeouts or not isinstance(outcome, ReadTimeout))
            if (outcome.retry_after() or 0.0) >= self.remaining():
                return False  # it says itself that asking again in time is useless
            wanting = outcome.status == 200 and is_usable is not None and not is_usable(outcome)
            return wanting or outcome.status in RETRIED_STATUS

        outcome = attempt()
        if retry and transport.attempts > 1 and self.remaining() and again(outcome):
            outcome = self._attempt_again(attempt, again, outcome)
        if isinstance(outcome, HttpError):
            outcome.answered = any(isinstance(one, HttpResponse) or one.answered for one in outcomes)
            raise outcome
        return outcome

    def _attempt_again(
        self,
        attempt: Callable[[], HttpResponse | HttpError],
        again: Callable[[HttpResponse | HttpError], bool],
        first: HttpResponse | HttpError,
    ) -> HttpResponse | HttpError:
        # Imported where the first failure needs it: the good case, and with it a program's start, does without.
        with _importing:
            from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

        back_off = wait_random_exponential(multiplier=RETRY_WAIT_SECONDS, max=MAX_RETRY_WAIT_SECONDS)

        def last(state: RetryCallState) -> HttpResponse | HttpError:
            return first if state.outcome is None else cast("HttpResponse | HttpError", state.outcome.result())

        def wait(outcome: HttpResponse | HttpError, seconds: float) -> float:
            asked_for = outcome.retry_after() if isinstance(outcome, HttpResponse) else None
            return min(max(seconds, asked_for or 0.0), self.remaining())

        self._transport.sleep(wait(first, RETRY_WAIT_SECONDS))
        return Retrying(
            sleep=self._transport.sleep,
            wait=lambda state: wait(last(state), back_off(state)),
            stop=lambda state: not self.remaining() or stop_after_attempt(self._transport.attempts - 1)(state),
            retry=retry_if_result(again),
            retry_error_callback=last,
        )(attempt)

    def _attempt(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        patience: float,
        max_body: int | None,
    ) -> HttpResponse | HttpError:
        """One try. Errors are returned, not raised: no traceback then holds what was sent or read."""
        where = f"{method} {safe_url(url)}"
        if not self.remaining():
            return TimeLimitExceeded(f"{where}: the time limit was used up before it was asked.")
        try:
            with _importing:
                from ramrole_creds._http.connection import Exchange
        except OSError as error:  # no file descriptor left to read the module with
            return ConnectFailed(f"{where}: {(error.strerror or 'cannot connect').lower()}.", local=True)
        self.attempts += 1
        transport = self._transport
        exchange = Exchange(deadline=self._deadline, use_environment=transport.use_environment, verify=transport.verify)
        try:
            timeouts = (transport.connect_timeout, patience)
            return HttpResponse(*exchange.run(method, url, headers, body, timeouts, max_body or transport.max_body))
        except Exception as error:  # noqa: BLE001  # requests, urllib3, ssl and http.client raise some thirty kinds
            return exchange.explain(error, where)


def safe_url(url: str) -> str:
    """The URL as it may be printed: without user, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what is no URL"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
        # HTTP knows no other zone than GMT, named or not.
        return (date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _before_fork() -> None:
    global _split_with_lock  # noqa: PLW0603  # what the two handlers below must know
    # Bounded: whatever a module does while it is loaded, it does not keep a program from splitting.
    _split_with_lock = _importing.acquire(timeout=MAX_IMPORT_SECONDS)


def _after_fork() -> None:
    if _split_with_lock:
        _importing.release()


_split_with_lock = False
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
