"""The grammar of RAM policies, and what is wrong with a policy that RAM refuses.

Known, from "Policy structure and syntax" (alibabacloud.com/help/en/ram/policy-structure-and-syntax) and "Policy
elements": Version is required and is "1", Statement is a list, Effect, Action or NotAction, and Resource are required,
an action is `<service>:<operation>`, a resource `acs:<service>:<region>:<account>:<name>`. NotResource is in older
editions of both pages. Assumed: RAM refuses elements that it does not know, and values that the operator of a
condition cannot read. A list without statements is accepted here, since the smallest policy of a role that made no
calls is one; the API refuses it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.policy_conditions import OPERATORS, find_operator, texts, unix_time

if TYPE_CHECKING:
    from ramrole_creds.testing.account.ram_policy import Document

MAX_CUSTOM_POLICY_CHARACTERS = 6144

_DOCUMENT = frozenset({"Version", "Statement"})
_ELEMENTS = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_TRUST_ELEMENTS = frozenset({"Sid", "Effect", "Action", "Principal", "Condition"})
_PRINCIPALS = frozenset({"RAM", "Service", "Federated"})
_TRUST_ACTIONS = frozenset({"sts:assumerole", "sts:assumerolewithoidc", "sts:assumerolewithsaml", "sts:*", "*"})
_ACTION = re.compile(r"\*|[A-Za-z0-9*?_.-]+:[A-Za-z0-9*?_.:/-]+")
_RESOURCE = re.compile(r"\*|acs(:[^:\s]*){3}:.+", re.DOTALL)


def parse_policy(document: str | Document) -> Document:
    """The document of an identity or session policy as a mapping, once its grammar is right.

    Raises:
        ValueError: it is not a policy; the text names the place.
    """
    return _parsed(document, _problem_of)


def parse_trust_policy(document: str | Document) -> Document:
    """The document of a role's trust policy as a mapping, once its grammar is right.

    Its statements name principals, and no resources: the resource is the role.

    Raises:
        ValueError: it is not a trust policy; the text names the place.
    """
    return _parsed(document, _problem_of_trust)


def _parsed(document: str | Document, problem_of: Callable[[Mapping[str, Any]], str | None]) -> Document:
    try:
        parsed: Document = json.loads(document) if isinstance(document, str) else document
    except RecursionError:
        raise ValueError("a policy is not nested a thousand levels deep") from None
    problem = _problem_of_document(parsed)
    if problem is not None:
        raise ValueError(problem)
    for index, statement in enumerate(parsed["Statement"]):
        problem = "a statement is an object" if not isinstance(statement, Mapping) else problem_of(statement)
        if problem is not None:
            raise ValueError(f"Statement[{index}]: {problem}")
    return parsed


def _problem_of_document(parsed: object) -> str | None:
    if not isinstance(parsed, Mapping) or "Statement" not in parsed:
        return "a policy is an object with Version and Statement"
    if not isinstance(parsed["Statement"], list):
        return "the Statement of a policy is a list of objects"
    if parsed.get("Version") != "1":
        found = repr(parsed["Version"]) if "Version" in parsed else "missing"
        return f'the Version of a policy is "1"; here it is {found}'
    unknown = [str(name) for name in parsed if name not in _DOCUMENT]
    return f"{unknown[0]!r} is not an element of a policy{_hint(unknown[0], _DOCUMENT)}" if unknown else None


def _problem_of(statement: Mapping[str, Any]) -> str | None:
    problem = _problem_of_elements(statement, _ELEMENTS)
    if problem is not None:
        return problem
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (one in statement) == (other in statement):
            return f"a statement has either {one} or {other}"
    for name in ("Action", "NotAction"):
        for action in texts(statement.get(name)):
            if _ACTION.fullmatch(action) is None:
                return f'{action!r} is not an action; write "<service>:<operation>", such as "oss:GetObject", or "*"'
    for name in ("Resource", "NotResource"):
        for resource in texts(statement.get(name)):
            if _RESOURCE.fullmatch(resource) is None:
                return f'{resource!r} is not a resource; write "acs:<service>:<region>:<account>:<name>", or "*"'
    return _problem_of_condition(statement.get("Condition"))


def _problem_of_trust(statement: Mapping[str, Any]) -> str | None:
    problem = _problem_of_elements(statement, _TRUST_ELEMENTS)
    if problem is not None:
        return problem
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping) or not principal:
        return "a statement of a trust policy has a Principal with RAM, Service or Federated"
    for kind in principal:
        if kind not in _PRINCIPALS or not _is_text_or_texts(principal[kind]):
            return f"{kind!r} is not a kind of Principal with names{_hint(str(kind), _PRINCIPALS)}"
    actions = texts(statement.get("Action"))
    if not actions or not _TRUST_ACTIONS.issuperset(each.lower() for each in actions):
        return 'the Action of a trust policy is "sts:AssumeRole"'
    return _problem_of_condition(statement.get("Condition"))


def _problem_of_elements(statement: Mapping[str, Any], known: frozenset[str]) -> str | None:
    unknown = [str(name) for name in statement if name not in known]
    if "Principal" in unknown:
        return "only a trust policy has a Principal"
    if unknown and unknown[0] in _ELEMENTS:
        return f"a trust policy has no {unknown[0]}"
    if unknown:
        return f"{unknown[0]!r} is not an element of a statement{_hint(unknown[0], known)}"
    return _problem_of_effect_and_names(statement)


def _problem_of_effect_and_names(statement: Mapping[str, Any]) -> str | None:
    if statement.get("Effect") not in ("Allow", "Deny"):
        return 'the Effect is "Allow" or "Deny"'
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _is_text_or_texts(statement[name]):
            return f"{name} is a text, or a list of at least one text"
    return None


def _is_text_or_texts(value: object) -> bool:
    """True for a text, and for a list of texts that is not empty."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return bool(several) and all(isinstance(each, str) for each in several)


