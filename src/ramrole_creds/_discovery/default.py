"""The chain of the official SDKs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._checks import unknown_argument
from ramrole_creds._discovery.chain import ProviderChain
from ramrole_creds._discovery.entry_points import registered_provider
from ramrole_creds._pickling import restore
from ramrole_creds.errors import ConfigurationError, FetchError, reference
from ramrole_creds.provider import CredentialProvider, ProviderOptions
from ramrole_creds.providers.variables import warn_of_misspelt_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from typing_extensions import Unpack

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._discovery.chain import OnError
    from ramrole_creds.credentials import Credentials

EXPECT_ROLE_VARIABLE = "RAMROLE_CREDS_EXPECT_ROLE"
EXPECT_ACCOUNT_VARIABLE = "RAMROLE_CREDS_EXPECT_ACCOUNT"


def default_provider(
    *,
    only: Collection[str] | None = None,
    expect_role: str | None = None,
    expect_account: str | None = None,
    endpoint: str | None = None,
    sts_endpoint: str | None = None,
    on_error: OnError = "stop",
    **options: Unpack[ProviderOptions],
) -> ProviderChain:
    """A new chain in the order of the official SDKs.

    The order: environment variables, OIDC (RRSA in ACK), the profile of the aliyun CLI, the profile of the ini file,
    the RAM role of the instance, the credentials URI.

    Args:
        only: names of the providers to keep ("env", "oidc_role_arn", "cli_profile", "profile", "ecs_ram_role",
            "credential_uri"), and names of providers that packages have registered (entry-point group
            "ramrole_creds.providers"), which come last.
        expect_role: refuse credentials of any other role; else RAMROLE_CREDS_EXPECT_ROLE.
        expect_account: refuse credentials of any other account; else RAMROLE_CREDS_EXPECT_ACCOUNT.
        endpoint: base URL of the metadata service; see `MetadataClient`.
        sts_endpoint: host or URL of STS; see `StsClient`.
        on_error: "continue" skips a provider that is here but broken, as the official SDKs do.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: a name in `only` is unknown, or another argument is not valid.
    """
    _require_known(options)
    warn_of_misspelt_variables()
    makers = _official_providers(endpoint, sts_endpoint, options)
    if only is not None:
        makers = _selected(makers, [only] if isinstance(only, str) else list(only))
    role = expect_role or os.environ.get(EXPECT_ROLE_VARIABLE) or None
    account = expect_account or os.environ.get(EXPECT_ACCOUNT_VARIABLE) or None
    guard = None
    if role or account:
        from ramrole_creds._discovery.identity_guard import IdentityGuard

        guard = IdentityGuard(role, account, endpoint, sts_endpoint)
    return ProviderChain(
        *(_make(name, make) for name, make in makers.items()),
        name="default",
        on_error=on_error,
        guard=guard,
        **options,
    )


def shared_provider(
    *,
    only: Collection[str] | None = None,
    expect_role: str | None = None,
    expect_account: str | None = None,
    endpoint: str | None = None,
    sts_endpoint: str | None = None,
    on_error: OnError = "stop",
    **options: Unpack[ProviderOptions],
) -> ProviderChain:
    """The one default chain of this process for these arguments and this environment.

    Use it in code that makes a client for each request or task. A hundred calls of `default_provider()` make a hundred
    providers, and each one fetches. A hundred calls of `shared_provider()` return the same one. After `close()`, the
    next call makes a new one. The environment means the variables that providers read when they are made.

    Args:
        only: names of the providers to keep, as for `default_provider`.
        expect_role: refuse credentials of any other role.
        expect_account: refuse credentials of any other account.
        endpoint: base URL of the metadata service.
        sts_endpoint: host or URL of STS.
        on_error: "continue" skips a provider that is here but broken.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: a name in `only` is unknown, or another argument is not valid.
    """
    if isinstance(only, str):
        only = (only,)
    elif only is not None:  # a list and a tuple are the same argument, and a set has no order
        only = tuple(sorted(only) if isinstance(only, (set, frozenset)) else only)
    arguments = {
        "only": only,
        "expect_role": expect_role,
        "expect_account": expect_account,
        "endpoint": endpoint,
        "sts_endpoint": sts_endpoint,
        "on_error": on_error,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return restore(default_provider, (), {**arguments, **given})


def _require_known(options: ProviderOptions) -> None:
    for name in options.keys() - ProviderOptions.__annotations__.keys():
        raise unknown_argument(name, "default_provider", (default_provider, CredentialProvider.__init__))


class MisconfiguredProvider(CredentialProvider):
    """Takes the place of a provider whose configuration is not valid, so that those before it can still be used.

    Args:
        title: the name of that provider.
        problem: what is wrong, as text, so that two pickles of one chain become one provider.
    """

    name: ClassVar[str] = "broken"

    def __init__(self, title: str, problem: str) -> None:
        super().__init__()
        self._title = title
        self._problem = problem

    def get_provider_name(self) -> str:
        """The name of the misconfigured provider."""
        return self._title

    def fetch(self, context: FetchContext) -> Credentials:
        """Raise a FetchError that says what is wrong."""
        raise FetchError(self._problem + reference("configurationerror"), unrecoverable=True)

    def explain(self) -> str:
        """What is wrong."""
        return f"broken: {self._problem}"


if TYPE_CHECKING:
    _Makers = dict[str, Callable[[], CredentialProvider]]


def _official_providers(endpoint: str | None, sts_endpoint: str | None, options: ProviderOptions) -> _Makers:
    from ramrole_creds.providers.credentials_uri import CredentialsUriProvider
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.providers.environment import EnvironmentProvider
    from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
    from ramrole_creds.providers.profiles.cli_profile import CliProfileProvider
    from ramrole_creds.providers.profiles.ini_profile import IniProfileProvider

    clock = options.get("clock")
    return {
        "env": lambda: EnvironmentProvider(clock=clock),
        "oidc_role_arn": lambda: OidcRoleArnProvider(endpoint=sts_endpoint, clock=clock),
        "cli_profile": lambda: CliProfileProvider(endpoint=endpoint, sts_endpoint=sts_endpoint, clock=clock),
        "profile": lambda: IniProfileProvider(endpoint=endpoint, sts_endpoint=sts_endpoint, clock=clock),
        "ecs_ram_role": lambda: EcsRamRoleProvider(endpoint=endpoint, clock=clock),
        "credential_uri": lambda: CredentialsUriProvider(clock=clock),
    }


def _selected(makers: _Makers, only: list[str]) -> _Makers:
    only = [name.replace("-", "_") for name in only]  # as in a URL
    chosen = {name: make for name, make in makers.items() if name in only}
    for name in only:
        if name not in makers:
            chosen[name] = registered_provider(name, [*makers])
    if not chosen:
        raise ConfigurationError("only=() selects no source of credentials.")
    return chosen


def _make(name: str, make: Callable[[], CredentialProvider]) -> CredentialProvider:
    try:
        return make()
    except ConfigurationError as error:
        return MisconfiguredProvider(name, error.message)
