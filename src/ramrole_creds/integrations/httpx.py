"""Sign what `httpx` sends, with a synchronous or an asynchronous client.

    httpx.post(url, auth=HttpxAuth(Signer(provider, signing.ACS3())))

The same rules as for `requests` (see `signed_exchange`). httpx follows redirects only with `follow_redirects=True`,
and does so behind an Auth's back: each hop is met on its way to the wire, signed again within the host, and refused
with SigningError where it leaves it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from ramrole_creds.errors import SigningError
from ramrole_creds.integrations._auth_flow import NextStep, SigningAuth
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer


class HttpxAuth(httpx.Auth):
    """Signs each request of a call or a client; give it as `auth=`.

    A body given as an iterator or a file can be sent only once: schemes that cover the body refuse it (give bytes),
    and no scheme repeats it.

    Args:
        signer: what signs.
        hosts: hosts that may be signed for (".aliyuncs.com" takes in subdomains); whichever host is called where None.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._agent = SigningAuth(signer, hosts)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign, look at the answer, and sign again where that helps; httpx calls it."""
        exchange = self._agent.begin(str(request.url))
        wire = _Wire(exchange, request)
        credentials = self._agent.signer.provider.get_credentials()
        request.extensions = {**request.extensions, "trace": wire.trace(self._agent.signer)}
        while True:
            wire.sign(credentials)
            response = yield request
            verdict = wire.next_step(response, response.read if response.status_code in wire.read_for else bytes)
            if verdict is NextStep.RETURN:
                return
            fresh = exchange.refresh() if verdict is NextStep.REFRESH else credentials
            if fresh is None:
                return
            credentials = fresh

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same on an asynchronous client; credentials are fetched without blocking the loop."""
        exchange = self._agent.begin(str(request.url))
        wire = _Wire(exchange, request)
        credentials = await _credentials(self._agent.signer)
        request.extensions = {**request.extensions, "trace": wire.async_trace(self._agent.signer)}
        while True:
            wire.sign(credentials)
            response = yield request
            body = await response.aread() if response.status_code in wire.read_for else b""
            verdict = wire.next_step(response, lambda body=body: body)  # type: ignore[misc]  # bound at once
            if verdict is NextStep.RETURN:
                return
            fresh = await _in_thread(exchange.refresh) if verdict is NextStep.REFRESH else credentials
            if fresh is None:
                return
            credentials = fresh


