"""A provider from any callable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError, RamRoleError
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.policy import RefreshPolicy
    from ramrole_creds.clock import Clock
    from ramrole_creds.events import EventListener
    from ramrole_creds.provider import FetchContext


class FunctionProvider(CredentialProvider):
    """Fetches by calling a function, and caches as every provider does.

    Args:
        fn: called without arguments, returns Credentials. An error of this library passes as it is; any other
            counts as a FetchError that names its class only, since its text may hold a secret.
        name: the provider's name in status, events and messages.
        policy: when to refresh.
        clock: by which credentials live.
        on_event: takes the provider's events.

    Raises:
        ConfigurationError: `fn` cannot be called.
    """

    name = "function"

    def __init__(
        self,
        fn: Callable[[], Credentials],
        *,
        name: str = "function",
        policy: RefreshPolicy | None = None,
        clock: Clock | None = None,
        on_event: EventListener | None = None,
    ) -> None:
        super().__init__(policy=policy, clock=clock, on_event=on_event)
        if not callable(fn):
            raise ConfigurationError(f"FunctionProvider needs a callable, not {type(fn).__name__}.")
        self._fn = fn
        self._name = name

    def fetch(self, context: FetchContext) -> Credentials:
        """What the function returns.

        Raises:
            FetchError: the function raised something that is not an error of this library, or returned something else.
        """
        try:
            given: object = self._fn()
        except RamRoleError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the function raises
            kind = type(error).__name__
        else:
            if isinstance(given, Credentials):
                return given
            raise FetchError(
                f"The function of provider {self._name!r} must return Credentials, not {type(given).__name__}."
            )
        raise FetchError(
            f"The function of provider {self._name!r} raised {kind}. Look at it: its text is not shown here."
        )

    def get_provider_name(self) -> str:
        """The name it was given."""
        return self._name
