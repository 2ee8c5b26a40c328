"""Sign what `urllib3` sends.

    http = SigningPool(Signer(provider, signing.ACS3()))
    http.request("POST", url, body=b"…")

urllib3 has no hook for authentication, so this pool signs on top of an ordinary one. It follows redirects and retries
itself: each attempt is signed again, and a redirect to another host is returned to the caller.
"""

from __future__ import annotations

import contextlib
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, parse_url

from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.errors import ConfigurationError, cannot_be_pickled
from ramrole_creds.integrations._auth_flow import (
    REDIRECT_STATUSES,
    NextStep,
    SigningAuth,
    text_headers,
    wire_headers,
)
from ramrole_creds.signing import Request
from ramrole_creds.signing.body import is_seekable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Self

    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer

__all__ = ["SigningPool"]

FORM = "application/x-www-form-urlencoded"
# A pool that insists on following redirects does not follow any with these.
_NO_RETRIES = Retry(total=False, redirect=0, raise_on_redirect=False, raise_on_status=False)


_flow_in_pool: ContextVar[AuthFlow | None] = ContextVar("flow_in_pool", default=None)
"""The flow whose signed request a pool of this thread sends."""


class SigningPool:
    """Sends signed requests through a urllib3 pool.

    Args:
        signer: the signer.
        pool: the PoolManager or ProxyManager that sends; None creates a new PoolManager.
        hosts: hosts that may be signed for (".aliyuncs.com" includes subdomains); None allows every host that you call.
    """

    def __init__(
        self, signer: Signer, pool: urllib3.PoolManager | None = None, hosts: Iterable[str] | None = None
    ) -> None:
        self._auth = SigningAuth(signer, hosts)
        if pool is not None and not callable(getattr(pool, "urlopen", None)):
            raise ConfigurationError(f"pool must be a PoolManager of urllib3, not {type(pool).__name__}.")
        self._pool = urllib3.PoolManager() if pool is None else pool
        _guard(self._pool)
        self._has_own_pool = pool is None

    def __reduce__(self) -> tuple[object, ...]:
        if not self._has_own_pool:
            raise cannot_be_pickled(
                "This SigningPool cannot be pickled: its pool holds connections of this process. Send the signer, and "
                "make the SigningPool where it is used."
            )
        return type(self), (self._auth.signer, None, self._auth.hosts)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @hide_frames
    def request(
        self,
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401  # as in urllib3
        headers: Mapping[str, str] | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        redirect: bool = True,
        retries: Retry | int | bool | None = None,
        **options: Any,  # noqa: ANN401  # those of `urlopen`
    ) -> urllib3.BaseHTTPResponse:
        """Send a request. The answer is that of `PoolManager.request`.

        Args:
            method: the HTTP method.
            url: absolute URL.
            body: bytes, text, a binary file, or an iterable of bytes where the scheme leaves the body unsigned.
            headers: the headers of the request.
            fields: parameters of the query, or of a form where the method has a body and `body` is None.
            redirect: whether to follow redirects. They are followed within the host only.
            retries: as in urllib3, those of the pool by default. Each retry is signed again. A body that
                cannot be rewound is not sent twice.
            **options: for `urlopen` (timeout, preload_content …).

        Raises:
            SigningError: the request cannot be signed, or its host is not among `hosts`.
            urllib3.exceptions.HTTPError: the errors of urllib3.
        """
        request = _request(method, url, body, headers, fields)
        if retries is None:
            retries = getattr(self._pool, "connection_pool_kw", {}).get("retries")
        call = _Call(self._auth, request, Retry.from_int(retries, redirect=redirect), redirect=redirect)
        while True:
            signed = call.sign()
            try:
                with call.covering_connections():
                    response = self._pool.urlopen(
                        signed.method,
                        signed.url,
                        body=signed.body,
                        headers=_spelled(wire_headers(signed)),
                        retries=_NO_RETRIES,
                        redirect=False,
                        **options,
                    )
            except HTTPError as error:
                call.retry_after(error)
            else:
                if not call.goes_on_after(response):
                    return response
                response.drain_conn()


