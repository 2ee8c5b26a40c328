"""Sign what `httpx` sends, with a synchronous or an asynchronous client.

    httpx.post(url, auth=HttpxAuth(Signer(provider, signing.ACS3())))

httpx follows redirects only with `follow_redirects=True`, and without asking an Auth. So the signature stays out of the
request from which httpx builds the next hop. httpx's own transports report each hop before they send it: it is signed
within the host, and a hop to another host raises SigningError. Through other transports a hop goes out unsigned. If the
service rejects it and it stayed within the host, it is signed and sent again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from ramrole_creds._http.urls import authority_of
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations._auth_flow import ERROR_STATUSES, NextStep, SigningAuth
from ramrole_creds.integrations._httpx_request import put_on, require_withdrawal, take_off
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer

import httpx  # after the module that checks that it is installed

__all__ = ["HttpxAuth"]

_BODY_HEADERS = frozenset((b"content-length", b"transfer-encoding"))

WireRequest: TypeAlias = Any
"""A request of httpcore, which httpx does not re-export."""


class HttpxAuth(httpx.Auth):
    """Signs each request of a call or a client. Pass it as `auth=`.

    A body that is an iterator or a file can be sent only once. Schemes that cover the body refuse it (pass bytes), and
    it is never sent again.

    Args:
        signer: the signer.
        hosts: hosts that may be signed for (".aliyuncs.com" includes subdomains); None allows every host that you call.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._auth = SigningAuth(signer, hosts)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign, look at the answer, and sign again where that helps. httpx calls this."""
        signer = self._auth.signer
        call = _Call(self._auth, request, asynchronous=False)
        credentials = signer.provider.get_credentials()
        try:
            while True:
                call.sign(request, credentials)
                response = yield request
                body = response.read() if response.status_code in ERROR_STATUSES else b""
                if (hop := call.unsigned_hop(request, response)) is not None:
                    request, credentials = hop, signer.provider.get_credentials()
                    continue
                step = call.next_step(response, body)
                fresh = call.flow.refresh() if step is NextStep.REFRESH else credentials
                if step is NextStep.RETURN or fresh is None:
                    return
                credentials = fresh
        finally:
            call.end()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for an asynchronous client. Fetching credentials does not block the event loop."""
        signer = self._auth.signer
        call = _Call(self._auth, request, asynchronous=True)
        credentials = await _credentials(signer)
        try:
            while True:
                call.sign(request, credentials)
                response = yield request
                body = await response.aread() if response.status_code in ERROR_STATUSES else b""
                if (hop := call.unsigned_hop(request, response)) is not None:
                    request, credentials = hop, await _credentials(signer)
                    continue
                step = call.next_step(response, body)
                fresh = await _in_thread(call.flow.refresh) if step is NextStep.REFRESH else credentials
                if step is NextStep.RETURN or fresh is None:
                    return
                credentials = fresh
        finally:
            call.end()


