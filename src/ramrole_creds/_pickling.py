"""How a provider is pickled: as its configuration, from which one provider is made in the receiving process.

If eight tasks in a worker process receive the same provider, it is unpickled eight times. All of them get the one
object that the process has for this configuration, and so they fetch once.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from operator import index
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, SupportsIndex, TypeVar

from ramrole_creds._checks import names_secret
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import cannot_be_pickled

if TYPE_CHECKING:
    from typing_extensions import Self

Made = TypeVar("Made")

MAX_RECENT = 64
MAX_NESTED_VALUES = 4
# The variables that providers read in their constructors. Keys and tokens are read at each fetch, and are secret.
_FAMILIES = ("ALIBABA_CLOUD_", "ALIBABACLOUD_", "RAMROLE_CREDS_")
_READ_LATER = frozenset(
    f"{family}{name}"
    for family in _FAMILIES
    for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "BEARER_TOKEN")
)

_made: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
_recent: OrderedDict[Hashable, Any] = OrderedDict()
"""The latest ones: between two tasks a worker holds no reference, and the next task must not fetch again."""
_lock = threading.RLock()
"""Guards _made and _recent."""


class PickledWithSlots:
    """A base of classes with slots: protocols 0 and 1 carry the slots too, as later protocols do by themselves."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        return super().__reduce_ex__(max(index(protocol), 2))


class BoundToProcess:
    """A base of objects that hold what only their process has. Copying one gives itself."""

    __slots__ = ()

    _instead: ClassVar[str]
    """What it holds, and what to send instead."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise cannot_be_pickled(f"This {type(self).__name__.lstrip('_')} cannot be pickled: {self._instead}")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class ProviderRecipe:
    """The class and the constructor arguments of a provider, and the environment in which it was made."""

    __slots__ = ("_arguments", "_class", "_environment_key")

    def __init__(self, cls: type[object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._class = cls
        self._arguments = sealed((args, kwargs))  # an argument may be a secret
        self._environment_key = _environment_key()

    def repeat(self, provider: object) -> None:
        """Call the constructor again, in the environment as it is now."""
        self._environment_key = _environment_key()
        args, kwargs = self._arguments()
        self._class.__init__(provider, *args, **kwargs)

    def reduce_args(self, provider: object) -> tuple[Any, ...]:
        """The arguments of `restore`. A pickle that returns to this process becomes the pickled provider.

        Raises:
            TypeError: an argument is a secret.
        """
        self._refuse_secrets()
        key = self.key()
        with _lock:
            _made[key] = provider
        args, kwargs = self._arguments()
        return self._class, args, kwargs

    def __reduce__(self) -> NoReturn:
        raise cannot_be_pickled("The arguments of a provider cannot be pickled. Pickle the provider itself.")

    def _refuse_secrets(self) -> None:
        args, kwargs = self._arguments()
        names = _parameter_names(self._class.__init__)[1:]
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            secret = _secret_in(name, value)
            if secret is not None:
                raise cannot_be_pickled(
                    f"This {self._class.__name__} cannot be pickled: its argument {secret!r} would carry a secret to "
                    "other processes and files. Pass the name of a file or a variable, and read it in fetch()."
                )

    def key(self) -> Hashable:
        """A value that is equal for all providers of this configuration."""
        args, kwargs = self._arguments()
        return _key(self._class, args, kwargs, self._environment_key)

    def token(self) -> tuple[str, ...]:
        """A name of this configuration, the same in every process, that shows no argument."""
        import hashlib
        import pickle

        args, kwargs = self._arguments()
        content = pickle.dumps((args, sorted(kwargs.items())))
        return f"{self._class.__module__}.{self._class.__qualname__}", hashlib.sha256(content).hexdigest()


def restore(make: Callable[..., Made], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Made:
    """The one provider of this process for this configuration; made if there is none yet.

    The environment is part of the configuration: if the next task of a worker names another profile, it gets another
    provider.

    Args:
        make: the class, or a function that returns a provider.
        args: its arguments.
        kwargs: its keyword arguments.
    """
    key = _key(make, args, kwargs, _environment_key())
    with _lock:
        found = _made.get(key, _recent.get(key))
    # Made without the lock: a constructor imports modules. Of two at once, one is dropped, which has done nothing yet.
    provider: Made = found if found is not None else make(*args, **kwargs)
    with _lock:
        provider = _made.setdefault(key, provider)
        _recent[key] = provider
        _recent.move_to_end(key)
        if len(_recent) > MAX_RECENT:
            _recent.popitem(last=False)
        return provider


def _secret_in(name: str, value: object, depth: int = 0) -> str | None:
    """The name under which a value is, or holds, a secret; None where no name says so.

    Args:
        name: the name of the value.
        value: a text, or a mapping, function or method that may hold one.
        depth: how many values are around it.
    """
    if isinstance(value, (str, bytes)):
        return name if value and names_secret(name) else None
    if depth == MAX_NESTED_VALUES:
        return None
    found = (_secret_in(key, item, depth + 1) for key, item in _values_within(value) if isinstance(key, str))
    return next((one for one in found if one is not None), None)


def _values_within(value: object) -> list[tuple[object, object]]:
    """What a pickle of the value holds, with the names of its parts; nothing where no part has a name."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, partial):
        bound = zip(_parameter_names(value.func), value.args, strict=False)
        return [*bound, *value.keywords.items(), ("function", value.func)]
    if isinstance(value, MethodType):
        return [("self", value.__self__)]
    if isinstance(value, FunctionType):
        return [] if _is_importable(value) else _values_of_function(value)
    return list(getattr(value, "__dict__", {}).items()) if _is_pickled_by_attributes(value) else []


