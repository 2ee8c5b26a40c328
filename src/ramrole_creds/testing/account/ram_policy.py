"""RAM policies, evaluated: deny wins, nothing is allowed that no statement allows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

ALLOW_ALL: Mapping[str, Any] = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
READ_ONLY: Mapping[str, Any] = {
    "Version": "1",
    "Statement": [{"Effect": "Allow", "Action": ["*:Describe*", "*:List*", "*:Get*"], "Resource": "*"}],
}
TRUST_ECS: Mapping[str, Any] = {
    "Version": "1",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs.aliyuncs.com"]}},
    ],
}


def trust_account(account_id: str) -> Mapping[str, Any]:
    """A trust policy for ECS and for everybody in the account."""
    principal = {"Service": ["ecs.aliyuncs.com"], "RAM": [f"acs:ram::{account_id}:root"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "1", "Statement": [statement]}


def allow(*actions: str, resource: str = "*") -> Mapping[str, Any]:
    """A policy that allows the actions."""
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


def parse_policy(document: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The document as a mapping.

    Raises:
        ValueError: it is not JSON, or not shaped like a policy.
    """
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except RecursionError:
        raise ValueError("a policy is not nested a thousand levels deep") from None
    if not isinstance(parsed, Mapping) or not isinstance(parsed.get("Statement"), list):
        raise ValueError("a policy is an object with a list of statements")  # noqa: TRY004  # bad content, not bad use
    for statement in parsed["Statement"]:
        if not isinstance(statement, Mapping) or statement.get("Effect") not in {"Allow", "Deny"}:
            raise ValueError('each statement of a policy is an object with "Effect": "Allow" or "Deny"')
        if not _texts(statement.get("Action")) and not _texts(statement.get("NotAction")):
            raise ValueError("each statement of a policy names an Action")
    return parsed


def allows(documents: Iterable[Mapping[str, Any]], action: str, resource: str = "*") -> bool:
    """True when some statement allows the action on the resource and none denies it.

    Actions ("oss:GetObject") are compared without regard to case, resources ("acs:oss:*:*:bucket/key") with it;
    both may hold `*` and `?`.
    """
    allowed = False
    for document in documents:
        for statement in document["Statement"]:
            if _covers(statement, action, resource):
                if statement["Effect"] == "Deny":
                    return False
                allowed = True
    return allowed


def trusts(
    document: Mapping[str, Any], action: str, kind: str, principals: Iterable[str], context: Mapping[str, str]
) -> bool:
    """True when a trust policy lets one of the principals assume the role.

    Args:
        document: the role's trust policy.
        action: "sts:AssumeRole" or "sts:AssumeRoleWithOIDC" (which a policy may also spell "sts:AssumeRole").
        kind: "RAM", "Service" or "Federated".
        principals: every name under which the caller may be trusted (its ARN, its account's root).
        context: condition keys, for instance "oidc:aud", with their values.
    """
    names = set(principals)
    allowed = False
    for statement in document["Statement"]:
        actions = _texts(statement.get("Action"))
        if not any(fnmatchcase(action.lower(), pattern.lower()) or pattern == "sts:AssumeRole" for pattern in actions):
            continue
        principal = statement.get("Principal")
        named = _texts(principal.get(kind)) if isinstance(principal, Mapping) else ["*"] if principal == "*" else []
        if not any(pattern in names | {"*"} for pattern in named):
            continue
        if not _conditions_hold(statement.get("Condition"), context):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def _covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if "NotAction" in statement:
        if _any_match(_texts(statement["NotAction"]), action, fold=True):
            return False
    elif not _any_match(_texts(statement.get("Action")), action, fold=True):
        return False
    resources = _texts(statement.get("Resource", "*"))
    return resource == "*" or _any_match(resources, resource, fold=False)


def _any_match(patterns: list[str], value: str, *, fold: bool) -> bool:
    if fold:
        value = value.lower()
        patterns = [pattern.lower() for pattern in patterns]
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)


def _conditions_hold(conditions: object, context: Mapping[str, str]) -> bool:
    if not isinstance(conditions, Mapping):
        return True
    for operator, wanted in conditions.items():
        if not isinstance(wanted, Mapping):
            return False
        for key, values in wanted.items():
            if not _condition_holds(str(operator), context.get(key), _texts(values)):
                return False
    return True


def _condition_holds(operator: str, actual: str | None, wanted: list[str]) -> bool:
    if operator in {"StringNotEquals", "StringNotLike"}:
        return actual is None or not _condition_holds(operator.replace("Not", ""), actual, wanted)
    if actual is None:
        return False
    if operator == "StringEqualsIgnoreCase":
        return actual.lower() in {value.lower() for value in wanted}
    if operator == "StringLike":
        return _any_match(wanted, actual, fold=False)
    return operator == "StringEquals" and actual in wanted


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, str)]
    return []
