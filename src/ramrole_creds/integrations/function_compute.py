"""Credentials that a function runtime hands to a program with each call, pushed to a `PushProvider`.

    provider = PushProvider()

    def handler(event, context):                     # a handler of Function Compute's Python runtimes
        push_from_context(provider, context)

    app = PushingWsgi(app, provider)                 # a custom runtime or container with a WSGI server
    app = PushingAsgi(app, provider)                 # or an ASGI server

Clients that were made with the provider, once and outside of the handler, sign with what came last.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from ramrole_creds.providers.push import PushProvider

__all__ = ["PushingAsgi", "PushingWsgi", "push_from_context", "push_from_headers"]

HEADERS = ("x-fc-access-key-id", "x-fc-access-key-secret", "x-fc-security-token")
# As the attributes of a context are spelt by the runtimes of Python 3 and by older ones.
_CONTEXT_NAMES = (
    ("access_key_id", "accessKeyId"),
    ("access_key_secret", "accessKeySecret"),
    ("security_token", "securityToken"),
)

_log = logging.getLogger(__name__)


def push_from_context(provider: PushProvider, context: object) -> bool:
    """Push what a handler's context holds (`context.credentials`).

    Args:
        provider: who is given it.
        context: the second argument of a handler.

    Returns:
        True where there were credentials; a function without a service role is given none.
    """
    given = getattr(context, "credentials", None)

    def read(names: tuple[str, ...]) -> object:
        return next((value for name in names if (value := getattr(given, name, None))), None)

    return _push(provider, [read(names) for names in _CONTEXT_NAMES])


def push_from_headers(provider: PushProvider, headers: Mapping[str, str]) -> bool:
    """Push what the headers of a request to a custom runtime hold.

    Args:
        provider: who is given it.
        headers: by lower-case name.

    Returns:
        True where there were credentials.
    """
    return _push(provider, [headers.get(name) for name in HEADERS])


class PushingWsgi:
    """A WSGI application that pushes each request's credentials before it hands the request on, without them.

    Only for programs that are reached through Function Compute alone: anybody else could send these headers too.

    Args:
        app: the application.
        provider: who is given the credentials.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], provider: PushProvider) -> None:
        self._app = app
        self._provider = provider

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in HEADERS}
        given = {name: environ.pop(key) for name, key in keys.items() if key in environ}
        push_from_headers(self._provider, given)
        return self._app(environ, start_response)


class PushingAsgi:
    """The same for ASGI.

    Args:
        app: the application.
        provider: who is given the credentials.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], provider: PushProvider) -> None:
        self._app = app
        self._provider = provider

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's
        """One request, or one event of the server's life."""
        headers: list[tuple[bytes, bytes]] = list(scope.get("headers") or ())
        given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        push_from_headers(self._provider, given)
        if not given.keys().isdisjoint(HEADERS):
            kept = [pair for pair in headers if pair[0].decode("latin-1").lower() not in HEADERS]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def _push(provider: PushProvider, parts: list[object]) -> bool:
    key_id, secret, token = (part if isinstance(part, str) else "" for part in parts)
    if not key_id and not secret:
        return False
    try:
        credentials = Credentials(key_id, secret, token or None)
    except ConfigurationError as error:
        # A request must not fail for what the runtime sent with it; whoever asks for credentials is told.
        _log.warning("What the function runtime sent is no usable key pair: %s", error)
        return False
    provider.update(credentials)
    return True
