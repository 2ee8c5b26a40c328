"""A provider from any callable."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds._checks import checked_text, is_number
from ramrole_creds._tracebacks import describe_exception
from ramrole_creds.credentials import Credentials, sealed
from ramrole_creds.errors import ConfigurationError, FetchError, RamRoleError
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds.clock import Clock
    from ramrole_creds.events import EventListener
    from ramrole_creds.provider import FetchContext

MAX_UNIX_SECONDS = 253402300800  # the year 10000


class FunctionProvider(CredentialProvider):
    """Fetches by calling a function, and caches as every provider does.

    The function runs on a worker thread. A coroutine function runs there on a new event loop, and is cancelled at the
    end of `policy.fetch_timeout`; HTTP clients and other objects that belong to a loop must be made within it.

    Args:
        fn: a function or coroutine function without arguments that returns Credentials, or an object with their
            attributes or getters, as `get_credential` of the official client and `get_credentials` of the official
            providers do. Errors of this library are raised unchanged. Any other error becomes a FetchError that names
            its class, file and line, but not its text, since that may contain a secret.
        name: the name of the provider in status, events and messages.
        policy: when to refresh.
        clock: the time by which credentials expire.
        on_event: receives the events of the provider.

    Raises:
        ConfigurationError: `fn` is not callable, or `name` is not a text.
    """

    name = "function"

    def __init__(
        self,
        fn: Callable[[], Credentials] | Callable[[], Awaitable[Credentials]],
        *,
        name: str = "function",
        policy: RefreshPolicy | None = None,
        clock: Clock | None = None,
        on_event: EventListener | None = None,
    ) -> None:
        super().__init__(policy=policy, clock=clock, on_event=on_event)
        _require_function(fn)
        self._fn = sealed(fn)  # what it is bound to may be a secret
        if not checked_text("name", name):
            raise ConfigurationError("name is empty. It is the name of the provider in status, events and messages.")
        self._name = name

    def fetch(self, context: FetchContext) -> Credentials:
        """Call the function.

        Raises:
            FetchError: the function raised an error that is not of this library, returned something else, or is a
                coroutine function that did not end in time.
        """
        try:
            given: object = self._fn()()
            if hasattr(given, "__await__"):
                given = _run(given, context.remaining())
        except RamRoleError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the function raises
            raise FetchError(
                f"The function of provider {self._name!r} raised {describe_exception(error)}. The text of the error is "
                "not shown, since it may contain a secret."
            ) from None
        if isinstance(given, Credentials):
            return given
        return self._read(given)

    def _read(self, given: object) -> Credentials:
        """Credentials of an object that has their attributes or getters, such as those of the official library.

        Raises:
            FetchError: it has neither, or they are not valid.
        """
        if hasattr(given, "get_credential"):  # its getters would return parts of several generations
            raise FetchError(
                f"The function of provider {self._name!r} must return Credentials, not {type(given).__name__}. Pass "
                "its method get_credential to FunctionProvider."
            )
        key_id, secret, token, end = (
            _field(given, name) for name in ("access_key_id", "access_key_secret", "security_token", "expiration")
        )
        if not isinstance(key_id, str) or not isinstance(secret, str):
            raise FetchError(
                f"The function of provider {self._name!r} must return Credentials, not {type(given).__name__}. An "
                "object with access_key_id, access_key_secret and security_token is accepted too."
            )
        if is_number(end):  # the official library counts seconds; 0 stands for unknown
            end = datetime.fromtimestamp(end, timezone.utc) if 0 < end < MAX_UNIX_SECONDS else None
        try:
            return Credentials(key_id, secret, token or None, end if isinstance(end, datetime) else None)  # type: ignore[arg-type]  # checked there
        except ConfigurationError as error:
            raise FetchError(f"The function of provider {self._name!r} returned an unusable object: {error}") from None

    def get_provider_name(self) -> str:
        """The name that it was given."""
        return self._name


def _field(given: object, name: str) -> object:
    """An attribute, else what its getter returns: objects of the official providers have only getters."""
    value: object = getattr(given, name, None)
    if value is None and callable(getter := getattr(given, f"get_{name}", None)):
        value = getter()
    return value


def _require_function(fn: object) -> None:
    name = type(fn).__name__
    if isinstance(fn, CredentialProvider):
        raise ConfigurationError(f"FunctionProvider needs a function. {name} is a provider already.")
    if not callable(fn):
        hint = ": pass its method get_credential" if hasattr(fn, "get_credential") else ""
        raise ConfigurationError(f"FunctionProvider needs a callable, not {name}{hint}.")


def _run(awaitable: Awaitable[object], time_limit: float) -> object:
    """The result of a coroutine, on a new event loop."""
    import asyncio

    async def wait() -> object:
        return await asyncio.wait_for(awaitable, time_limit)

    return asyncio.run(wait())
