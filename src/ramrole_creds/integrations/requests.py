"""Sign what `requests` sends.

    requests.post(url, auth=RequestsAuth(Signer(provider, signing.ACS3())))

The prepared request is signed byte for byte as it will be sent. Neither token nor signature reaches a host other than
the one that the caller named. An expired token is refreshed, and the request is repeated once.
"""

from __future__ import annotations

import functools
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from ramrole_creds._tracebacks import hide_locals
from ramrole_creds.integrations._auth_flow import ERROR_STATUSES, NextStep, SigningAuth, text_headers, wire_headers
from ramrole_creds.signing import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.integrations._auth_flow import AuthFlow
    from ramrole_creds.signing import Signer

__all__ = ["RequestsAuth"]


class RequestsAuth(AuthBase):
    """Signs each request of a call or a session. Pass it as `auth=`.

    A redirect is followed within the host of the request only, and signed again; `allow_redirects` works as usual. An
    answer that redirects elsewhere is returned unchanged. A request is prepared, signed and sent at once. One that you
    keep and send later has an old date, so prepare it when you send it.

    Args:
        signer: the signer.
        hosts: hosts that may be signed for (".aliyuncs.com" includes subdomains); None allows every host that you call.
    """

    def __init__(self, signer: Signer, hosts: Iterable[str] | None = None) -> None:
        self._auth = SigningAuth(signer, hosts)

    def __call__(self, prepared: PreparedRequest) -> PreparedRequest:
        """Sign a prepared request. `requests` calls this.

        Raises:
            SigningError: the request cannot be signed, its host is not among `hosts`, or it is a hop of a redirect that
                leaves the host.
        """
        if isinstance(prepared, _SignedRequest):  # a session that signs each hop of a redirect itself, for instance
            prepared.flow.require_covered(_unsigned(prepared))
            prepared.take_off()
        request = _unsigned(prepared)
        flow = self._auth.begin(request)
        # The class, and not a hook, decides about the copies from which a session builds the hops of a redirect.
        prepared.__class__ = _SignedRequest
        _sign(prepared, flow, self._auth.signer, request)
        on_response = functools.partial(_on_response, self._auth.signer, flow)
        prepared.__dict__["on_response"] = on_response
        prepared.hooks["response"].append(on_response)
        return prepared


