"""The conditions of RAM policies: operators, and whether a request meets them.

Operators and their meaning follow "Conditional operators" of RAM's documentation
(alibabacloud.com/help/en/ram/conditional-operator). Assumed, since it is not written there: a condition on a key that
the request does not have fails, except for a negated operator, for one with the suffix `IfExists`, for `Null` and for
`ForAllValues`; keys are compared without regard to case.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, NamedTuple

# What `datetime.fromisoformat` reads in every version of Python, with Z for UTC.
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.(\d{3}|\d{6}))?)?(Z|z|[+-]\d\d:\d\d)?)?")

Context = Mapping[str, tuple[str, ...]]
Comparison = Callable[[str, str], bool]


class Operator(NamedTuple):
    """An operator taken apart; a negated one holds where no value of the policy matches, others where one does.

    `quantifier` is "ForAnyValue", "ForAllValues" or ""; with `if_exists` it holds for a request without the key.
    """

    compare: Comparison
    negated: bool
    quantifier: str
    if_exists: bool


def find_operator(name: str) -> Operator | None:
    """The operator of that name; None where RAM has none."""
    quantifier, colon, rest = name.partition(":")
    if not colon:
        quantifier, rest = "", name
    elif quantifier not in ("ForAnyValue", "ForAllValues"):
        return None
    base = rest.removesuffix("IfExists")
    compare, negated = COMPARISONS.get(base), False
    if compare is None:
        compare, negated = COMPARISONS.get(_NEGATED.get(base, "")), True
    return None if compare is None else Operator(compare, negated, quantifier, base != rest)


def conditions_hold(conditions: object, context: Context) -> bool:
    """True when the request meets every condition of a statement; a block that cannot be read never holds.

    Args:
        conditions: the statement's `Condition`; None for a statement without one.
        context: the request's values by condition key, in lower case.
    """
    if conditions is None:
        return True
    if not isinstance(conditions, Mapping):
        return False
    return all(
        isinstance(block, Mapping)
        and all(
            _holds(str(operator), context.get(str(key).lower(), ()), texts(values)) for key, values in block.items()
        )
        for operator, block in conditions.items()
    )


def _holds(name: str, actual: tuple[str, ...], wanted: list[str]) -> bool:
    if name == "Null":
        return [str(not actual).lower()] == [each.lower() for each in wanted]
    operator = find_operator(name)
    if operator is None:
        return False
    if not actual:
        return _holds_without_value(operator)
    met = [any(operator.compare(each, one) for one in wanted) != operator.negated for each in actual]
    everything = operator.quantifier == "ForAllValues" or (operator.negated and not operator.quantifier)
    return all(met) if everything else any(met)


def _holds_without_value(operator: Operator) -> bool:
    if operator.if_exists or operator.quantifier == "ForAllValues":
        return True
    return operator.negated and operator.quantifier != "ForAnyValue"


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    # Each `*` takes the shortest text and never another one: many of them cost linear time. Brackets are not wildcards.
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def matches(pattern: str, value: str) -> bool:
    """True when the value fits a pattern of `*` (any characters) and `?` (one)."""
    return _pattern(pattern).fullmatch(value) is not None


def matches_any(patterns: Iterable[str], value: str) -> bool:
    """True when the value fits one of the patterns."""
    return any(matches(each, value) for each in patterns)


def texts(value: object) -> list[str]:
    """A value of a policy, which may be one or a list, as a list of texts."""
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, (str, int, float)):
        return [str(value)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts(item) if not isinstance(item, (list, tuple))]
    return []


def _compared(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Comparison:
    def comparison(actual: str, wanted: str) -> bool:
        try:
            return compare(read(actual), read(wanted))
        except (ValueError, OverflowError):
            return False

    return comparison


def unix_time(text: str) -> float:
    """Unix seconds of an ISO 8601 time, which is UTC unless it says otherwise, or of a number.

    Raises:
        ValueError: the text is neither.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if _TIME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a time")
    moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _in_network(actual: str, wanted: str) -> bool:
    return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)


def _ordered(kind: str, read: Callable[[str], Any]) -> dict[str, Comparison]:
    return {
        f"{kind}Equals": _compared(read, lambda actual, wanted: actual == wanted),
        f"{kind}LessThan": _compared(read, lambda actual, wanted: actual < wanted),
        f"{kind}LessThanEquals": _compared(read, lambda actual, wanted: actual <= wanted),
        f"{kind}GreaterThan": _compared(read, lambda actual, wanted: actual > wanted),
        f"{kind}GreaterThanEquals": _compared(read, lambda actual, wanted: actual >= wanted),
    }


COMPARISONS: Mapping[str, Comparison] = {
    "StringEquals": lambda actual, wanted: actual == wanted,
    "StringEqualsIgnoreCase": lambda actual, wanted: actual.lower() == wanted.lower(),
    "StringLike": lambda actual, wanted: matches(wanted, actual),
    "Bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "IpAddress": _compared(str, _in_network),
    **_ordered("Numeric", float),
    **_ordered("Date", unix_time),
}
_NEGATED: Mapping[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
OPERATORS: tuple[str, ...] = (*COMPARISONS, *_NEGATED, "Null")