class _Call:
    """One call over its attempts and hops."""

    def __init__(self, auth: SigningAuth, request: Request, policy: Retry, *, redirect: bool) -> None:
        self._auth = auth
        self._request = request
        self._policy = policy
        self._redirect = redirect
        self._flow = auth.begin(request)
        self._credentials = auth.signer.provider.get_credentials()
        self._start = request.body.tell() if is_seekable(request.body) else None
        self._is_first = True

    def sign(self) -> Request:
        """The signed request of the next attempt. A file is rewound to where it began."""
        if not self._is_first and self._start is not None and is_seekable(self._request.body):
            self._request.body.seek(self._start)
        self._is_first = False
        return self._flow.sign(self._request, self._credentials)

    @contextlib.contextmanager
    def covering_connections(self) -> Iterator[None]:
        """Let the pool connect to the origin of this call only: it might follow redirects itself."""
        before = _flow_in_pool.set(self._flow)
        try:
            yield
        finally:
            _flow_in_pool.reset(before)

    def retry_after(self, error: HTTPError) -> None:
        """Wait for the next attempt after the connection failed, or raise the error."""
        if not self._is_replayable():
            raise error
        self._policy = self._policy.increment(
            self._request.method, self._request.url, error=error, _stacktrace=error.__traceback__
        )
        self._policy.sleep()
        self._credentials = self._auth.signer.provider.get_credentials()

    def goes_on_after(self, response: urllib3.BaseHTTPResponse) -> bool:
        """Prepare the next attempt. False where the answer goes to the caller."""
        step = self._flow.next_step(
            response.status, response.headers.get, lambda: response.data, replayable=self._is_replayable()
        )
        if step is NextStep.REFRESH:
            fresh = self._flow.refresh()
            if fresh is None:
                return False
            self._credentials = fresh
            return True
        if step is NextStep.SIGN_AGAIN:
            return True
        if self._redirect and response.status in REDIRECT_STATUSES:
            return self._follows(response)
        return self._retries(response)

    def _follows(self, response: urllib3.BaseHTTPResponse) -> bool:
        target = self._flow.redirect_target(self._request.url, response.headers.get("Location"))
        if target is None or not (self._is_replayable() or _drops_body(self._request.method, response.status)):
            return False
        self._policy = self._policy.increment(self._request.method, self._request.url, response=response)
        self._request = _redirected(self._request, target, response.status)
        self._flow = self._flow.next_hop()
        self._credentials = self._auth.signer.provider.get_credentials()
        return True

    def _retries(self, response: urllib3.BaseHTTPResponse) -> bool:
        has_retry_after = "Retry-After" in response.headers
        method = self._request.method
        if not self._is_replayable() or not self._policy.is_retry(method, response.status, has_retry_after):
            return False
        try:
            self._policy = self._policy.increment(method, self._request.url, response=response)
        except HTTPError:
            if self._policy.raise_on_status:
                raise
            return False
        self._policy.sleep(response)
        self._credentials = self._auth.signer.provider.get_credentials()
        return True

    def _is_replayable(self) -> bool:
        body = self._request.body
        return body is None or isinstance(body, bytes) or self._start is not None


def _guard(pool: urllib3.PoolManager) -> None:
    """Make a pool check, for each connection that a signed request is sent on, whether it goes where it is signed for.

    A subclass may follow redirects although it is asked not to, and so may an object that holds a pool. Requests that
    others send are not affected.
    """
    for manager in (pool, *getattr(pool, "__dict__", {}).values()):
        if isinstance(manager, urllib3.PoolManager) and not isinstance(manager.connection_from_host, _GuardedLookup):
            lookup = _GuardedLookup(manager.connection_from_host)
            manager.connection_from_host = lookup  # type: ignore[method-assign]  # of this instance only


class _GuardedLookup:
    """`PoolManager.connection_from_host`, which leads to no host that the current request is not signed for."""

    def __init__(self, inherited: Callable[..., urllib3.HTTPConnectionPool]) -> None:
        self._inherited = inherited

    def __call__(
        self,
        host: str | None,
        port: int | None = None,
        scheme: str | None = "http",
        pool_kwargs: dict[str, Any] | None = None,
    ) -> urllib3.HTTPConnectionPool:
        flow = _flow_in_pool.get()
        if flow is not None:
            flow.require_covered(Request("GET", f"{scheme}://{host}" + (f":{port}" if port else "")))
        return self._inherited(host, port, scheme, pool_kwargs)


def _spelled(headers: dict[str, str | bytes]) -> dict[str, str | bytes]:
    """The headers with `Host` as a ProxyManager spells it: it would add it beside `host`."""
    return {"Host" if name.lower() == "host" else name: value for name, value in headers.items()}


def _request(
    method: str, url: str, body: object, headers: Mapping[str, str] | None, fields: Mapping[str, str] | None
) -> Request:
    pairs = text_headers(headers or {})
    if fields and body is None and method.upper() not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        body = urlencode(fields)
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", FORM))
        fields = None
    return _as_sent(Request(method, url, pairs, fields or (), body))  # type: ignore[arg-type]  # the body is checked there


_SENT_UNCHANGED = re.compile(r"(?:[A-Za-z0-9_~!$&'()*+,;=:@/?-]|(?<!/)\.|%[0-9A-F]{2})*")


def _as_sent(request: Request) -> Request:
    """The request with its URL in the form in which urllib3 sends it: without dot segments, escapes in capitals."""
    if _SENT_UNCHANGED.fullmatch(request.path) and _SENT_UNCHANGED.fullmatch(request.query):
        return request
    url = parse_url(request.url).url
    return request if url == request.url else Request(request.method, url, request.headers, body=request.body)


def _drops_body(method: str, status: int) -> bool:
    return status == 303 or (status in (301, 302) and method == "POST")


def _redirected(request: Request, target: str, status: int) -> Request:
    """The request of the next hop, as browsers and `requests` build it."""
    if not _drops_body(request.method, status):
        return _as_sent(Request(request.method, target, request.headers, body=request.body))
    about_body = ("content-length", "content-type", "transfer-encoding", "content-md5")
    headers = [pair for pair in request.headers if pair[0].lower() not in about_body]
    return _as_sent(Request("HEAD" if request.method == "HEAD" else "GET", target, headers))
