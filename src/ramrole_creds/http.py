"""The one place that opens connections.

Every request has a time limit that nothing can stretch, not even headers that drip in byte by byte; a body is cut off
at its cap; redirects are never followed; proxies, netrc and cookies of the environment play no part unless asked for.
What goes wrong is told as an `HttpError` whose text is safe to print: it has no query, no body and no header in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tenacity import RetryCallState
    from typing_extensions import Self

    from ramrole_creds.connections import DeadlineSession

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
LONGEST_SANE_AGE_SECONDS = 86400
RETRY_WAIT_SECONDS = 0.1
LONGEST_RETRY_WAIT_SECONDS = 1.0


class HttpError(FetchError):
    """A request that got no usable answer.

    Args:
        connected: True where the server had been reached.
        retriable: True where the same request may succeed in a moment.
    """

    def __init__(self, message: str = "", *, connected: bool = False, retriable: bool = False) -> None:
        super().__init__(message)
        self.connected = connected
        self.retriable = retriable


class ConnectTimeout(HttpError):
    """Nobody answered the attempt to connect: packets are dropped on the way."""


class ConnectFailed(HttpError):
    """Refused, unreachable, or a name that does not resolve."""


class ReadTimeout(HttpError):
    """Connected, and then no answer in time."""


class ConnectionBroken(HttpError):
    """The connection ended before the answer did."""


class BadResponse(HttpError):
    """What came back is not HTTP, or cannot be decoded."""


class BodyTooLarge(HttpError):
    """The answer is longer than anything sensible; reading was stopped at the cap."""


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
        from email.utils import parsedate_to_datetime

        age = self.header("age").strip()
        try:
            date = parsedate_to_datetime(self.header("date")).timestamp()
            seconds = int(age) if age else 0
        except (ValueError, TypeError, OverflowError):
            return None
        return date + seconds if 0 <= seconds <= LONGEST_SANE_AGE_SECONDS else None

    def retry_after(self) -> float | None:
        """Seconds that the server asks to be left alone, where it says so in seconds."""
        value = self.header("retry-after").strip()
        return float(value) if value.isascii() and value.isdigit() else None

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
    """

    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    max_body: int = 65536
    use_environment: bool = False
    verify: bool | str = True
    attempts: int = 3
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def open(self, time_limit: float) -> HttpSession:
        """A session whose requests share connections and one time limit in seconds."""
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
        with self.open(time_limit) as session:
            return session.request(method, url, headers=headers, body=body, retry=retry)


class HttpSession:
    """Requests of one fetch: kept-alive connections, closed with it, so that no process inherits them."""

    def __init__(self, transport: HttpTransport, time_limit: float) -> None:
        self._transport = transport
        self._deadline = time.monotonic() + time_limit
        self._session: DeadlineSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        retry: bool = True,
        retry_timeouts: bool = True,
        max_body: int | None = None,
    ) -> HttpResponse:
        """Ask, and ask again after a refusal, a cut connection, 429 or 5xx; all within the time limit.

        Args:
            method: HTTP method.
            url: absolute URL.
            headers: sent as given.
            body: bytes to send.
            retry: False for a request that must be sent once only.
            retry_timeouts: False where a server that does not answer is not asked again.
            max_body: another cap than the transport's.

        Raises:
            HttpError: there was no usable answer. An answer of any status is returned.
        """

        def attempt() -> HttpResponse | HttpError:
            return self._attempt(method, url, headers or {}, body, max_body or self._transport.max_body)

        def again(outcome: HttpResponse | HttpError) -> bool:
            if not retry or self._remaining() <= 0:
                return False
            if isinstance(outcome, HttpResponse):
                return outcome.status in RETRIED_STATUS
            return outcome.retriable and (retry_timeouts or not isinstance(outcome, ReadTimeout))

        outcome = attempt()
        if again(outcome) and self._transport.attempts > 1:
            outcome = self._attempt_again(attempt, again, outcome)
        if isinstance(outcome, HttpError):
            raise outcome
        return outcome

    def _attempt_again(
        self,
        attempt: Callable[[], HttpResponse | HttpError],
        again: Callable[[HttpResponse | HttpError], bool],
        first: HttpResponse | HttpError,
    ) -> HttpResponse | HttpError:
        # Imported where the first failure needs it: the good case, and with it a program's start, does without.
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

        back_off = wait_random_exponential(multiplier=RETRY_WAIT_SECONDS, max=LONGEST_RETRY_WAIT_SECONDS)

        def wait(outcome: HttpResponse | HttpError, seconds: float) -> float:
            asked_for = outcome.retry_after() if isinstance(outcome, HttpResponse) else None
            return max(0.0, min(max(seconds, asked_for or 0.0), self._remaining()))

        def wait_after(state: RetryCallState) -> float:
            last: HttpResponse | HttpError = state.outcome.result() if state.outcome is not None else first
            return wait(last, back_off(state))

        self._transport.sleep(wait(first, RETRY_WAIT_SECONDS))
        return Retrying(
            sleep=self._transport.sleep,
            wait=wait_after,
            stop=stop_after_attempt(self._transport.attempts - 1),
            retry=retry_if_result(again),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else first,
        )(attempt)

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, max_body: int
    ) -> HttpResponse | HttpError:
        """One try. Errors are returned, not raised: no traceback then holds what was sent or read."""
        from ramrole_creds.connections import DeadlineSession, explain

        where = f"{method} {shown_url(url)}"
        if self._remaining() <= 0:
            return ReadTimeout(f"{where}: the time limit was used up before it was asked.")
        if self._session is None:
            self._session = DeadlineSession(
                deadline=self._deadline,
                use_environment=self._transport.use_environment,
                verify=self._transport.verify,
            )
        timeouts = (self._transport.connect_timeout, self._transport.read_timeout)
        try:
            status, answered, content = self._session.exchange(method, url, headers, body, timeouts, max_body)
        except Exception as error:  # noqa: BLE001  # requests, urllib3, ssl and http.client raise some thirty kinds
            return explain(error, where)
        return HttpResponse(status, answered, content)


def shown_url(url: str) -> str:
    """The URL as it may be printed: without user, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
