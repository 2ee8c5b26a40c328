"""Providers that other packages have registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ramrole_creds.provider import CredentialProvider

ENTRY_POINT_GROUP = "ramrole_creds.providers"


def registered_provider(name: str, known: Collection[str] = ()) -> Callable[..., CredentialProvider]:
    """What a package has registered under a name in the entry-point group "ramrole_creds.providers".

    Raises:
        ConfigurationError: nobody has, or it cannot be loaded.
    """
    from importlib.metadata import entry_points

    # A URL's scheme has hyphens where other names have underscores.
    points = entry_points(group=ENTRY_POINT_GROUP)
    registered = {point.name.replace("-", "_"): point for point in points}
    point = registered.get(name.replace("-", "_"))
    if point is None:
        there = ", ".join([*known, *(point.name for point in points)])
        raise ConfigurationError(
            f"No provider is called {name!r}. There are {there}; packages add theirs under the entry-point group "
            f"{ENTRY_POINT_GROUP}."
        )
    try:
        make: Callable[..., CredentialProvider] = point.load()
    except Exception as error:  # whatever a package does when it is imported
        raise ConfigurationError(f"The provider {name!r} cannot be loaded: {type(error).__name__}.") from error
    return make