def _is_pickled_by_attributes(value: object) -> bool:
    """True for an object whose class does not say itself what is pickled."""
    cls = type(value)
    return (
        not isinstance(value, (type, ModuleType))
        and cls.__reduce_ex__ is object.__reduce_ex__
        and cls.__reduce__ is object.__reduce__
        and getattr(cls, "__getstate__", None) is getattr(object, "__getstate__", None)
    )


def _values_of_function(function: FunctionType) -> list[tuple[object, object]]:
    """What cloudpickle and dill pickle with a function that cannot be imported."""
    cells = zip(function.__code__.co_freevars, map(_content_of, function.__closure__ or ()), strict=True)
    used = [(name, function.__globals__.get(name)) for name in _names_in(function.__code__)]
    return [*cells, *used, *(function.__kwdefaults__ or {}).items()]


def _parameter_names(function: Callable[..., object]) -> list[str]:
    import inspect

    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of a function in C
        return []


def discard(provider: object) -> None:
    """Forget a provider that was closed: for its configuration, a new one is made."""
    with _lock:
        for registry in (_recent, _made):
            for key in [key for key, one in registry.items() if one is provider]:
                registry.pop(key, None)


def discard_all() -> None:
    """Forget every provider: each configuration gets a new one."""
    with _lock:
        _recent.clear()
        _made.clear()


def _key(make: object, args: tuple[Any, ...], kwargs: dict[str, Any], environment: Hashable) -> Hashable:
    return make, _frozen(args), _frozen(kwargs), environment


def _environment_key() -> Hashable:
    names = [name for name in os.environ if name.startswith(_FAMILIES) and name not in _READ_LATER]
    return frozenset((name, os.environ.get(name)) for name in names)  # another thread may unset one meanwhile


def _frozen(value: object, seen: frozenset[int] = frozenset()) -> Hashable:
    """The value in hashable form, with its type: 1 and True are two configurations.

    Args:
        value: any object.
        seen: the ids of the objects around this one.
    """
    recipe = getattr(value, "_recipe", None)
    if isinstance(recipe, ProviderRecipe):
        return recipe.key()  # a provider in a chain is known by its configuration, as the chain is
    if id(value) in seen:
        return "recursion"
    for kinds, freeze in _FREEZERS:
        if isinstance(value, kinds):
            return freeze(value, seen | {id(value)})
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value


def _frozen_mapping(value: Mapping[Any, Any], seen: frozenset[int]) -> Hashable:
    return "mapping", frozenset((_frozen(key, seen), _frozen(item, seen)) for key, item in value.items())


def _frozen_sequence(value: list[Any] | tuple[Any, ...], seen: frozenset[int]) -> Hashable:
    return type(value).__name__, tuple(_frozen(item, seen) for item in value)


def _frozen_set(value: set[Any] | frozenset[Any], seen: frozenset[int]) -> Hashable:
    return "set", frozenset(_frozen(item, seen) for item in value)


def _frozen_method(value: MethodType, seen: frozenset[int]) -> Hashable:
    return "method", _frozen(value.__func__, seen), _frozen(value.__self__, seen)


def _frozen_partial(value: partial[Any], seen: frozenset[int]) -> Hashable:
    return "partial", *(_frozen(part, seen) for part in (value.func, value.args, value.keywords))


def _frozen_function(function: FunctionType, seen: frozenset[int]) -> Hashable:
    """A function of a module is itself. One that is pickled with its code is known by that, since each copy is new."""
    if _is_importable(function):
        return function
    cells = [_content_of(cell) for cell in function.__closure__ or ()]
    used = {name: function.__globals__[name] for name in _names_in(function.__code__) if name in function.__globals__}
    parts = (function.__defaults__, function.__kwdefaults__, cells, used)
    return "function", function.__code__, *(_frozen(part, seen) for part in parts)


def _is_importable(function: FunctionType) -> bool:
    found: object = sys.modules.get(function.__module__ or "")
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function and function.__module__ != "__main__"


def _content_of(cell: Any) -> object:  # noqa: ANN401  # the type of cells has no public name
    try:
        return cell.cell_contents
    except ValueError:  # the name is not assigned yet
        return ValueError


def _names_in(code: CodeType) -> set[str]:
    """The names that a function and the functions within it use."""
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*(_names_in(one) for one in inner))


_FREEZERS: tuple[tuple[type | tuple[type, ...], Callable[[Any, frozenset[int]], Hashable]], ...] = (
    (Mapping, _frozen_mapping),
    ((list, tuple), _frozen_sequence),
    ((set, frozenset), _frozen_set),
    (FunctionType, _frozen_function),
    (MethodType, _frozen_method),
    (partial, _frozen_partial),
)


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603  # a lock can only be replaced
    _lock = threading.RLock()  # another thread of the parent may have held the old one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