class _Call:
    """One request of httpx, and its hops on the way to the wire."""

    __slots__ = (
        "_asynchronous",
        "_body",
        "_ended",
        "_hop_signed",
        "_replayable",
        "_signed",
        "_signer",
        "_unsigned",
        "_url",
        "flow",
        "user_trace",
    )

    def __init__(self, auth: SigningAuth, request: httpx.Request, *, asynchronous: bool) -> None:
        self._signer = auth.signer
        take_off(request)
        trace = request.extensions.get("trace")
        redirected: object = getattr(trace, "__self__", None)
        self.user_trace: Any = redirected.user_trace if isinstance(redirected, _Call) else trace
        """The hook of the user, if the request has one."""
        self._asynchronous = asynchronous
        self._hop_signed = False
        self._ended = False  # after the call, httpx may send what it built from the request, which is unsigned
        try:
            self._body: Any = request.content
            self._replayable = True
        except httpx.RequestNotRead:
            self._body = iter(())  # represents a stream, which may be asynchronous
            self._replayable = False
        unsigned = self._request_of(request)
        self._unsigned: Request | None = unsigned
        self._signed: Request | None = unsigned
        if isinstance(redirected, _Call):  # `next_request` of an answer, which the caller sends
            redirected.flow.require_covered(unsigned)
        self.flow: AuthFlow = auth.begin(unsigned)
        require_withdrawal()

    @property
    def owned_headers(self) -> frozenset[str]:
        """The headers that the signature consists of."""
        return self._signer.scheme.owned_headers

    @property
    def first(self) -> Callable[..., Any]:
        """The hook for httpcore's trace that checks the first hop."""
        return self._on_first_async if self._asynchronous else self._on_first

    @property
    def hop(self) -> Callable[..., Any]:
        """The hook for httpcore's trace that checks and signs the next hops."""
        return self._on_hop_async if self._asynchronous else self._on_hop

    def end(self) -> None:
        """Check and sign nothing from now on. Responses may be kept for long, but not what was signed for them."""
        self._ended = True
        self._unsigned = self._signed = None
        self.flow.end()

    def sign(self, request: httpx.Request, credentials: Credentials) -> None:
        """Sign the request as httpx will send it.

        Raises:
            SigningError: the request leaves the host, or httpx would send another URL than the signed one.
        """
        unsigned = self._unsigned or self._request_of(request)
        self._unsigned = None
        signed = self.flow.sign(unsigned, credentials)
        url = httpx.URL(signed.url) if signed.url != self._url else None
        if url is not None and not _sends_as_signed(url, signed):
            raise SigningError("httpx would send the URL in another form than it was signed in.")
        changed = signed.body if signed.body is not unsigned.body and isinstance(signed.body, bytes) else None
        put_on(request, httpx.Headers(_raw(signed)), self, changed, url)
        self._signed = signed
        self._hop_signed = False

    def next_step(self, response: httpx.Response, body: bytes) -> NextStep:
        """What to do with an answer."""
        return self.flow.next_step(
            response.status_code, response.headers.get, lambda: body, replayable=self._replayable
        )

    def unsigned_hop(self, request: httpx.Request, response: httpx.Response) -> httpx.Request | None:
        """The last hop of a redirect, where the transport sent it unsigned and a signature may help."""
        hop = response.request
        if hop is request or self._hop_signed or response.status_code not in ERROR_STATUSES or not self._replayable:
            return None
        if not self.flow.covers_url(str(hop.url)):
            return None
        self.flow = self.flow.next_hop()
        return hop

    def _on_first(self, event: str, info: dict[str, Any]) -> None:
        """Check what a transport is about to send of the first hop."""
        if self.user_trace is not None:
            self.user_trace(event, info)
        self._hop_of(event, info)

    async def _on_first_async(self, event: str, info: dict[str, Any]) -> None:
        """The same for asynchronous clients."""
        if self.user_trace is not None:
            await self.user_trace(event, info)
        self._hop_of(event, info)

    def _on_hop(self, event: str, info: dict[str, Any]) -> None:
        """Check and sign the next hop of a redirect before it is sent."""
        if self.user_trace is not None:
            self.user_trace(event, info)
        hop = self._hop_of(event, info)
        if hop is not None:
            self._sign_hop(hop, self._signer.provider.get_credentials())

    async def _on_hop_async(self, event: str, info: dict[str, Any]) -> None:
        """The same for asynchronous clients."""
        if self.user_trace is not None:
            await self.user_trace(event, info)
        hop = self._hop_of(event, info)
        if hop is not None:
            self._sign_hop(hop, await _credentials(self._signer))

    def _request_of(self, request: httpx.Request) -> Request:
        raw = request.headers.raw
        self._url = str(request.url)
        return Request(request.method, self._url, _text(raw), body=self._body if _has_body(raw) else None)

    def _hop_of(self, event: str, info: dict[str, Any]) -> WireRequest | None:
        """The hop of a redirect that is about to be sent.

        Every event that carries a request is checked, whatever its name, so that a renamed event leaks nothing.

        Raises:
            SigningError: the hop leaves the host.
        """
        request = info.get("request")
        if request is None or request.method == b"CONNECT" or self._ended:
            return None
        self._require_same_host(request)
        return request if event.endswith("send_request_headers.started") else None

    def _require_same_host(self, request: WireRequest) -> None:
        url = _wire_url(request)
        named = next((value for name, value in request.headers if name.lower() == b"host"), b"")
        host = named.decode("ascii", "replace").lower() or self.flow.host
        signed = self._signed
        signed_for = self.flow.host if signed is None else (signed.header("host") or signed.host).lower()
        if self.flow.covers_url(url) and host in (self.flow.host, signed_for):
            return
        if self.flow.origin[0] == "https" and url.startswith("http:"):
            raise SigningError(
                f"{self.flow.host} redirects from https to http. The redirect is not followed, because token and "
                "signature would be sent unencrypted."
            )
        raise SigningError(
            f"{self.flow.host} redirects to another host ({host}). The redirect is not followed, because signature and "
            f"token are for {self.flow.host} only."
        )

    def _sign_hop(self, request: WireRequest, credentials: Credentials) -> None:
        body = self._body if _has_body(request.headers) else None
        if body is not None and not self._replayable:
            raise SigningError(
                f"{self.flow.host} redirects a request whose body can be sent only once. The redirect is not followed, "
                "because nothing is left to send. Pass the body as bytes."
            )
        unsigned = Request(request.method.decode(), _wire_url(request), _text(request.headers), body=body)
        signed = self.flow.sign(unsigned, credentials)
        request.headers = _raw(signed)
        if signed.body is not unsigned.body and isinstance(signed.body, bytes):
            request.stream = httpx.ByteStream(signed.body)
        if signed.url != unsigned.url:
            target = _target(signed) if request.url.target.startswith(b"/") else signed.url
            request.url.target = target.encode()
        self._hop_signed = True


def _wire_url(request: WireRequest) -> str:
    """The URL that a request of httpcore is sent to. A forward proxy gets it whole, in place of the path."""
    url = request.url
    if not url.target.startswith(b"/"):
        return url.target.decode("ascii", "replace")
    host = url.host.decode("ascii", "replace")
    authority = authority_of(host, url.port or None)
    return f"{url.scheme.decode('ascii', 'replace')}://{authority}{url.target.decode('ascii', 'replace')}"


def _sends_as_signed(url: httpx.URL, signed: Request) -> bool:
    return url.netloc.decode("ascii") == signed.host and url.raw_path.decode("ascii") == _target(signed)


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, _ in headers:  # noqa: SIM110  # any() with a generator takes twice the time
        if name.lower() in _BODY_HEADERS:
            return True
    return False


def _target(signed: Request) -> str:
    """Path and query."""
    return f"{signed.path}?{signed.query}" if signed.query else signed.path


async def _credentials(signer: Signer) -> Credentials:
    """Credentials without blocking the event loop, whichever loop and provider it is."""
    get = getattr(signer.provider, "get_credentials_async", None)
    if get is not None and _has_asyncio():
        credentials: Credentials = await get()
        return credentials
    return await _in_thread(signer.provider.get_credentials)


async def _in_thread(call: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever `call` returns
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
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in signed.headers]
