"""Sign what `aiohttp` sends.

    async with aiohttp.ClientSession(middlewares=(AiohttpAuth(Signer(provider, signing.ACS3())),)) as session:
        await session.post(url, data=body)

aiohttp calls a middleware for every hop of a redirect, including hops to other hosts. Such a hop raises SigningError
here, and nothing is sent. The same holds where a middleware behind this one sends a signed request elsewhere.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

from ramrole_creds._tracebacks import clear_locals
from ramrole_creds.errors import SigningError
from ramrole_creds.integrations._auth_flow import ERROR_STATUSES, REDIRECT_STATUSES, NextStep, SigningAuth
from ramrole_creds.integrations._sdk import load_sdk, require_attribute
from ramrole_creds.integrations._signed_class import signed_class
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import ClientHandlerType, ClientResponse

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer
    from ramrole_creds.signing.body import BodyLike

load_sdk("aiohttp", "aiohttp")  # its error says what to install

from aiohttp import ClientRequest, TraceConfig, payload  # noqa: E402  # after the check
from aiohttp.tracing import Trace  # noqa: E402  # as above
from yarl import URL  # noqa: E402  # as above

__all__ = ["AiohttpAuth"]

TESTED_VERSION = "3.14.5"


class AiohttpAuth:
    """A client middleware that signs. Pass it to a session, or to one call, as `middlewares=(…,)`.

    Other middlewares may stand before and behind it. They must pass on the request that they get, not a new one.

    Args:
        signer: the signer.
        hosts: hosts that may be signed for (".aliyuncs.com" includes subdomains); None allows every host that you call.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._auth = SigningAuth(signer, hosts)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sign, send, look at the answer, and sign and send again where that helps. aiohttp calls this.

        Raises:
            SigningError: the request cannot be signed, or it is a redirect that leaves the host.
        """
        try:
            return await self._exchange(request, handler)
        except BaseException as error:
            clear_locals(error)  # of the frames below, which hold signed headers
            raise

    async def _exchange(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        body, replayable = await _body_of(request, covered=self._auth.signer.scheme.covers_body)
        unsigned = Request(request.method, str(request.url), list(request.headers.items()), body=body)
        flow = self._flow(request, unsigned, replayable=replayable)
        credentials = await self._credentials()
        while True:
            await _sign(request, flow, credentials, unsigned)
            response = await _send_only_where_covered(request, flow, handler)
            if response.status in REDIRECT_STATUSES:
                self._mark(request, flow)
            answer = await response.read() if response.status in ERROR_STATUSES else b""
            step = flow.next_step(
                response.status,
                response.headers.get,
                lambda answer=answer: answer,  # type: ignore[misc]  # bound at once
                replayable=replayable,
            )
            if step is NextStep.RETURN:
                return response
            fresh = await asyncio.to_thread(flow.refresh) if step is NextStep.REFRESH else credentials
            if fresh is None:
                return response
            credentials = fresh
            response.release()

    def _flow(self, request: ClientRequest, unsigned: Request, *, replayable: bool) -> AuthFlow:
        """The flow of this hop: of the call that the request belongs to, or of a new call."""
        for trace in _traces_of(request):
            if isinstance(trace, _CallMark) and trace.auth is self._auth:
                flow = trace.flow.next_hop()
                flow.require_covered(unsigned)
                if not replayable:
                    raise SigningError(
                        f"{flow.host} redirects a request whose body can be sent only once. The redirect is not "
                        "followed, because nothing is left to send. Pass the body as bytes."
                    )
                return flow
        return self._auth.begin(unsigned)

    def _mark(self, request: ClientRequest, flow: AuthFlow) -> None:
        """Mark the call, so that its next hop is known as such."""
        traces = _traces_of(request)
        if not any(isinstance(trace, _CallMark) and trace.auth is self._auth for trace in traces):
            traces.append(_CallMark(request, self._auth, flow))

    async def _credentials(self) -> Credentials:
        provider = self._auth.signer.provider
        get = getattr(provider, "get_credentials_async", None)
        if get is None:
            return await asyncio.to_thread(provider.get_credentials)
        credentials: Credentials = await get()
        return credentials


class _CallMark(Trace):
    """A trace that reports nothing. It marks a call that was redirected, and lives as long as the call."""

    def __init__(self, request: ClientRequest, auth: SigningAuth, flow: AuthFlow) -> None:
        super().__init__(request.session, _SILENT, SimpleNamespace())
        self.auth = auth
        self.flow = flow


_SILENT = TraceConfig()
_SILENT.freeze()


def _traces_of(request: ClientRequest) -> list[Trace]:
    """The list that all hops of one call share, and no other call.

    Nothing else that a middleware can reach is shared by the hops. A context variable would be lost where another
    middleware runs the handler in a task.
    """
    require_attribute(request, "_traces", "aiohttp", TESTED_VERSION)
    traces: list[Trace] = request._traces  # noqa: SLF001  # no public name exists
    return traces


class _SignedRequest(ClientRequest):
    """A request that goes nowhere but to the origin that it is signed for, while it is signed."""

    def __setattr__(self, name: str, value: object) -> None:
        """Check where a middleware sends the request: it has token and signature already.

        A property would make each of the many reads of the URL slower.
        """
        flow: AuthFlow | None = self.__dict__.get("flow")
        if name == "url" and flow is not None:
            flow.require_covered(Request(self.method, str(value)))
        super().__setattr__(name, value)


async def _send_only_where_covered(
    request: ClientRequest, flow: AuthFlow, handler: ClientHandlerType
) -> ClientResponse:
    request.__class__ = signed_class(type(request), _SignedRequest)
    before = request.__dict__.get("flow")
    request.__dict__["flow"] = flow
    try:
        return await handler(request)
    finally:
        request.__dict__["flow"] = before


async def _sign(request: ClientRequest, flow: AuthFlow, credentials: Credentials, unsigned: Request) -> None:
    signed = flow.sign(unsigned, credentials)
    if signed.body is not unsigned.body:  # the form of RPC, which contains the signature
        await request.update_body(signed.body)
    if signed.url != str(request.url):
        request.url = URL(signed.url, encoded=True)
    request.headers.clear()
    request.headers.extend(signed.headers)


_REPLAYABLE_PAYLOADS = (payload.BytesPayload, payload.IOBasePayload)


async def _body_of(request: ClientRequest, *, covered: bool) -> tuple[BodyLike | None, bool]:
    """The body as it can be signed, and whether it can be sent twice."""
    body = request.body
    if isinstance(body, _REPLAYABLE_PAYLOADS):
        # Files are read only for schemes that cover the body. aiohttp rewinds them itself.
        return await body.as_bytes() if covered else b"", True
    if not body:
        return None, True
    return iter(()), False
