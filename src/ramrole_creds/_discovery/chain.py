"""The provider chain: which source a program's credentials come from.

Three rules make it safer than its peers. *Not here* moves on to the next link; *here but broken* stops the chain,
for to run silently under another identity is worse than to fail; and a chain that has found its link stays with it
until that link says for certain that it is gone.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, ClassVar, Literal

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.replacement import ensure_credentials
from ramrole_creds.errors import (
    ConfigurationError,
    FetchError,
    MetadataUnreachable,
    NoCredentialsError,
    ProviderUnavailable,
    RamRoleError,
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


class ProviderChain(CredentialProvider):
    """Asks its links in order; one cache at the top, whatever the number of links.

    Args:
        providers: the links, most specific first.
        name: first part of the credentials' provider name, as "default" in "default/ecs_ram_role".
        on_error: "stop" at a link that is here but broken; "continue" with the next one, as the official SDKs do.
        guard: refuses credentials of another identity at each fetch.
        options: `policy`, `clock` and `on_event` of every provider. Without a policy a fetch may take as long as that
            of the slowest link may.

    Raises:
        ConfigurationError: there are no links, or one of them is no provider.
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
                raise _no_provider(provider)
        if options.get("policy") is None:
            slowest = max(provider.default_policy.fetch_timeout for provider in providers)
            options["policy"] = RefreshPolicy(fetch_timeout=slowest)
        super().__init__(**options)
        if on_error not in ("stop", "continue"):
            raise ConfigurationError(f'on_error must be "stop" or "continue", not {on_error!r}.')
        self.providers = providers
        self._chain_name = name
        self._on_error = on_error
        self._guard = guard
        self._found: CredentialProvider | None = None
        self._lost: CredentialProvider | None = None
        self._warned = False

    def get_provider_name(self) -> str:
        """The chain's name."""
        return self._chain_name

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the link that was found, or walk the links.

        Raises:
            NoCredentialsError: no link has credentials; one line for each says why.
            IdentityMismatch: a link has credentials of another identity than the expected one.
            FetchError: a link is here but broken.
        """
        found = self._found
        if found is not None:
            try:
                credentials = self._fetch_from(found, context)
            except MetadataUnreachable as error:
                # It merely does not answer. That is no reason to become somebody else.
                silent = FetchError(str(error))
            except (ProviderUnavailable, NoCredentialsError) as error:  # the latter of a chain within this one
                self._warn_of_loss(found, error)
                silent = None
            else:
                self._lost = None
                return self._named(credentials)
            if silent is not None:
                raise silent
        return self._walk(context)

    def explain(self) -> str:
        """What a fetch would do, a line for each link; asks nobody, and reads files without showing what is in them.

        A link that says `broken` is where the chain stops, unless it was made to go on.
        """
        lines = []
        for number, link in enumerate(self.providers, 1):
            says = getattr(link, "explain", None)
            found = " (found, asked first)" if link is self._found else ""
            lines.append(f"{number}. {_title(link)}{found}: {says() if says is not None else 'would be asked'}")
        return "\n".join(lines)

    def _walk(self, context: FetchContext) -> Credentials:
        passed: list[tuple[CredentialProvider, RamRoleError]] = []
        for link in self.providers:
            outcome = self._ask(link, context)
            if not isinstance(outcome, RamRoleError):
                self._found, self._lost = link, None
                self._warn_of_ignored_uri(link)
                return self._named(outcome)
            passed.append((link, outcome))
        raise NoCredentialsError(_report(passed))

    def _ask(self, link: CredentialProvider, context: FetchContext) -> Credentials | RamRoleError:
        """What a link gives, or why it is passed over; a link that is here but broken raises."""
        try:
            return self._fetch_from(link, context)
        except (ProviderUnavailable, NoCredentialsError) as error:
            return error
        except RamRoleError as error:
            if self._on_error == "stop":
                raise
            return error

    def _fetch_from(self, link: CredentialProvider, context: FetchContext) -> Credentials:
        """One link within its own time limit: that of the whole may be meant for a slower one."""
        part = context.limited_to(link.default_policy.fetch_timeout)
        credentials = ensure_credentials(fetch_from(link, part), _title(link))
        context.merge(part)
        if self._guard is not None:
            self._guard.check(credentials, context)
        return credentials

    def _warn_of_loss(self, found: CredentialProvider, error: RamRoleError) -> None:
        """Once for each loss: while no other source has credentials, each fetch asks the lost one first."""
        if self._lost is not found:
            _log.warning("%s: %s is gone (%s); looking for another source", self._chain_name, _title(found), error)
        self._lost = found

    def _warn_of_ignored_uri(self, found: CredentialProvider) -> None:
        links = [_title(link) for link in self.providers]
        if self._warned or _title(found) == "credential_uri" or "credential_uri" not in links:
            return
        if os.environ.get(URI_VARIABLE):
            self._warned = True
            _log.warning(
                "%s: %s is set and not asked, since %s comes first in the order of the official SDKs and has "
                'credentials; default_provider(only=("credential_uri",)) asks it alone',
                *(self._chain_name, URI_VARIABLE, _title(found)),
            )

    def _named(self, credentials: Credentials) -> Credentials:
        return credentials.replace(provider_name=f"{self._chain_name}/{credentials.provider_name}")


def _no_provider(link: object) -> ConfigurationError:
    what = f"the class {link.__name__}" if isinstance(link, type) else type(link).__name__
    return ConfigurationError(
        f"A link must be a CredentialProvider object, not {what}: call the class, wrap a function in "
        "FunctionProvider, keys in StaticProvider."
    )


def _title(link: CredentialProvider) -> str:
    return link.get_provider_name()


def _report(passed: list[tuple[CredentialProvider, RamRoleError]]) -> str:
    lines = [f"  {_title(link)}: {error}" for link, error in passed]
    return "\n".join(["No credentials found. Each source in turn:", *lines, "Run `ramrole-creds doctor`."])
