"""Credentials of the RAM role attached to the place where a program runs on Alibaba Cloud.

`default_provider()` finds them, the provider keeps them fresh, a `Signer` signs requests with them. Importing this
package loads next to nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` would be most of the cost of this module

if TYPE_CHECKING:
    from ramrole_creds import signing
    from ramrole_creds.chain import ProviderChain, default_provider
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.errors import (
        ConfigurationError,
        CredentialsExpired,
        CredentialsTooShort,
        FetchError,
        FetchTimeout,
        IdentityMismatch,
        MetadataError,
        MetadataUnreachable,
        NoCredentialsError,
        ProcessError,
        ProfileError,
        ProviderUnavailable,
        RamRoleError,
        RoleNotAttached,
        SigningError,
        StsError,
        WaitTimeout,
    )
    from ramrole_creds.flight import FetchContext
    from ramrole_creds.policy import RefreshPolicy
    from ramrole_creds.provider import CredentialProvider
    from ramrole_creds.provider_config import provider_from_config
    from ramrole_creds.provider_url import provider_from_url
    from ramrole_creds.providers.bearer_token import BearerTokenProvider
    from ramrole_creds.providers.cli_profile import CliProfileProvider
    from ramrole_creds.providers.cloud_sso import CloudSsoProvider
    from ramrole_creds.providers.credential_uri import CredentialsUriProvider
    from ramrole_creds.providers.ecs_ram_role import EcsRamRoleProvider
    from ramrole_creds.providers.environment import EnvironmentProvider
    from ramrole_creds.providers.external import ProcessProvider
    from ramrole_creds.providers.function import FunctionProvider
    from ramrole_creds.providers.ini_profile import IniProfileProvider
    from ramrole_creds.providers.oauth import OAuthProvider, OAuthTokens
    from ramrole_creds.providers.oidc_role_arn import OidcRoleArnProvider
    from ramrole_creds.providers.push import PushProvider
    from ramrole_creds.providers.ram_role_arn import RamRoleArnProvider
    from ramrole_creds.providers.region import default_region
    from ramrole_creds.providers.rsa_key_pair import RsaKeyPairProvider
    from ramrole_creds.providers.static import StaticProvider
    from ramrole_creds.roles import InstanceRoles, RoleApiError
    from ramrole_creds.signing import Signer

    __version__: str

__all__ = [
    "BearerTokenProvider",
    "CliProfileProvider",
    "CloudSsoProvider",
    "ConfigurationError",
    "CredentialProvider",
    "Credentials",
    "CredentialsExpired",
    "CredentialsTooShort",
    "CredentialsUriProvider",
    "EcsRamRoleProvider",
    "EnvironmentProvider",
    "FetchContext",
    "FetchError",
    "FetchTimeout",
    "FunctionProvider",
    "IdentityMismatch",
    "IniProfileProvider",
    "InstanceRoles",
    "MetadataError",
    "MetadataUnreachable",
    "NoCredentialsError",
    "OAuthProvider",
    "OAuthTokens",
    "OidcRoleArnProvider",
    "ProcessError",
    "ProcessProvider",
    "ProfileError",
    "ProviderChain",
    "ProviderUnavailable",
    "PushProvider",
    "RamRoleArnProvider",
    "RamRoleError",
    "RefreshPolicy",
    "RoleApiError",
    "RoleNotAttached",
    "RsaKeyPairProvider",
    "Signer",
    "SigningError",
    "StaticProvider",
    "StsError",
    "WaitTimeout",
    "__version__",
    "default_provider",
    "default_region",
    "provider_from_config",
    "provider_from_url",
    "signing",
]

_HOMES = {
    "BearerTokenProvider": "providers.bearer_token",
    "CliProfileProvider": "providers.cli_profile",
    "CloudSsoProvider": "providers.cloud_sso",
    "CredentialProvider": "provider",
    "Credentials": "credentials",
    "CredentialsUriProvider": "providers.credential_uri",
    "EcsRamRoleProvider": "providers.ecs_ram_role",
    "EnvironmentProvider": "providers.environment",
    "FetchContext": "flight",
    "FunctionProvider": "providers.function",
    "IniProfileProvider": "providers.ini_profile",
    "InstanceRoles": "roles",
    "OAuthProvider": "providers.oauth",
    "OAuthTokens": "providers.oauth",
    "OidcRoleArnProvider": "providers.oidc_role_arn",
    "ProcessProvider": "providers.external",
    "ProviderChain": "chain",
    "PushProvider": "providers.push",
    "RamRoleArnProvider": "providers.ram_role_arn",
    "RefreshPolicy": "policy",
    "RoleApiError": "roles",
    "RsaKeyPairProvider": "providers.rsa_key_pair",
    "Signer": "signing",
    "StaticProvider": "providers.static",
    "default_provider": "chain",
    "default_region": "providers.region",
    "provider_from_config": "provider_config",
    "provider_from_url": "provider_url",
    "signing": "signing",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("ramrole-creds")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name, "errors")
    value: object = import_module(f"{__name__}.{home}")
    if name != home:
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
