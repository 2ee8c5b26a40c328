"""The provider chain: which source a program's credentials come from.

Three rules make it safer than its peers. *Not here* moves on to the next link; *here but broken* stops the chain,
for to run silently under another identity is worse than to fail; and a chain that has found its link stays with it
until that link says for certain that it is gone.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from ramrole_creds.errors import (
    ConfigurationError,
    FetchError,
    MetadataUnreachable,
    NoCredentialsError,
    ProviderUnavailable,
    RamRoleError,
)
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

_log = logging.getLogger(__name__)

OnError = Literal["stop", "continue"]


class ProviderChain(CredentialProvider):
    """Asks its links in order; one cache at the top, whatever the number of links.

    Args:
        providers: the links, most specific first.
        name: first part of the credentials' provider name, as "default" in "default/ecs_ram_role".
        on_error: "stop" at a link that is here but broken; "continue" with the next one, as the official SDKs do.
        options: `policy`, `clock` and `on_event` of every provider.

    Raises:
        ConfigurationError: there are no links, or one of them is no provider.
    """

    name: ClassVar[str] = "chain"

    def __init__(
        self,
        *providers: CredentialProvider,
        name: str = "chain",
        on_error: OnError = "stop",
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        if not providers:
            raise ConfigurationError("A ProviderChain needs at least one provider.")
        for provider in providers:
            if not isinstance(provider, CredentialProvider):
                raise ConfigurationError(
                    f"{type(provider).__name__} is no CredentialProvider: wrap a function in FunctionProvider, keys in "
                    "StaticProvider."
                )
        if on_error not in ("stop", "continue"):
            raise ConfigurationError(f'on_error must be "stop" or "continue", not {on_error!r}.')
        self.providers = providers
        self._chain_name = name
        self._on_error = on_error
        self._found: CredentialProvider | None = None

    def get_provider_name(self) -> str:
        """The chain's name."""
        return self._chain_name

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the link that was found, or walk the links.

        Raises:
            NoCredentialsError: no link has credentials; one line for each says why.
            FetchError: a link is here but broken.
        """
        found = self._found
        if found is not None:
            try:
                return self._named(found.fetch(context))
            except MetadataUnreachable as error:
                # It merely does not answer. That is no reason to become somebody else.
                silent = FetchError(str(error))
            except ProviderUnavailable as error:
                _log.warning("%s: %s is gone (%s); looking for another source", self._chain_name, _title(found), error)
                silent = None
            if silent is not None:
                raise silent
        return self._walk(context)

    def _walk(self, context: FetchContext) -> Credentials:
        passed: list[tuple[CredentialProvider, RamRoleError]] = []
        for link in self.providers:
            outcome = self._ask(link, context)
            if not isinstance(outcome, RamRoleError):
                self._found = link
                return self._named(outcome)
            passed.append((link, outcome))
        raise NoCredentialsError(_report(passed))

    def _ask(self, link: CredentialProvider, context: FetchContext) -> Credentials | RamRoleError:
        """What a link gives, or why it is passed over; a link that is here but broken raises."""
        try:
            return link.fetch(context)
        except (ProviderUnavailable, NoCredentialsError) as error:
            return error
        except RamRoleError as error:
            if self._on_error == "stop":
                raise
            return error

    def _named(self, credentials: Credentials) -> Credentials:
        return replace(credentials, provider_name=f"{self._chain_name}/{credentials.provider_name}")


def default_provider(*, endpoint: str | None = None, **options: Unpack[ProviderOptions]) -> ProviderChain:
    """The chain of the official SDKs: environment, then the RAM role of the instance.

    Args:
        endpoint: base URL of the metadata service; see `MetadataClient`.
        options: `policy`, `clock` and `on_event` of every provider.
    """
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.providers.environment import EnvironmentProvider

    clock = options.get("clock")
    return ProviderChain(
        EnvironmentProvider(clock=clock), EcsRamRoleProvider(endpoint=endpoint, clock=clock), name="default", **options
    )


def _title(link: CredentialProvider) -> str:
    return link.get_provider_name()


def _report(passed: list[tuple[CredentialProvider, RamRoleError]]) -> str:
    lines = [f"  {_title(link)}: {error}" for link, error in passed]
    return "\n".join(["No credentials found. Each source in turn:", *lines])
