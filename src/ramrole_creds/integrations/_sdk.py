"""Loading an SDK when it is first needed, and telling a user who lacks it what to install."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider


def load_sdk(module: str, extra: str) -> Any:  # noqa: ANN401  # a module without types
    """A module of an SDK.

    Args:
        module: the module's full name.
        extra: the extra of this package that installs it.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the SDK is there, something that it needs is not
        raise ConfigurationError(
            f"{module} is not installed. Install it with: pip install 'ramrole-creds[{extra}]'."
        ) from None


def require_attribute(holder: object, name: str, distribution: str, tested: str) -> None:
    """Make sure that a private attribute which an adapter replaces is still there.

    Args:
        holder: the SDK's object or class.
        name: the attribute.
        distribution: the SDK's name on the package index.
        tested: the version that the adapter was tested with.

    Raises:
        ConfigurationError: the SDK has changed: to set the attribute would have no effect.
    """
    if not hasattr(holder, name):
        owner = holder if isinstance(holder, type) else type(holder)
        raise ConfigurationError(
            f"{distribution} {metadata.version(distribution)} has no {owner.__name__}.{name} any more, through which "
            f"it takes rotating credentials: use {distribution}=={tested} until this package knows the new one."
        )


def as_provider(provider: CredentialProvider | str) -> CredentialProvider:
    """The provider itself, or the one that its URL stands for."""
    if not isinstance(provider, str):
        return provider
    from ramrole_creds import provider_from_url

    return provider_from_url(provider)
