"""What the options of faults accept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_SECONDS = 366 * 86400.0


def content_bytes(value: object) -> bytes:
    """The bytes of an option: bytes and text as they are, another value as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class Rule:
    """What an option accepts.

    Args:
        text: the rule in words; it completes "must be".
        accepts: True for a value that fits.
    """

    text: str
    accepts: Callable[[Any], bool]


def number(minimum: float, maximum: float = MAX_SECONDS) -> Rule:
    """Accepts numbers of a range."""

    def accepts(value: object) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and minimum <= value <= maximum  # type: ignore[operator]  # a number; NaN is in no range

    return Rule(f"a number from {minimum:g} to {maximum:g}", accepts)


def integer(minimum: int, maximum: int = 2**40) -> Rule:
    """Accepts whole numbers of a range."""

    def accepts(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum

    return Rule(f"a whole number from {minimum} to {maximum}", accepts)


def is_text(value: object) -> bool:
    """True for a text that UTF-8 can encode."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_content(value: object) -> bool:
    try:
        content_bytes(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def is_headers(value: object) -> bool:
    """True for a mapping or a list of pairs of texts."""
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    return isinstance(pairs, Sequence) and all(
        isinstance(pair, Sequence) and len(pair) == 2 and all(map(is_text, pair)) for pair in pairs
    )


def is_object(value: object) -> bool:
    """True for a mapping that JSON can encode."""
    return isinstance(value, Mapping) and all(map(is_text, value)) and _is_content(dict(value))


def is_names(value: object) -> bool:
    """True for a list of texts."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and all(map(is_text, value))


TEXT = Rule("a text that UTF-8 can encode", is_text)
CONTENT = Rule("bytes, a text, or a value that JSON can encode", _is_content)
BOOLEAN = Rule("true or false", lambda value: isinstance(value, bool))
BYTES = integer(0)
STATUS = integer(100, 999)


def or_none(rule: Rule) -> Rule:
    """Accepts None too."""
    return Rule(f"{rule.text}, or None", lambda value: value is None or rule.accepts(value))


def option(rule: Rule, default: object = MISSING) -> Any:  # noqa: ANN401  # as dataclasses.field
    """A field of a kind of fault, with the rule that its values must follow."""
    return field(default=default, metadata={"rule": rule})


def require_rules(values: DataclassInstance, naming: str = "{}") -> None:
    """Refuse values that do not follow the rules of their fields; `naming` says in the error whose field it is.

    Raises:
        ValueError: a value does not follow its rule.
    """
    for one in fields(values):
        rule, value = one.metadata.get("rule"), getattr(values, one.name)
        if rule is not None and not rule.accepts(value):
            raise ValueError(f"{naming.format(one.name)} must be {rule.text}, not {value!r}.")
