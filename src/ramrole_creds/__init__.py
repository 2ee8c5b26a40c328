"""Credentials of the RAM role attached to the place where a program runs on Alibaba Cloud.

`default_provider()` finds them, the provider keeps them fresh, and a `Signer` signs requests with them. Importing this
package is cheap: each name is loaded when it is first used. `__init__.pyi` holds the same names for type checkers.
"""

from __future__ import annotations

_LAZY = {
    "_cache.fetch_context": ("FetchContext",),
    "_cache.policy": ("RefreshPolicy",),
    "_cache.status": ("ProviderStatus",),
    "_discovery.chain": ("ProviderChain",),
    "_discovery.default": ("default_provider", "shared_provider"),
    "_discovery.from_config": ("provider_from_config",),
    "_discovery.from_url": ("provider_from_url",),
    "_discovery.region": ("default_region",),
    "credentials": ("Credentials",),
    "errors": (
        "ConfigurationError",
        "CredentialsExpired",
        "FetchError",
        "FetchTimeout",
        "IdentityMismatch",
        "LifetimeTooShort",
        "MetadataError",
        "MetadataUnreachable",
        "NoCredentialsError",
        "ProcessError",
        "ProfileError",
        "ProviderUnavailable",
        "RamRoleError",
        "RoleNotAttached",
        "SigningError",
        "StsError",
        "WaitTimeout",
    ),
    "provider": ("CredentialProvider", "ProviderOptions"),
    "providers.bearer_token": ("BearerTokenProvider",),
    "providers.credentials_uri": ("CredentialsUriProvider",),
    "providers.ecs_ram_role": ("EcsRamRoleProvider",),
    "providers.environment": ("EnvironmentProvider",),
    "providers.function": ("FunctionProvider",),
    "providers.oidc_role_arn": ("OidcRoleArnProvider",),
    "providers.process": ("ProcessProvider",),
    "providers.profiles.cli_profile": ("CliProfileProvider",),
    "providers.profiles.ini_profile": ("IniProfileProvider",),
    "providers.push": ("PushProvider",),
    "providers.ram_role_arn": ("RamRoleArnProvider",),
    "providers.rsa_key_pair": ("RsaKeyPairProvider",),
    "providers.sign_in.cloud_sso": ("CloudSsoProvider",),
    "providers.sign_in.oauth": ("OAuthProvider", "OAuthTokens"),
    "providers.static": ("StaticProvider",),
    "roles": ("InstanceRoles", "RoleApiError"),
    "signing.signer": ("Signer",),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}

__all__ = sorted([*_MODULES, "__version__", "signing"])


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    from importlib import import_module

    value: object
    if name == "__version__":
        value = import_module("importlib.metadata").version("ramrole-creds")
    elif name == "signing":
        value = import_module(f"{__name__}.signing")
    elif name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
