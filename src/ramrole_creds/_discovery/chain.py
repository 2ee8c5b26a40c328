"""The provider chain: which source the credentials of a program come from.

Three rules make it safer than its peers. *Not here* goes on to the next provider. *Here but broken* stops the chain,
since running silently under another identity is worse than failing. A chain that has found its provider stays with it
until that provider reports for certain that its source is gone.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.replacement import ensure_credentials
from ramrole_creds._checks import kind_of
from ramrole_creds.errors import (
    BROKEN,
    ConfigurationError,
    FetchError,
    MetadataUnreachable,
    NoCredentialsError,
    ProviderUnavailable,
    RamRoleError,
    on_one_line,
)
from ramrole_creds.provider import CredentialProvider, FetchContext, fetch_from
from ramrole_creds.providers.variables import URI_VARIABLE

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds._discovery.identity_guard import IdentityGuard
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import ProviderOptions

_log = logging.getLogger(__name__)

OnError = Literal["stop", "continue"]

STOPS_HERE: Final = " The chain stops here."
NOT_REACHED: Final = " (not reached)"


class ProviderChain(CredentialProvider):
    """Asks several providers in order, with one cache for all of them.

    Args:
        providers: the providers, most specific first.
        name: first part of the provider name of credentials, as "default" in "default/ecs_ram_role".
        on_error: "stop" at a provider that is here but broken; "continue" with the next one, as the official SDKs do.
        guard: refuses credentials of another identity at each fetch.
        options: `policy`, `clock` and `on_event`, as for every provider. The default time limit of a fetch is that of
            the slowest provider.

    Raises:
        ConfigurationError: there are no providers, or an argument is not valid.
    """

    name: ClassVar[str] = "chain"

    def __init__(
        self,
        *providers: CredentialProvider,
        name: str = "chain",
        on_error: OnError = "stop",
        guard: IdentityGuard | None = None,
        **options: Unpack[ProviderOptions],
    ) -> None:
        if not providers:
            raise ConfigurationError("A ProviderChain needs at least one provider.")
        for provider in providers:
            if not isinstance(provider, CredentialProvider):
                raise _not_a_provider(provider)
        if options.get("policy") is None:
            slowest = max(provider.default_policy.fetch_timeout for provider in providers)
            options["policy"] = RefreshPolicy(fetch_timeout=slowest)
        super().__init__(**options)
        if on_error not in ("stop", "continue"):
            raise ConfigurationError(f'on_error must be "stop" or "continue", not {on_error!r}.')
        self.providers: tuple[CredentialProvider, ...] = providers
        self._chain_name = name
        self._on_error = on_error
        self._guard = guard
        self._found: CredentialProvider | None = None
        self._lost: CredentialProvider | None = None
        self._warned = False

    def get_provider_name(self) -> str:
        """The name of the chain."""
        return self._chain_name

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the provider that was found, or all of them in order.

        Raises:
            NoCredentialsError: no provider has credentials; the message has a line for each. This is certain where
                each `ProviderUnavailable` is.
            IdentityMismatch: a provider has credentials of another identity than the expected one.
            FetchError: a provider is here but broken, or the service of the found one does not answer.
        """
        found = self._found
        if found is not None:
            try:
                credentials = self._fetch_from(found, context)
            except MetadataUnreachable as error:
                raise FetchError(str(error)) from None  # a missing answer is never a reason to change the identity
            except (ProviderUnavailable, NoCredentialsError) as error:  # the latter of a chain within this one
                self._warn_of_loss(found, error)
            else:
                self._lost = None
                return self._named(credentials, found)
        return self._find(context)

    def explain(self) -> str:
        """What a fetch would do, with a line for each provider. Sends no request; reads files, but shows no secret.

        At the first provider that is `broken` the chain stops, which its line says, unless `on_error` is "continue".
        """
        lines, stopped = [], False
        may_stop = self._found is None and self._on_error == "stop"
        for number, provider in enumerate(self.providers, 1):
            explain = getattr(provider, "explain", None)
            text = explain() if explain is not None else "would be asked"
            mark = NOT_REACHED if stopped else ""
            if may_stop and not stopped and text.startswith(BROKEN):
                stopped, mark = True, STOPS_HERE
            found = " (found, asked first)" if provider is self._found else ""
            lines.append(f"{number}. {provider.get_provider_name()}{found}: {text}{mark}")
        return "\n".join(lines)

    def _find(self, context: FetchContext) -> Credentials:
        passed: list[tuple[CredentialProvider, RamRoleError]] = []
        for provider in self.providers:
            outcome = self._ask(provider, context)
            if not isinstance(outcome, RamRoleError):
                self._found, self._lost = provider, None
                self._warn_of_ignored_uri(provider)
                return self._named(outcome, provider)
            passed.append((provider, outcome))
        raise _nothing_found(passed)

    def _ask(self, provider: CredentialProvider, context: FetchContext) -> Credentials | RamRoleError:
        """The credentials of a provider, or why it is skipped. A provider that is here but broken raises."""
        try:
            return self._fetch_from(provider, context)
        except (ProviderUnavailable, NoCredentialsError) as error:
            return error
        except RamRoleError as error:
            if self._on_error == "stop":
                raise
            return error

    def _fetch_from(self, provider: CredentialProvider, context: FetchContext) -> Credentials:
        """Fetch within the provider's own time limit, since that of the chain may be meant for a slower one."""
        part = context.limited_to(provider.default_policy.fetch_timeout)
        credentials = ensure_credentials(fetch_from(provider, part), provider.get_provider_name())
        context.merge(part)
        if self._guard is not None:
            self._guard.check(credentials, context)
        return credentials

    def _warn_of_loss(self, found: CredentialProvider, error: RamRoleError) -> None:
        """Warn once per loss: while no other source has credentials, each fetch asks the lost one first."""
        if self._lost is not found:
            name = found.get_provider_name()
            _log.warning("%s: %s is gone (%s); looking for another source", self._chain_name, name, on_one_line(error))
        self._lost = found

    def _warn_of_ignored_uri(self, found: CredentialProvider) -> None:
        names = [provider.get_provider_name() for provider in self.providers]
        if self._warned or found.get_provider_name() == "credential_uri" or "credential_uri" not in names:
            return
        if os.environ.get(URI_VARIABLE):
            self._warned = True
            _log.warning(
                "%s: %s is set and not used, since %s comes first in the order of the official SDKs and has "
                'credentials; default_provider(only=("credential_uri",)) uses nothing else',
                *(self._chain_name, URI_VARIABLE, found.get_provider_name()),
            )

    def _named(self, credentials: Credentials, provider: CredentialProvider) -> Credentials:
        inner = credentials.provider_name or provider.get_provider_name()  # a function may leave the name out
        return credentials.replace(provider_name=f"{self._chain_name}/{inner}")


def _not_a_provider(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"A ProviderChain takes CredentialProvider objects, not {kind_of(given)}. Call the class, wrap a function in "
        "FunctionProvider, or keys in StaticProvider."
    )


def _nothing_found(passed: list[tuple[CredentialProvider, RamRoleError]]) -> NoCredentialsError:
    lines = "\n".join(f"  {provider.get_provider_name()}: {error}" for provider, error in passed)
    return NoCredentialsError(f"No credentials found. Each source in turn:\n{lines}\nRun `ramrole-creds doctor`.")
