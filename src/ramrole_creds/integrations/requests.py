"""Sign what `requests` sends.

    requests.post(url, auth=RequestsAuth(Signer(provider, signing.ACS3())))

The prepared request is signed byte for byte as it will be sent. Neither token nor signature reaches a host other than
the one the caller named; an expired token is refreshed and the request repeated once.
"""

from __future__ import annotations

import functools
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from ramrole_creds.integrations._auth_flow import NextStep, SigningAuth, text_headers, wire_headers
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer


class RequestsAuth(AuthBase):
    """Signs each request of a call or a session; give it as `auth=`.

    Redirects are followed within the host of the request only, and signed again (`allow_redirects` counts as ever);
    an answer that redirects elsewhere is returned as it came. A request is prepared, signed and sent at once: one that
    is kept and sent later has an old date, so prepare it when it is sent.

    Args:
        signer: what signs.
        hosts: hosts that may be signed for (".aliyuncs.com" takes in subdomains); whichever host is called where None.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._agent = SigningAuth(signer, hosts)

    def __call__(self, prepared: PreparedRequest) -> PreparedRequest:
        """Sign a prepared request; `requests` calls it.

        Raises:
            SigningError: the request cannot be signed, or its host is not among `hosts`.
        """
        exchange = self._agent.begin(str(prepared.url))
        _sign(prepared, exchange, self._agent.signer.provider.get_credentials())
        prepared.hooks["response"].append(functools.partial(self._on_response, exchange))
        return prepared

    def _on_response(self, exchange: AuthFlow, response: Response, **send_arguments: Any) -> Response:  # noqa: ANN401
        # `sent` is the object that the session goes on with: the one whose copy becomes the next hop of a redirect.
        sent = response.request
        started = time.perf_counter()
        while (verdict := _judge(exchange, response)) is not NextStep.RETURN:
            credentials = exchange.refresh() if verdict is NextStep.REFRESH else None
            if verdict is NextStep.REFRESH and credentials is None:
                break
            response = self._send_again(exchange, response, credentials, send_arguments)
            response.elapsed = timedelta(seconds=time.perf_counter() - started)
        if response.is_redirect:
            return _prepare_redirect(exchange, sent, response, self._agent.signer)
        return response

    def _send_again(
        self,
        exchange: AuthFlow,
        response: Response,
        credentials: Credentials | None,
        send_arguments: dict[str, Any],
    ) -> Response:
        response.content  # noqa: B018  (reading it to the end gives the connection back)
        response.close()
        prepared = response.request.copy()
        _rewind(prepared)
        _sign(prepared, exchange, credentials or self._agent.signer.provider.get_credentials())
        again: Response = response.connection.send(prepared, **send_arguments)
        again.history.append(response)
        again.request = prepared
        return again


class _NextHop(PreparedRequest):
    """The request that follows a redirect: signed anew once the session has put it together.

    A session copies the request, sets URL, method, body and cookies in this order, and then may add what ~/.netrc has
    for the host; that must not take the signature's place.
    """

    def __init__(self, request: PreparedRequest, exchange: AuthFlow, signer: Signer) -> None:
        super().__init__()
        self.__dict__.update(request.__dict__)
        self._exchange = exchange
        self._signer = signer

    def prepare_cookies(self, cookies: Any) -> None:  # noqa: ANN401  (as the base class has it)
        """Take the session's cookies, the last step, and sign."""
        super().prepare_cookies(cookies)
        exchange, signer = self._exchange, self._signer
        if exchange.covers(str(self.url)):
            if _is_replayable(self):
                _rewind(self)  # the session does it too, but only after this
            _sign(self, exchange, signer.provider.get_credentials())
        else:
            for name in signer.scheme.owned_headers:
                self.headers.pop(name, None)

    def prepare_auth(self, auth: object, url: str = "") -> None:
        """Leave the signature alone."""


class _StoppedResponse(Response):
    """A redirect to another host, or of a body that cannot be sent again: delivered, not followed."""

    @property
    def is_redirect(self) -> bool:
        return False

    @property
    def is_permanent_redirect(self) -> bool:
        return False


def _prepare_redirect(exchange: AuthFlow, sent: PreparedRequest, response: Response, signer: Signer) -> Response:
    # A session would send what is left of a body that it cannot rewind: nothing, which overwrites an object.
    is_spent = response.status_code in (307, 308) and not _is_replayable(sent)
    if is_spent or exchange.redirect_target(str(response.url), response.headers.get("location")) is None:
        stopped = _StoppedResponse()
        stopped.__dict__.update(response.__dict__)
        return stopped

    def next_hop() -> PreparedRequest:
        del sent.__dict__["copy"]
        return _NextHop(sent.copy(), exchange, signer)

    sent.__dict__["copy"] = next_hop
    return response


def _sign(prepared: PreparedRequest, exchange: AuthFlow, credentials: Credentials) -> None:
    request = Request(str(prepared.method), str(prepared.url), text_headers(prepared.headers), body=prepared.body)
    signed = exchange.sign(request, credentials)
    prepared.url = signed.url
    prepared.headers = CaseInsensitiveDict(wire_headers(signed))  # type: ignore[arg-type]
    if isinstance(prepared.body, str):
        prepared.body = prepared.body.encode()  # http.client would send it as Latin-1


def _judge(exchange: AuthFlow, response: Response) -> NextStep:
    return exchange.next_step(
        response.status_code,
        response.headers.get,
        lambda: response.content,
        replayable=_is_replayable(response.request),
    )


def _is_replayable(prepared: PreparedRequest) -> bool:
    body: object = prepared.body
    if body is None or isinstance(body, (bytes, str)):
        return True
    return hasattr(body, "seek") and isinstance(_start_of_body(prepared), int)


def _rewind(prepared: PreparedRequest) -> None:
    body: Any = prepared.body
    if body is not None and not isinstance(body, (bytes, str)):
        body.seek(_start_of_body(prepared))


def _start_of_body(prepared: PreparedRequest) -> object:
    """Where a file stood when the request was prepared; requests itself rewinds to it on a redirect."""
    return getattr(prepared, "_body_position", None)
