"""Sign what `urllib3` sends.

    http = SigningPool(Signer(provider, signing.ACS3()))
    http.request("POST", url, body=b"…")

urllib3 has no hook for authentication, hence a pool that signs on top of an ordinary one. The same rules as for
`requests` (see `signed_exchange`); retries are made here, each signed anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

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
    from collections.abc import Iterable, Mapping

    from ramrole_creds.signing import Signer

FORM = "application/x-www-form-urlencoded"


class SigningPool:
    """Sends signed requests through a urllib3 pool.

    Args:
        signer: what signs.
        pool: the PoolManager or ProxyManager that sends; an own one where None.
        hosts: hosts that may be signed for (".aliyuncs.com" takes in subdomains); whichever host is called where None.
    """

    def __init__(
        self, signer: Signer, pool: urllib3.PoolManager | None = None, hosts: Iterable[str] | None = None
    ) -> None:
        self._agent = SigningAuth(signer, hosts)
        self._pool = urllib3.PoolManager() if pool is None else pool

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,  # noqa: ANN401  (as urllib3 has it)
        headers: Mapping[str, str] | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        redirect: bool = True,
        retries: Retry | int | bool | None = None,
        **options: Any,  # noqa: ANN401
    ) -> urllib3.BaseHTTPResponse:
        """Send a request, and answer as `PoolManager.request` does.

        Args:
            method: the HTTP method.
            url: absolute URL.
            body: bytes, text, a binary file, or an iterable of bytes where the scheme leaves the body unsigned.
            headers: of the request.
            fields: parameters for the query, or for a form where the method has a body and `body` is None.
            redirect: whether to follow redirects; they are followed within the host only.
            retries: as urllib3 has it; every retry is signed anew. A body that cannot be rewound is not sent twice.
            **options: for `urlopen` (timeout, preload_content …).

        Raises:
            SigningError: the request cannot be signed, or its host is not among `hosts`.
            urllib3.exceptions.HTTPError: what urllib3 raises.
        """
        request = _request(method, url, body, headers, fields)
        call = _Call(self._agent, request, Retry.from_int(retries, redirect=redirect), redirect=redirect)
        while True:
            signed = call.sign()
            try:
                response = self._pool.urlopen(
                    signed.method,
                    signed.url,
                    body=signed.body,
                    headers=wire_headers(signed),
                    retries=False,
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
    """One call over its attempts."""

    def __init__(self, agent: SigningAuth, request: Request, policy: Retry, *, redirect: bool) -> None:
        self._agent = agent
        self._request = request
        self._policy = policy
        self._redirect = redirect
        self._exchange = agent.begin(request.url)
        self._credentials = agent.signer.provider.get_credentials()
        self._start = request.body.tell() if is_seekable(request.body) else None
        self._is_first = True

    def sign(self) -> Request:
        """The request of the next attempt, signed; a file is set back to where it began."""
        if not self._is_first and self._start is not None and is_seekable(self._request.body):
            self._request.body.seek(self._start)
        self._is_first = False
        return self._exchange.sign(self._request, self._credentials)

    def retry_after(self, error: HTTPError) -> None:
        """Wait for another attempt after the connection failed, or raise the error."""
        if not self._is_replayable():
            raise error
        self._policy = self._policy.increment(
            self._request.method, self._request.url, error=error, _stacktrace=error.__traceback__
        )
        self._policy.sleep()
        self._credentials = self._agent.signer.provider.get_credentials()

    def goes_on_after(self, response: urllib3.BaseHTTPResponse) -> bool:
        """Prepare another attempt; False where the answer is the caller's."""
        verdict = self._exchange.next_step(
            response.status, response.headers.get, lambda: response.data, replayable=self._is_replayable()
        )
        if verdict is NextStep.REFRESH:
            fresh = self._exchange.refresh()
            if fresh is None:
                return False
            self._credentials = fresh
            return True
        if verdict is NextStep.SIGN_AGAIN:
            return True
        if self._redirect and response.status in REDIRECT_STATUSES:
            return self._follows(response)
        return self._retries(response)

    def _follows(self, response: urllib3.BaseHTTPResponse) -> bool:
        target = self._exchange.redirect_target(self._request.url, response.headers.get("Location"))
        if target is None or not (self._is_replayable() or _drops_body(self._request.method, response.status)):
            return False
        self._policy = self._policy.increment(self._request.method, self._request.url, response=response)
        self._request = _redirected(self._request, target, response.status)
        self._credentials = self._agent.signer.provider.get_credentials()
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
        self._credentials = self._agent.signer.provider.get_credentials()
        return True

    def _is_replayable(self) -> bool:
        body = self._request.body
        return body is None or isinstance(body, bytes) or self._start is not None


def _request(
    method: str, url: str, body: object, headers: Mapping[str, str] | None, fields: Mapping[str, str] | None
) -> Request:
    pairs = text_headers(headers or {})
    if fields and body is None and method.upper() not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        body = urlencode(fields)
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", FORM))
        fields = None
    return Request(method, url, pairs, fields or (), body)  # type: ignore[arg-type]


def _drops_body(method: str, status: int) -> bool:
    return status == 303 or (status in (301, 302) and method == "POST")


def _redirected(request: Request, target: str, status: int) -> Request:
    """The request of the next hop, as browsers and `requests` make it."""
    if not _drops_body(request.method, status):
        return Request(request.method, target, request.headers, body=request.body)
    about_body = ("content-length", "content-type", "transfer-encoding", "content-md5")
    headers = [pair for pair in request.headers if pair[0].lower() not in about_body]
    return Request("HEAD" if request.method == "HEAD" else "GET", target, headers)
