"""Credentials of the RAM role attached to the place where a program runs on Alibaba Cloud.

`default_provider()` finds them, the provider keeps them fresh, a `Signer` signs requests with them. Importing this
package loads next to nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

    __version__: str

__all__ = [
    "ConfigurationError",
    "Credentials",
    "CredentialsExpired",
    "CredentialsTooShort",
    "FetchError",
    "FetchTimeout",
    "IdentityMismatch",
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
    "__version__",
]

_HOMES = {
    "Credentials": "credentials",
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
