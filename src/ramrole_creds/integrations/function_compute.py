"""Credentials that a function runtime passes to a program with each call, stored in a `PushProvider`.

    provider = PushProvider()

    def handler(event, context):                     # a handler of a Python runtime of Function Compute
        push_from_context(provider, context)

    app = PushingWsgi(app, provider)                 # a custom runtime or container with a WSGI server
    app = PushingAsgi(app, provider)                 # or an ASGI server

Create clients with the provider once, outside the handler. They sign with the latest credentials.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ramrole_creds._tracebacks import hide_frames
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, on_one_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from ramrole_creds.providers.push import PushProvider

__all__ = ["PushingAsgi", "PushingWsgi", "push_from_context", "push_from_headers"]

HEADERS = ("x-fc-access-key-id", "x-fc-access-key-secret", "x-fc-security-token")
# The attributes of a context, as Python 3 runtimes spell them and as older ones do.
_CONTEXT_NAMES = (
    ("access_key_id", "accessKeyId"),
    ("access_key_secret", "accessKeySecret"),
    ("security_token", "securityToken"),
)

_log = logging.getLogger(__name__)


@hide_frames
def push_from_context(provider: PushProvider, context: object) -> bool:
    """Push the credentials of a handler's context (`context.credentials`).

    Args:
        provider: the provider that receives them.
        context: the second argument of a handler.

    Returns:
        True if the context had credentials. A function without a service role has none.
    """
    given = getattr(context, "credentials", None)

    def read(names: tuple[str, ...]) -> object:
        return next((value for name in names if (value := getattr(given, name, None))), None)

    return _push(provider, [read(names) for names in _CONTEXT_NAMES])


@hide_frames
def push_from_headers(provider: PushProvider, headers: Mapping[str, str]) -> bool:
    """Push the credentials in the headers of a request to a custom runtime.

    Args:
        provider: the provider that receives them.
        headers: the request's headers, by lower-case name.

    Returns:
        True if the headers had credentials.
    """
    if not callable(getattr(headers, "get", None)):
        raise ConfigurationError(f"headers must be a mapping of the request's headers, not {type(headers).__name__}.")
    return _push(provider, [headers.get(name) for name in HEADERS])


class PushingWsgi:
    """A WSGI application that pushes the credentials of each request, removes them, and calls `app`.

    Use it only where Function Compute is the one caller of the program. Any other caller could send these headers.

    Args:
        app: the application.
        provider: the provider that receives the credentials.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], provider: PushProvider) -> None:
        self._app = app
        self._provider = provider

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Handle one request."""
        # No variable holds the keys: it would be in the traceback of every error of the application.
        push_from_headers(self._provider, {name: environ.pop(_variable(name), "") for name in HEADERS})
        return self._app(environ, start_response)


class PushingAsgi:
    """The same for ASGI.

    Args:
        app: the application.
        provider: the provider that receives the credentials.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], provider: PushProvider) -> None:
        self._app = app
        self._provider = provider

    async def __call__(self, scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        """Handle one request, or one event of the server's lifespan."""
        # As above.
        push_from_headers(self._provider, {_name(pair): pair[1].decode("latin-1") for pair in _headers(scope)})
        if any(_name(pair) in HEADERS for pair in _headers(scope)):
            scope = {**scope, "headers": [pair for pair in _headers(scope) if _name(pair) not in HEADERS]}
        await self._app(scope, receive, send)


def _variable(name: str) -> str:
    """The name of a header in a WSGI environment."""
    return f"HTTP_{name.upper().replace('-', '_')}"


def _headers(scope: MutableMapping[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    return scope.get("headers") or ()


def _name(pair: tuple[bytes, bytes]) -> str:
    return pair[0].decode("latin-1").lower()


def _push(provider: PushProvider, parts: list[object]) -> bool:
    if not callable(getattr(provider, "update", None)):
        raise ConfigurationError(f"provider must be a PushProvider, not {type(provider).__name__}.")
    key_id, secret, token = (part if isinstance(part, str) else "" for part in parts)
    if not key_id and not secret:
        return False
    try:
        credentials = Credentials(key_id, secret, token or None)
    except ConfigurationError as error:
        # A request must not fail because of these headers. A caller that asks for credentials gets an error.
        _log.warning("The function runtime sent credentials that cannot be used: %s", on_one_line(error))
        return False
    provider.update(credentials)
    return True
