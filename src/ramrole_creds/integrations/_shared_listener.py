"""How a listener travels with a pickled provider: it arrives as the one that the receiving process has."""

from __future__ import annotations

import weakref
from typing import Any

from ramrole_creds.errors import cannot_be_pickled

_shared: dict[type[SharedListener], SharedListener] = {}
"""The first of each class that writes to the place which every process has."""
_defaults: weakref.WeakSet[SharedListener] = weakref.WeakSet()


class SharedListener:
    """A listener of which a process needs one, because its metrics are registered by name."""

    def _share(self, *, default: bool) -> None:
        """Remember it where it writes to the `default` place, which every process has."""
        if default:
            _defaults.add(self)
            _shared.setdefault(type(self), self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self not in _defaults:
            raise cannot_be_pickled(
                f"This {type(self).__name__} cannot be pickled: another process has no access to what it writes to. "
                "Create it without arguments, or create it in the process that uses it."
            )
        return _arrive, (type(self),)


def _arrive(kind: type[SharedListener]) -> SharedListener:
    return _shared.get(kind) or kind()