class _SignedRequest(PreparedRequest):
    """A signed request. Its copies are signed for the same origin only, and lose the signature on the way elsewhere."""

    flow: AuthFlow
    signer: Signer
    on_response: Callable[..., Response]
    """The hook that looks at the answer."""
    signed_url: str = ""
    unsigned_url: str = ""
    """The URL before signing, where the signature is a part of the URL."""
    unsigned_body: bytes | None = None
    """The body before signing, where the signature is a part of the body."""

    @property  # type: ignore[override]  # an attribute there
    def url(self) -> str | None:
        """The URL, as the base class has it."""
        url: str | None = self.__dict__.get("url")
        return url

    @url.setter
    def url(self, url: str | None) -> None:
        """Withdraw token and signature where the URL is of another origin."""
        self.__dict__["url"] = url
        flow: AuthFlow | None = self.__dict__.get("flow")
        if flow is not None and not flow.covers_url(str(url)):
            self.__dict__["withdrawn"] = True
            self.headers = self.headers
            if self.unsigned_body is not None:  # the form of RPC contains token and signature
                self.body = self.unsigned_body
                self.prepare_content_length(self.body)

    @property  # type: ignore[override]  # an attribute there
    def headers(self) -> CaseInsensitiveDict[Any]:
        """The headers, as the base class has them."""
        headers: CaseInsensitiveDict[Any] = self.__dict__["headers"]
        return headers

    @headers.setter
    def headers(self, headers: CaseInsensitiveDict[Any]) -> None:
        """Keep token and signature out of a request from which they were withdrawn, whoever sets its headers."""
        owned = self.signer.scheme.owned_headers if "withdrawn" in self.__dict__ else None
        self.__dict__["headers"] = headers if owned is None or headers is None else _UnsignedHeaders(headers, owned)

    def copy(self) -> PreparedRequest:
        """A copy for the next hop, still signed if this request is."""
        hop = super().copy()
        hop.__class__ = _SignedRequest
        kept = ("signer", "signed_url", "unsigned_url", "unsigned_body", "on_response", "withdrawn")
        hop.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        hop.__dict__["flow"] = self.flow.next_hop()
        hop.headers = hop.headers
        return hop

    def __copy__(self) -> PreparedRequest:
        return self.__deepcopy__({})

    def __deepcopy__(self, _: dict[int, object]) -> PreparedRequest:
        copied = _SignedRequest()
        copied.__dict__.update(self.__dict__)
        copied.__dict__["headers"] = self.headers.copy()
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the request without token and signature, as a part of its response for instance."""
        owned = self.signer.scheme.owned_headers
        headers = {name: value for name, value in self.headers.items() if name.lower() not in owned}
        hooks = [hook for hook in self.hooks["response"] if hook is not self.on_response]
        body = self.body if self.unsigned_body is None else self.unsigned_body
        return _restored, (self.method, self.plain_url, headers, body, hooks)

    @property
    def plain_url(self) -> str:
        """The URL without the signature."""
        return self.unsigned_url if self.url == self.signed_url else str(self.url)

    def take_off(self) -> None:
        """Make the request an unsigned one. Another identity may sign it now: nothing of this one may go along."""
        self.deregister_hook("response", self.on_response)
        for name in self.signer.scheme.owned_headers:
            self.headers.pop(name, None)
        if self.unsigned_body is not None:
            self.body = self.unsigned_body
            self.prepare_content_length(self.body)
        self.__dict__["url"] = self.plain_url
        for name in ("flow", "signer", "on_response", "signed_url", "unsigned_url", "unsigned_body", "withdrawn"):
            self.__dict__.pop(name, None)
        self.__class__ = PreparedRequest  # type: ignore[assignment]  # what it was

    def prepare_cookies(self, cookies: Any) -> None:  # noqa: ANN401  # as the base class has it
        """Take the cookies, the last step of a session that builds a hop, and sign the hop."""
        super().prepare_cookies(cookies)
        if "withdrawn" not in self.__dict__:
            if _is_replayable(self):
                _rewind(self)  # the session rewinds too, but later
            _sign(self, self.flow, self.signer)

    def prepare_auth(self, auth: object, url: str = "") -> None:
        """Keep the signature: a session would replace it with what ~/.netrc has for the host."""


def _restored(
    method: str | None,
    url: str,
    headers: dict[str, Any],
    body: Any,  # noqa: ANN401  # as requests has it
    hooks: list[Any],
) -> PreparedRequest:
    request = PreparedRequest()
    request.method, request.url, request.headers = method, url, CaseInsensitiveDict(headers)
    request.body, request.hooks = body, {"response": hooks}
    return request


class _UnsignedHeaders(CaseInsensitiveDict[Any]):
    """Headers that take neither token nor signature, such as a session copies from the request before."""

    def __init__(self, headers: Mapping[str, Any], owned: frozenset[str]) -> None:
        self._owned = owned
        super().__init__(headers)

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401  # as the base class has it
        if name.lower() not in self._owned:
            super().__setitem__(name, value)

    def copy(self) -> CaseInsensitiveDict[Any]:
        """A copy that refuses the same."""
        return _UnsignedHeaders(self, self._owned)


class _StoppedResponse(Response):
    """A redirect that is returned to the caller: it leads to another host, or its body cannot be sent again."""

    @property
    def is_redirect(self) -> bool:
        return False

    @property
    def is_permanent_redirect(self) -> bool:
        return False


@hide_locals
def _on_response(
    signer: Signer,
    first: AuthFlow,
    response: Response,
    **send_arguments: Any,  # noqa: ANN401  # those of `Session.send`
) -> Response:
    # Each hop has a flow, unless an adapter has replaced the request by one of its own.
    flow: AuthFlow = response.request.__dict__.get("flow", first)
    started = 0.0
    while (step := _next_step(flow, response)) is not NextStep.RETURN:
        started = started or time.perf_counter()
        credentials = flow.refresh() if step is NextStep.REFRESH else None
        if step is NextStep.REFRESH and credentials is None:
            break
        response = _send_again(flow, signer, response, credentials, send_arguments)
        response.elapsed = timedelta(seconds=time.perf_counter() - started)
    return _stopped(flow, response) if response.is_redirect else response


def _next_step(flow: AuthFlow, response: Response) -> NextStep:
    if response.status_code in ERROR_STATUSES and not flow.covers_url(str(response.request.url)):
        return NextStep.RETURN  # a hop that was sent unsigned
    return flow.next_step(
        response.status_code,
        response.headers.get,
        lambda: response.content,
        replayable=_is_replayable(response.request) and getattr(response, "connection", None) is not None,
    )


def _send_again(
    flow: AuthFlow,
    signer: Signer,
    response: Response,
    credentials: Credentials | None,
    send_arguments: dict[str, Any],
) -> Response:
    response.content  # noqa: B018  # reading it to the end returns the connection to the pool
    response.close()
    again = response.request.copy()
    again.__dict__["flow"] = flow
    _rewind(again)
    _sign(again, flow, signer, credentials=credentials)
    answer: Response = response.connection.send(again, **send_arguments)
    answer.history.append(response)
    answer.request = again
    return answer


def _stopped(flow: AuthFlow, response: Response) -> Response:
    # A session would send what is left of a body that it cannot rewind: nothing, which overwrites an object.
    is_spent = response.status_code in (307, 308) and not _is_replayable(response.request)
    if not is_spent and flow.redirect_target(str(response.url), response.headers.get("location")) is not None:
        return response
    stopped = _StoppedResponse()
    stopped.__dict__.update(response.__dict__)
    return stopped


def _unsigned(prepared: PreparedRequest) -> Request:
    return Request(str(prepared.method), str(prepared.url), text_headers(prepared.headers), body=prepared.body)


def _sign(
    prepared: PreparedRequest,
    flow: AuthFlow,
    signer: Signer,
    request: Request | None = None,
    credentials: Credentials | None = None,
) -> None:
    unsigned = request or _unsigned(prepared)
    signed = flow.sign(unsigned, credentials or signer.provider.get_credentials())
    prepared.__dict__.update(
        flow=flow,
        signer=signer,
        unsigned_url=prepared.plain_url if isinstance(prepared, _SignedRequest) else unsigned.url,
        signed_url=signed.url,
        url=signed.url,
        headers=CaseInsensitiveDict(wire_headers(signed)),
    )
    if isinstance(signed.body, bytes):
        prepared.body = signed.body  # text as UTF-8, and the form of RPC with its signature
    if signed.body is not unsigned.body and "unsigned_body" not in prepared.__dict__:
        prepared.__dict__["unsigned_body"] = unsigned.body or b""


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
    """Where a file stood when the request was prepared; `requests` itself rewinds to it on a redirect."""
    return getattr(prepared, "_body_position", None)
