"""Policies against a second implementation: written from RAM's pages alone, and as plainly as possible."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing.account.access import condition_context
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.account.ram_policy import Decision, decide

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIONS = ("oss:GetObject", "oss:PutObject", "oss:ListObjects", "ecs:DescribeInstances", "sts:AssumeRole")
ACTION_PATTERNS = ("*", "oss:*", "OSS:getobject", "oss:*Object", "oss:?etObject", "oss:Put?bject", "*:Get*", *ACTIONS)
OBJECT = "acs:oss:oss-cn-hangzhou:1"
RESOURCES = (
    *("*", f"{OBJECT}:data", f"{OBJECT}:data/logs/a", f"{OBJECT}:data/a:b:c", f"{OBJECT}:data/[x]", f"{OBJECT}:*"),
    *("acs:ecs:cn-hangzhou:1:instance/i-1", "acs:ram::1:role/web"),
)
RESOURCE_PATTERNS = (
    *("*", "acs:*:*:*:*", "acs:oss:*:*:*", "acs:oss:*:*:data", "acs:oss:*:*:data/*", "acs:oss:*:1:data/*/a"),
    *("acs:oss:oss-cn-*:*:dat?/logs/*", "acs:oss:*:*:data/[x]", "acs:oss:*:*:data/a:*", "acs:oss::1:data"),
    *("acs:ecs:*:*:instance/*", "acs:ram:*:*:role/*"),
)
KEYS = ("acs:SourceIp", "oss:Prefix", "acs:MFAPresent")
TEXTS = ("1", "10", "a/*", "a/b", "true", "TRUE")
OPERATORS: dict[str, tuple[tuple[str, ...], Callable[[str, str], bool]]] = {
    "StringEquals": (TEXTS, lambda actual, wanted: actual == wanted),
    "StringEqualsIgnoreCase": (TEXTS, lambda actual, wanted: actual.lower() == wanted.lower()),
    "StringLike": (TEXTS, lambda actual, wanted: glob(wanted, actual)),
    "StringNotEquals": (TEXTS, lambda actual, wanted: actual == wanted),
    "StringNotLike": (TEXTS, lambda actual, wanted: glob(wanted, actual)),
    "NumericLessThan": (("1", "10"), lambda actual, wanted: actual.isdigit() and int(actual) < int(wanted)),
    "NumericNotEquals": (("1", "10"), lambda actual, wanted: actual.isdigit() and int(actual) == int(wanted)),
    "Bool": (("true", "false"), lambda actual, wanted: actual.lower() == wanted),
}


def glob(pattern: str, text: str) -> bool:
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(each, re.escape(each)) for each in pattern), text, re.DOTALL) is not None


def names(pattern: str, resource: str) -> bool:
    wanted, actual = pattern.split(":", 4), resource.split(":", 4)
    return pattern == "*" or (len(wanted) == len(actual) and all(map(glob, wanted, actual)))


def holds(condition: dict[str, dict[str, list[str]]], request: dict[str, str]) -> bool:
    for operator, block in condition.items():
        name = operator.removesuffix("IfExists")
        negated, compare = "Not" in name, OPERATORS[name][1]
        for key, wanted in block.items():
            if key not in request:
                if not negated and name == operator:
                    return False
            elif any(compare(request[key], each) for each in wanted) == negated:
                return False
    return True


def reference(documents: list[dict[str, Any]], action: str, resource: str, request: dict[str, str]) -> Decision:
    effects = set()
    for statement in (one for document in documents for one in document["Statement"]):
        actions = statement.get("Action") or statement["NotAction"]
        resources = statement.get("Resource") or statement["NotResource"]
        if any(glob(each.lower(), action.lower()) for each in actions) == ("NotAction" in statement):
            continue
        if any(names(each, resource) for each in resources) == ("NotResource" in statement):
            continue
        if holds(statement.get("Condition", {}), request):
            effects.add(statement["Effect"])
    if "Deny" in effects:
        return Decision.EXPLICIT_DENY
    return Decision.ALLOW if effects else Decision.IMPLICIT_DENY


def some(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(ACTION_PATTERNS)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some(RESOURCE_PATTERNS)),
    }
    condition: dict[str, dict[str, list[str]]] = {}
    for name in draw(st.lists(st.sampled_from(sorted(OPERATORS)), max_size=2)):
        suffix, key = draw(st.sampled_from(["", "IfExists"])), draw(st.sampled_from(KEYS))
        condition.setdefault(name + suffix, {})[key] = draw(some(OPERATORS[name][0]))
    return {**statement, "Condition": condition} if condition else statement


DOCUMENTS = st.lists(
    st.lists(statements(), min_size=1, max_size=3).map(lambda each: {"Version": "1", "Statement": each}),
    min_size=1,
    max_size=2,
)
REQUESTS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(("1", "5", "10", "a/b", "a/", "true", "False")))


@given(DOCUMENTS, st.sampled_from(ACTIONS), st.sampled_from(RESOURCES), REQUESTS)
def test_both_decide_alike(
    documents: list[dict[str, Any]], action: str, resource: str, request_values: dict[str, str]
) -> None:
    parsed = [parse_policy(each) for each in documents]
    decided = decide(parsed, action, resource, condition_context(request_values))
    assert decided is reference(documents, action, resource, request_values)
