"""RAM policies: what they decide.

The language is that of RAM's documentation ("Policy elements", alibabacloud.com/help/en/ram/policy-elements): an
explicit deny wins, and nothing is allowed that no statement allows. A request for the resource "*" is one of an API
that knows no resources: only a statement whose resource is "*" covers it. RAM's documents name no policy variables:
`${…}` is compared as it is written. Actions are compared without regard to case ("in most cases", the page says).
Assumed: resources are compared with it; a wildcard does not reach over the colons between service, region, account and
name of a resource.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ramrole_creds.testing.account.policy_conditions import Context, conditions_hold, matches, matches_any, texts

Document = Mapping[str, Any]

MAX_COLONS = 4  # between the parts of a resource: "acs", service, region, account, name


class Decision(enum.Enum):
    """What policies say about one access; the values are those of `NoPermissionType`."""

    ALLOW = "Allow"
    IMPLICIT_DENY = "ImplicitDeny"
    EXPLICIT_DENY = "ExplicitDeny"


def allow(*actions: str, resource: str = "*") -> Document:
    """A policy that allows the actions."""
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


ALLOW_ALL: Document = allow("*")
READ_ONLY: Document = allow("*:Describe*", "*:List*", "*:Get*")


def trust(principal: Mapping[str, Sequence[str]], condition: Mapping[str, Any] | None = None) -> Document:
    """A trust policy for these principals, under a condition where one is given."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "1", "Statement": [statement | ({"Condition": condition} if condition else {})]}


TRUST_ECS: Document = trust({"Service": ["ecs.aliyuncs.com"]})


def trust_account(account_id: str) -> Document:
    """A trust policy for ECS and for everybody in the account."""
    return trust({"Service": ["ecs.aliyuncs.com"], "RAM": [f"acs:ram::{account_id}:root"]})


def decide(documents: Iterable[Document], action: str, resource: str = "*", context: Context | None = None) -> Decision:
    """What the policies of one identity, which `parse_policy` accepts, say about an action on a resource.

    `context` holds the request's values by condition key, in lower case.
    """
    decision = Decision.IMPLICIT_DENY
    for document in documents:
        for statement in document["Statement"]:
            if covers(statement, action, resource) and conditions_hold(statement.get("Condition"), context or {}):
                if statement["Effect"] == "Deny":
                    return Decision.EXPLICIT_DENY
                decision = Decision.ALLOW
    return decision


def allows(documents: Iterable[Document], action: str, resource: str = "*", context: Context | None = None) -> bool:
    """True when some statement allows the action on the resource and none denies it."""
    return decide(documents, action, resource, context) is Decision.ALLOW


def covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    """True when action and resource are those of the statement, its conditions aside."""
    wanted = action.lower()
    if "NotAction" in statement:
        if matches_any(_lower(statement["NotAction"]), wanted):
            return False
    elif not matches_any(_lower(statement.get("Action")), wanted):
        return False
    if "NotResource" in statement:
        return not any(resource_fits(each, resource) for each in texts(statement["NotResource"]))
    return any(resource_fits(each, resource) for each in texts(statement.get("Resource", "*")))


def resource_fits(pattern: str, resource: str) -> bool:
    """True when the resource of a policy names this one: "*", or part by part."""
    wanted, actual = pattern.split(":", MAX_COLONS), resource.split(":", MAX_COLONS)
    return pattern == "*" or (len(wanted) == len(actual) and all(map(matches, wanted, actual)))


def trusts(document: Document, action: str, kind: str, principals: Iterable[str], context: Context) -> bool:
    """True when a trust policy lets one of the principals assume the role.

    Args:
        document: the role's trust policy.
        action: "sts:AssumeRole" or "sts:AssumeRoleWithOIDC" (which a policy may also spell "sts:AssumeRole").
        kind: "RAM", "Service" or "Federated".
        principals: every name under which the caller may be trusted (its ARN, its account's root).
        context: as for `decide`.
    """
    names = {*principals, "*"}
    trusting = [one for one in document["Statement"] if _trust_covers(one, action, kind, names, context)]
    return bool(trusting) and all(one["Effect"] == "Allow" for one in trusting)


def _trust_covers(statement: Mapping[str, Any], action: str, kind: str, names: set[str], context: Context) -> bool:
    actions = _lower(statement.get("Action"))
    if not matches_any(actions, action.lower()) and "sts:assumerole" not in actions:
        return False
    principal = statement.get("Principal")
    named: Sequence[str] = texts(principal.get(kind)) if isinstance(principal, Mapping) else texts(principal)
    return not names.isdisjoint(named) and conditions_hold(statement.get("Condition"), context)


def _lower(value: object) -> list[str]:
    return [each.lower() for each in texts(value)]
