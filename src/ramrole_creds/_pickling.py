"""How a provider travels between processes: as its configuration, to become one provider where it arrives.

Eight tasks in one worker process that were each sent the provider unpickle eight times; they all get the one object
that the process has for this configuration, and so fetch once.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

ProviderT = TypeVar("ProviderT")

MAX_KEPT = 64
# What providers read of the environment when they are made. Keys and tokens they read at each fetch, and they are
# secret.
_FAMILIES = ("ALIBABA_CLOUD_", "ALIBABACLOUD_", "RAMROLE_CREDS_")
_READ_LATER = frozenset(
    f"{family}{name}"
    for family in _FAMILIES
    for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "BEARER_TOKEN")
)

_arrived: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
_kept: OrderedDict[Hashable, Any] = OrderedDict()
"""The latest arrivals: a worker holds nothing between two tasks, and the next one shall not fetch again."""
_arrivals = threading.RLock()
"""Guards _arrived and _kept; re-entered by a provider that is another one's argument."""


class ProviderRecipe:
    """Class and constructor arguments of a provider, and the environment that it was made in."""

    __slots__ = ("_args", "_class", "_kwargs", "_surroundings")

    def __init__(self, cls: type[object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._class = cls
        self._args = args
        self._kwargs = kwargs
        self._surroundings = _surroundings()

    def repeat(self, provider: object) -> None:
        """Call the constructor again, in the environment as it is now."""
        self._surroundings = _surroundings()
        self._class.__init__(provider, *self._args, **self._kwargs)

    def reduce_args(self, provider: object) -> tuple[Any, ...]:
        """The arguments of `restore`. A pickle that returns to this process becomes the pickled provider."""
        with _arrivals:
            _arrived[self.key()] = provider
        return self._class, self._args, self._kwargs

    def key(self) -> Hashable:
        """The same for all providers of this configuration."""
        return _key(self._class, self._args, self._kwargs, self._surroundings)

    def token(self) -> tuple[str, ...]:
        """A name for this configuration, the same in every process, from which no argument can be read."""
        import hashlib
        import pickle

        content = pickle.dumps((self._args, sorted(self._kwargs.items())))
        return f"{self._class.__module__}.{self._class.__qualname__}", hashlib.sha256(content).hexdigest()


def restore(cls: type[ProviderT], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ProviderT:
    """The provider that this process has for this configuration, made where there is none yet.

    The environment is a part of it: a worker whose next task names another profile must not go on with the last one's.
    """
    key = _key(cls, args, kwargs, _surroundings())
    with _arrivals:
        provider = _arrived.get(key) or _kept.get(key)
        if provider is None:
            provider = _arrived[key] = cls(*args, **kwargs)
        _kept[key] = provider
        _kept.move_to_end(key)
        if len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
        return provider


def forget(provider: object) -> None:
    """Let the next arrival of this configuration become a provider of its own, since this one was closed."""
    with _arrivals:
        for registry in (_kept, _arrived):
            for key in [key for key, one in registry.items() if one is provider]:
                registry.pop(key, None)


def _key(cls: type[object], args: tuple[Any, ...], kwargs: dict[str, Any], surroundings: Hashable) -> Hashable:
    return cls, _frozen(args), _frozen(kwargs), surroundings


def _surroundings() -> Hashable:
    names = [name for name in os.environ if name.startswith(_FAMILIES) and name not in _READ_LATER]
    return frozenset((name, os.environ.get(name)) for name in names)  # another thread may unset one meanwhile


def _frozen(value: object) -> Hashable:
    """The value in hashable form, with its type: 1 and True are two configurations."""
    if isinstance(value, Mapping):
        return "mapping", frozenset((_frozen(key), _frozen(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(_frozen(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return "set", frozenset(_frozen(item) for item in value)
    itinerary = getattr(value, "_recipe", None)
    if isinstance(itinerary, ProviderRecipe):
        return itinerary.key()  # a link of a chain is known by what it was made of, as the chain is
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value


def _after_fork_in_child() -> None:
    global _arrivals  # noqa: PLW0603  # a lock can only be replaced
    _arrivals = threading.RLock()  # another thread of the parent may have held the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
