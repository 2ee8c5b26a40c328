"""Sign what `aiohttp` sends.

    async with aiohttp.ClientSession(middlewares=(AiohttpAuth(Signer(provider, signing.ACS3())),)) as session:
        await session.post(url, data=body)

The same rules as for `requests` (see `signed_exchange`). aiohttp calls a middleware for every hop of a redirect, those
to other hosts included: here such a hop raises SigningError, and nothing is sent there.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aiohttp import payload
from yarl import URL

from ramrole_creds.errors import SigningError
from ramrole_creds.integrations._auth_flow import REDIRECT_STATUSES, NextStep, SigningAuth
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer

# The origin that the last answer in this context redirects to: the next request there is a hop of the same exchange.
# Not the URL, since aiohttp takes userinfo out of it, and may requote it, before it asks the middleware.
_redirected: ContextVar[tuple[tuple[str, str | None, int | None], AuthFlow] | None] = ContextVar(
    "_redirected", default=None
)


class AiohttpAuth:
    """A client middleware that signs; give it to a session, or to one call, as `middlewares=(…,)`.

    Args:
        signer: what signs.
        hosts: hosts that may be signed for (".aliyuncs.com" takes in subdomains); whichever host is called where None.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._agent = SigningAuth(signer, hosts)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sign, send, look at the answer, and sign and send again where that helps; aiohttp calls it.

        Raises:
            SigningError: the request cannot be signed, or is a redirect that leaves the host.
        """
        exchange = self._exchange(str(request.url))
        body, replayable = await _body_of(request, covered=self._agent.signer.scheme.covers_body)
        credentials = await self._credentials()
        while True:
            _sign(request, exchange, credentials, body)
            response = await handler(request)
            answer = await response.read() if response.status in exchange.error_statuses else b""
            verdict = exchange.next_step(
                response.status,
                response.headers.get,
                lambda answer=answer: answer,  # type: ignore[misc]  # bound at once
                replayable=replayable,
            )
            if verdict is NextStep.RETURN:
                break
            fresh = await asyncio.to_thread(exchange.refresh) if verdict is NextStep.REFRESH else credentials
            if fresh is None:
                break
            credentials = fresh
            response.release()
        location = response.headers.get("Location") or response.headers.get("URI")  # aiohttp follows either
        if response.status in REDIRECT_STATUSES and location:
            _redirected.set((_origin(response.url.join(URL(location))), exchange))
        return response

    def _exchange(self, url: str) -> AuthFlow:
        """The exchange that a request belongs to: that of the redirect it follows, else a new one."""
        redirected = _redirected.get()
        _redirected.set(None)
        if redirected is None or redirected[0] != _origin(URL(url)):
            return self._agent.begin(url)
        exchange = redirected[1]
        if not exchange.covers(url):
            raise SigningError(
                f"{exchange.host} redirects to another host ({URL(url).host}): not followed, because signature and "
                f"token are for {exchange.host} only. Call with allow_redirects=False to see the answer."
            )
        return exchange

    async def _credentials(self) -> Credentials:
        provider = self._agent.signer.provider
        get = getattr(provider, "get_credentials_async", None)
        if get is None:
            return await asyncio.to_thread(provider.get_credentials)
        credentials: Credentials = await get()
        return credentials


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


def _sign(request: ClientRequest, exchange: AuthFlow, credentials: Credentials, body: Any) -> None:  # noqa: ANN401
    unsigned = Request(request.method, str(request.url), list(request.headers.items()), body=body)
    signed = exchange.sign(unsigned, credentials)
    if signed.url != str(request.url):
        request.url = URL(signed.url, encoded=True)
    request.headers.clear()
    request.headers.extend(signed.headers)


async def _body_of(request: ClientRequest, *, covered: bool) -> tuple[object, bool]:
    """The body as it can be signed, and whether it can be sent twice."""
    body = request.body
    if isinstance(body, payload.BytesPayload | payload.IOBasePayload):
        # Files are read only for schemes that cover the body; aiohttp rewinds them by itself.
        return await body.as_bytes() if covered else b"", True
    if not body:
        return None, True
    return iter(()), False
