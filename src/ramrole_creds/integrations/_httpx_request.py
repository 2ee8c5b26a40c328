"""Requests of httpx whose signature does not go along with a redirect."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Protocol

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import load_sdk
from ramrole_creds.integrations._signed_class import signed_class, unsigned_class

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

load_sdk("httpx", "httpx")  # its error says what to install

import httpx  # noqa: E402  # after the check

TESTED_VERSION = "0.28.1"


class SignedRequest(httpx.Request):
    """A request whose signature only transports see: what httpx builds from it is unsigned.

    httpx's client reads headers, extensions and body of a request for one purpose: to build the next hop of a redirect.
    """

    @property  # type: ignore[override]  # an attribute there
    def stream(self) -> httpx.SyncByteStream | httpx.AsyncByteStream:
        """The signed body; for httpx's client, the body before signing. They differ for the form of RPC only."""
        held: dict[str, Any] = self.__dict__
        stream: httpx.SyncByteStream | httpx.AsyncByteStream = held["stream"]
        return held.get("unsigned_stream", stream) if _reader() == "httpx._client" else stream

    @stream.setter
    def stream(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self.__dict__["stream"] = stream

    @property  # type: ignore[override]  # an attribute there
    def headers(self) -> httpx.Headers:
        """The signed headers; for httpx's client and its cookies, the headers before signing."""
        held: dict[str, Any] = self.__dict__
        headers: httpx.Headers = held["unsigned" if _reader() in _READERS_OF_UNSIGNED else "headers"]
        return headers

    @headers.setter
    def headers(self, headers: httpx.Headers) -> None:
        self.__dict__["headers"] = headers

    @property  # type: ignore[override]  # an attribute there
    def extensions(self) -> dict[str, Any]:
        """The extensions, with a hook through which transports report what they send.

        The hook for the next hop signs it. httpx's own transport sends the first hop as it is, and needs no hook.
        """
        held: dict[str, Any] = self.__dict__
        extensions: dict[str, Any] = held["extensions"]
        reader = _reader()
        if reader == "httpx._client":
            return {**extensions, "trace": held["hooks"].hop}
        if reader == "httpx._transports.default":
            extensions = dict(extensions)
            extensions.pop("trace", None)
            if (trace := held["hooks"].user_trace) is not None:
                extensions["trace"] = trace
        return extensions

    @extensions.setter
    def extensions(self, extensions: dict[str, Any]) -> None:
        self.__dict__["extensions"] = extensions

    def __setattr__(self, name: str, value: object) -> None:
        """Withdraw the signature where the URL changes: something, such as an event hook, sends the request elsewhere.

        A property would make each of the many reads of the URL slower.
        """
        if name == "url" and value != self.__dict__.get("url"):
            self.__dict__["headers"] = httpx.Headers(self.__dict__["unsigned"])
            if "unsigned_stream" in self.__dict__:
                self.__dict__["stream"] = self.__dict__["unsigned_stream"]
                self.__dict__["_content"] = b"".join(self.__dict__["stream"])
        super().__setattr__(name, value)

    def __copy__(self) -> SignedRequest:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied.__dict__["headers"] = httpx.Headers(self.__dict__["headers"])
        copied.__dict__["extensions"] = dict(self.__dict__["extensions"])
        return copied

    def __deepcopy__(self, _: dict[int, object]) -> SignedRequest:
        return self.__copy__()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the request without token and signature, as a part of its response for instance."""
        held = self.__dict__
        content = b"".join(held["unsigned_stream"]) if "unsigned_stream" in held else held.get("_content")
        return _restored, (self.method, str(self.plain_url), list(held["unsigned"].raw), content)

    @property
    def plain_url(self) -> httpx.URL:
        """The URL without the signature."""
        url: httpx.URL = self.__dict__["url"]
        plain: httpx.URL = self.__dict__["unsigned_url"]
        return plain if url == self.__dict__.get("signed_url") else url


def _restored(method: str, url: str, headers: list[tuple[bytes, bytes]], content: bytes | None) -> httpx.Request:
    return httpx.Request(method, url, headers=headers, content=content)


# What the client reads goes into the next hop. Cookies need the host only, and copy every header for it.
_READERS_OF_UNSIGNED = frozenset(("httpx._client", "httpx._models"))


def _reader() -> str | None:
    """The module that reads a property."""
    name: str | None = sys._getframe(2).f_globals.get("__name__")  # noqa: SLF001  # documented, though for CPython only
    return name


class Hooks(Protocol):
    """Hooks for httpcore's trace, made when they are read."""

    @property
    def user_trace(self) -> Callable[..., Any] | None:
        """The hook of the user."""

    @property
    def owned_headers(self) -> frozenset[str]:
        """The headers that the signature consists of, in lower case."""

    @property
    def first(self) -> Callable[..., Any] | None:
        """The hook for the first hop."""

    @property
    def hop(self) -> Callable[..., Any] | None:
        """The hook for the next hops."""


class _NoHooks:
    """The hooks of a request that is only tried out."""

    user_trace: Callable[..., Any] | None = None
    owned_headers: frozenset[str] = frozenset()
    first: Callable[..., Any] | None = None
    hop: Callable[..., Any] | None = None


@functools.cache
def require_withdrawal() -> None:
    """Make sure that the installed httpx builds the next hop of a redirect from the unsigned headers."""
    received: list[tuple[bool, bool]] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        received.append(("X-Signature" in request.headers, request.read() == b"signed"))
        return httpx.Response(307 if len(received) == 1 else 200, headers={"Location": "http://other.invalid/"})

    class Auth(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            put_on(request, httpx.Headers({**request.headers, "X-Signature": "signed"}), _NoHooks(), b"signed")
            yield request

    with httpx.Client(transport=httpx.MockTransport(redirect), trust_env=False) as client:
        client.post("http://signed.invalid/", content=b"body", auth=Auth(), follow_redirects=True)
    if received != [(True, True), (False, False)]:
        raise ConfigurationError(
            f"httpx {httpx.__version__} would send signature and token on to the target of a redirect. Nothing was "
            f"signed. Pin httpx=={TESTED_VERSION} until ramrole-creds supports the installed version."
        )


def put_on(
    request: httpx.Request,
    signed: httpx.Headers,
    hooks: Hooks,
    body: bytes | None = None,
    url: httpx.URL | None = None,
) -> None:
    """Make a request a signed one.

    Args:
        request: the request; it stays the same object.
        signed: its headers with the signature.
        hooks: the hooks of its call.
        body: its body with the signature, if the signature is a part of it.
        url: its URL with the signature, if the signature is a part of it.
    """
    held = request.__dict__
    if "unsigned" not in held:
        held["unsigned"], held["unsigned_url"] = held["headers"], held["url"]
        request.__class__ = signed_class(type(request), SignedRequest)
    if url is not None:
        held["url"] = held["signed_url"] = url
    held["headers"] = signed
    if body is not None:
        held.setdefault("unsigned_stream", held["stream"])
        held["stream"], held["_content"] = httpx.ByteStream(body), body  # transports read either
    held["extensions"] = {**held["extensions"], "trace": hooks.first}
    held["hooks"] = hooks


def take_off(request: httpx.Request) -> None:
    """Make a request that the program sends again an unsigned one; what the program changed since stays.

    Another identity may sign it now: nothing of the first may go along.
    """
    if not isinstance(request, SignedRequest):
        return
    held = request.__dict__
    hooks, unsigned, held["url"] = held.pop("hooks"), held.pop("unsigned"), request.plain_url
    kept = [(name, value) for name, value in held["headers"].raw if name.lower().decode() not in hooks.owned_headers]
    held["headers"] = httpx.Headers(kept)
    held.pop("signed_url", None)
    held.pop("unsigned_url")
    if "unsigned_stream" in held:
        held["stream"] = held.pop("unsigned_stream")
        held["_content"] = b"".join(held["stream"])
        held["headers"]["Content-Length"] = unsigned["Content-Length"]
    held["extensions"] = {name: value for name, value in held["extensions"].items() if name != "trace"}
    if hooks.user_trace is not None:
        held["extensions"]["trace"] = hooks.user_trace
    request.__class__ = unsigned_class(type(request), SignedRequest)