def _problem_of_condition(condition: object) -> str | None:
    if condition is None:
        return None
    if not isinstance(condition, Mapping) or not all(isinstance(block, Mapping) for block in condition.values()):
        return "a Condition maps operators to condition keys with their values"
    for operator, block in condition.items():
        if operator != "Null" and find_operator(str(operator)) is None:
            return f"RAM has no condition operator {operator!r}{_hint(str(operator), OPERATORS)}"
        for key, values in block.items():
            problem = _problem_of_values(str(operator), str(key), values)
            if problem is not None:
                return problem
    return None


def _problem_of_values(operator: str, key: str, values: object) -> str | None:
    several = values if isinstance(values, (list, tuple)) else [values]
    if not several or not all(isinstance(each, (str, int, float)) for each in several):
        return f"the condition key {key!r} has a value, or a list of values"
    base = operator.rpartition(":")[2].removesuffix("IfExists").removeprefix("Not")
    for kind, (read, example) in _VALUES.items():
        unreadable = [one for one in texts(values) if base.startswith(kind) and not _can(read, one)]
        if unreadable:
            return f"{operator} of {key!r} does not take {unreadable[0]!r}; write {example}"
    return None


def _can(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _read_bool(text: str) -> None:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)


_VALUES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "Numeric": (float, 'a number, such as "10"'),
    "Date": (unix_time, 'a time, such as "2026-01-01T00:00:00Z"'),
    "IpAddress": (
        lambda text: ipaddress.ip_network(text, strict=False),
        'an address or a network, such as "203.0.113.0/24"',
    ),
    "Bool": (_read_bool, '"true" or "false"'),
    "Null": (_read_bool, '"true" or "false"'),
}


def _hint(name: str, known: Iterable[str]) -> str:
    import difflib  # only mistakes need it

    spelt = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), list(spelt), n=1)
    return f"; did you mean {spelt[close[0]]!r}?" if close else ""
