"""Load an SDK when it is first needed, and say what to install where it is missing."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, TypeAlias

from ramrole_creds._checks import official_object_hint
from ramrole_creds._pickling import restore
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, install_command

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

SdkObject: TypeAlias = Any
"""An object of an SDK that has no types."""


if TYPE_CHECKING:

    class SdkBase:
        """For type checkers, in place of a class of an SDK that has no types: it takes anything and has everything."""

        def __init__(self, *arguments: SdkObject, **options: SdkObject) -> None:
            """Take anything."""

        def __getattr__(self, name: str) -> SdkObject:
            """Have everything."""


def load_sdk(module: str, extra: str) -> SdkObject:
    """Import a module of an SDK.

    Args:
        module: the full name of the module.
        extra: the extra of this package that installs the SDK.

    Raises:
        ConfigurationError: the SDK is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the SDK is installed, one of its own dependencies is not
        raise ConfigurationError(f"{module} is not installed. Install it: {install_command(extra)}.") from None


def require_attribute(holder: object, name: str, distribution: str, tested: str) -> None:
    """Check that a private attribute which an adapter replaces still exists.

    Args:
        holder: the object or class of the SDK.
        name: the attribute.
        distribution: the name of the SDK on the package index.
        tested: the version that the adapter was tested with.

    Raises:
        ConfigurationError: the attribute is missing, so setting it would have no effect.
    """
    if not hasattr(holder, name):
        owner = holder if isinstance(holder, type) else type(holder)
        raise ConfigurationError(
            f"{owner.__name__} has no attribute {name}, which ramrole-creds replaces to supply rotating credentials. "
            f"{distribution} {_version(distribution)} is installed: pin {distribution}=={tested} until ramrole-creds "
            "supports the newer version."
        )


def as_provider(provider: CredentialProvider | str) -> CredentialProvider:
    """The provider itself, or the one that this process has for a URL and the environment, so that it fetches once.

    Raises:
        ConfigurationError: it is something else. The message says what to write.
    """
    if isinstance(provider, str):
        from ramrole_creds import provider_from_url

        return restore(provider_from_url, (provider,), {})
    given: object = provider
    if isinstance(given, type):
        raise ConfigurationError(f"Pass a provider, not the class {given.__name__}: write {given.__name__}().")
    if isinstance(given, Credentials):
        raise ConfigurationError(
            "Pass a provider, not Credentials, which cannot be refreshed. Pass the provider that returned them, or "
            "StaticProvider(access_key_id, access_key_secret) for a long-term key."
        )
    hint = official_object_hint(given)
    if hint or not callable(getattr(given, "get_credentials", None)):
        raise ConfigurationError(f"Pass a provider, for instance default_provider(), not {type(given).__name__}.{hint}")
    return provider


def refuse_provider(argument: object, call: str) -> None:
    """Refuse a provider in the place of another argument.

    Args:
        argument: the value in that place.
        call: the call with its arguments in their order.

    Raises:
        ConfigurationError: it is a provider.
    """
    if hasattr(argument, "get_credentials"):
        raise ConfigurationError(f"The arguments are swapped: write {call}.")


def require_text(**arguments: object) -> None:
    """Check that arguments are texts that are not empty.

    Raises:
        ConfigurationError: one is not.
    """
    for name, value in arguments.items():
        if not isinstance(value, str) or not value:
            given = "an empty text" if isinstance(value, str) else type(value).__name__
            raise ConfigurationError(f"{name} must be a text, not {given}.")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of an unknown version"
