"""Providers that other packages have registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._tracebacks import describe_exception
from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ramrole_creds.provider import CredentialProvider

ENTRY_POINT_GROUP = "ramrole_creds.providers"


def registered_provider(name: str, known: Collection[str] = ()) -> Callable[..., CredentialProvider]:
    """The provider class or function that a package has registered in the entry-point group "ramrole_creds.providers".

    Args:
        name: the name of the entry point.
        known: the names of the providers of this library, for the error.

    Raises:
        ConfigurationError: no package has registered that name, or the provider cannot be loaded.
    """
    from importlib.metadata import entry_points

    # The scheme of a URL has hyphens instead of underscores.
    points = entry_points(group=ENTRY_POINT_GROUP)
    registered = {point.name.replace("-", "_"): point for point in points}
    point = registered.get(name.replace("-", "_"))
    if point is None:
        there = ", ".join([*known, *(point.name for point in points)])
        raise ConfigurationError(
            f"No provider has the name {name!r}. The names are {there}; packages add theirs in the entry-point group "
            f"{ENTRY_POINT_GROUP}."
        )
    try:
        make: Callable[..., CredentialProvider] = point.load()
    except Exception as error:  # noqa: BLE001  # a package may raise anything when it is imported
        raise ConfigurationError(f"The provider {name!r} cannot be loaded: {describe_exception(error)}.") from None
    return make
