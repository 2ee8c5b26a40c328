"""Checks of arguments that several packages share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError, reference

if TYPE_CHECKING:
    from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite int or float; a bool does not count as a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float can hold
        return False


def kind_of(given: object) -> str:
    """How an error names an argument of the wrong kind: by its class, and a class as a class."""
    return f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__


def official_object_hint(given: object) -> str:
    """How to use a client or provider of the official library as a provider here; "" for anything else."""
    if isinstance(given, type) or type(given).__module__.partition(".")[0] != "alibabacloud_credentials":
        return ""
    method = "get_credential" if hasattr(given, "get_credential") else "get_credentials"
    return f" Wrap its method: FunctionProvider(client.{method})."


def checked_text(name: str, value: object) -> str | None:
    """The text of an option; None if it was left out.

    Raises:
        ConfigurationError: the value is neither a text nor None.
    """
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a text, not {kind_of(value)}.")
    return value


def checked_flag(name: str, value: object) -> bool:
    """The truth value of an option.

    Raises:
        ConfigurationError: the value is not a bool. A text is not one: "false" would count as true.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r:.60}.")
    return value


def checked_seconds(name: str, value: object) -> float:
    """The seconds of a time limit.

    Raises:
        ConfigurationError: the value is not a number above 0.
    """
    if not is_number(value) or value <= 0:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}.")
    return value


def checked_duration(name: str, value: object, *, maximum: float = math.inf, unit: str = " of seconds") -> float:
    """A number of seconds, 0 or more.

    Raises:
        ConfigurationError: the value is not a finite number, negative, or more than `maximum`.
    """
    if not is_number(value) or value < 0:
        raise ConfigurationError(f"{name} must be a number{unit}, 0 or more, not {value!r}.")
    if value > maximum:
        raise ConfigurationError(f"{name} must be at most {maximum:g} s, not {value:g} s.")
    return value


def checked_instant(name: str, value: object) -> float | None:
    """A time in Unix seconds; None if it is not known.

    Raises:
        ConfigurationError: the value is neither a finite number nor None.
    """
    if value is not None and not is_number(value):
        raise ConfigurationError(f"{name} must be a number of Unix seconds or None, not {kind_of(value)}.")
    return value


def checked_patience(name: str, value: object) -> float:
    """A number of seconds, 0 or more; infinity counts, and so does any other type that compares like a number.

    Raises:
        ConfigurationError: the value is not one, or no float can hold it.
    """
    try:
        if not isinstance(value, bool) and value >= 0:  # type: ignore[operator]  # not so for NaN
            return float(value)  # type: ignore[arg-type]  # compares like a number
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigurationError(f"{name} must be a number of seconds, 0 or more, not {value!r:.60}.")


def lower_names(name: str, values: object) -> set[str]:
    """Names, in lower case, of an argument that takes several.

    Raises:
        ConfigurationError: the value is one text, or holds something else than text.
    """
    names = list(values) if isinstance(values, Iterable) and not isinstance(values, (str, bytes)) else [None]
    if not all(isinstance(one, str) for one in names):
        raise ConfigurationError(f"{name} must be a list of names, not {values!r:.60}.")
    return {str(one).lower() for one in names}


class UnknownArgumentError(TypeError):
    """A call has a keyword argument that the callable does not take; the message shows no value."""


def unknown_argument(name: str, title: str, functions: Iterable[object]) -> UnknownArgumentError:
    """The error for a keyword argument that nobody takes, with the nearest name and all names.

    Args:
        name: the argument.
        title: the name of what was called.
        functions: the functions that it passes its keyword arguments to, itself first.
    """
    import difflib
    import inspect

    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = dict.fromkeys(
        parameter.name
        for function in functions
        if callable(function)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in kinds and parameter.name != "self"
    )
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    text = f"{title}() takes no argument {name!r}.{hint} Its arguments: {', '.join(known)}."
    return UnknownArgumentError(text + reference("unknown-argument"))


def names_secret(name: str) -> bool:
    """True for the name of an argument, field or option whose value is a secret.

    The name of a file, an address or a mode does not name a secret: `token_file`, `token_mode`.
    """
    plain = name.lower().replace("-", "_")
    return any(word in plain for word in _SECRET_WORDS) and not plain.endswith(_HARMLESS_ENDINGS)


_SECRET_WORDS = ("secret", "token", "password", "passwd", "private_key", "bearer")
_HARMLESS_ENDINGS = ("_file", "_path", "_mode", "_name", "_url", "_uri", "_endpoint", "_timeout", "_expire", "_ttl")