class _Wire:
    """One request of httpx, and what becomes of it on its way to the wire."""

    def __init__(self, exchange: AuthFlow, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request
        self._user_trace = request.extensions.get("trace")
        self._is_signed_hop = False
        self._host = exchange.host
        self.read_for = exchange.error_statuses
        try:
            self._body: Any = request.content
            self._replayable = True
        except httpx.RequestNotRead:
            self._body = iter(())  # stands for a stream, which may be an asynchronous one
            self._replayable = False

    def sign(self, credentials: Credentials) -> None:
        """Sign the request as httpx will send it."""
        request = self._request
        unsigned = Request(request.method, str(request.url), _text(request.headers.raw), body=self._body)
        if unsigned.url != str(request.url):
            request.url = httpx.URL(unsigned.url)
        signed = self._exchange.sign(unsigned, credentials)
        if signed.url != unsigned.url:
            request.url = httpx.URL(signed.url)
        if request.url.raw_path.decode("ascii") != signed.url.partition(signed.host)[2]:
            raise SigningError("httpx would send the URL in another form than it was signed in.")
        request.headers = httpx.Headers(_raw(signed))
        self._host = (signed.header("host") or signed.host).lower()
        self._is_signed_hop = True

    def next_step(self, response: httpx.Response, read: Callable[[], bytes]) -> NextStep:
        """What is to be done with an answer."""
        return self._exchange.next_step(response.status_code, response.headers.get, read, replayable=self._replayable)

    def trace(self, signer: Signer) -> Callable[[str, dict[str, Any]], None]:
        """The hook by which httpcore tells what it is about to send."""

        def on_event(event: str, info: dict[str, Any]) -> None:
            if self._user_trace is not None:
                self._user_trace(event, info)
            hop = self._redirected(event, info)
            if hop is not None:
                self._sign_hop(hop, signer.provider.get_credentials())

        return on_event

    def async_trace(self, signer: Signer) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
        """The same for asynchronous clients."""

        async def on_event(event: str, info: dict[str, Any]) -> None:
            if self._user_trace is not None:
                await self._user_trace(event, info)
            hop = self._redirected(event, info)
            if hop is not None:
                self._sign_hop(hop, await _credentials(signer))

        return on_event

    def _redirected(self, event: str, info: dict[str, Any]) -> Any:  # noqa: ANN401  (a request of httpcore)
        """The request about to be sent, if it is the hop of a redirect; checked to stay on the host.

        Every event that carries a request is checked, whatever its name, so that a renamed one leaks nothing.
        """
        request = info.get("request")
        if request is None or request.method == b"CONNECT":
            return None
        named = next((value for name, value in request.headers if name.lower() == b"host"), request.url.host)
        host = named.decode("ascii", "replace").lower()
        if self._exchange.origin[0] == "https" and _scheme_of(request.url) == b"http":
            raise SigningError(
                f"{self._exchange.host} redirects from https to http: not followed, because token and signature would "
                "travel unprotected."
            )
        if host not in (self._exchange.host, self._host):
            raise SigningError(
                f"{self._exchange.host} redirects to another host ({host}): not followed, because signature and token "
                f"are for {self._exchange.host} only."
            )
        if not event.endswith("send_request_headers.started"):
            return None
        if self._is_signed_hop:
            self._is_signed_hop = False
            return None
        return request

    def _sign_hop(self, request: Any, credentials: Credentials) -> None:  # noqa: ANN401
        scheme, host = self._exchange.origin
        path = request.url.target.decode("ascii")
        if not path.startswith("/"):  # a forward proxy is given whole URLs
            path = "/" + path.partition("://")[2].partition("/")[2]
        names = {name.lower() for name, _ in request.headers}
        body = self._body if names & {b"content-length", b"transfer-encoding"} else None
        if body is not None and not self._replayable:
            raise SigningError(
                f"{self._exchange.host} redirects a request whose body can be sent only once: not followed, because "
                "nothing is left to send. Give the body as bytes."
            )
        unsigned = Request(request.method.decode(), f"{scheme}://{host}{path}", _text(request.headers), body=body)
        signed = self._exchange.sign(unsigned, credentials)
        request.headers = _raw(signed)
        if signed.url != unsigned.url:
            target = signed.url.partition(signed.host)[2]
            request.url.target = request.url.target.replace(path.encode(), target.encode())


def _scheme_of(url: Any) -> bytes:  # noqa: ANN401  (a URL of httpcore)
    """What the origin is spoken to; a forward proxy, whose own scheme the URL has, is given whole URLs."""
    scheme: bytes = url.scheme if url.target.startswith(b"/") else url.target.partition(b":")[0]
    return scheme.lower()


async def _credentials(signer: Signer) -> Credentials:
    """Credentials without blocking the loop, whatever the loop and the provider."""
    get = getattr(signer.provider, "get_credentials_async", None)
    if get is not None and _has_asyncio():
        credentials: Credentials = await get()
        return credentials
    fetched: Credentials = await _in_thread(signer.provider.get_credentials)
    return fetched


async def _in_thread(call: Callable[[], Any]) -> Any:  # noqa: ANN401
    if _has_asyncio():
        return await asyncio.to_thread(call)
    import anyio.to_thread

    return await anyio.to_thread.run_sync(call)


def _has_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in headers]


def _raw(signed: Request) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in signed.headers]
