"""RAM policies: their grammar, and what they decide.

The language is that of RAM's documentation ("Policy elements", alibabacloud.com/help/en/ram/policy-elements, and
"Policy structure and syntax"): an explicit deny wins, and nothing is allowed that no statement allows. Actions are
compared without regard to case, resources with it. A request for the resource "*" is one of an API that knows no
resources: only a statement whose resource is "*" covers it. RAM's documents name no policy variables: `${…}` is
compared as it is written.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ramrole_creds.testing.account.policy_conditions import (
    OPERATORS,
    Context,
    conditions_hold,
    find_operator,
    matches_any,
    texts,
)

Document = Mapping[str, Any]

_ELEMENTS = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_TRUST_ELEMENTS = frozenset({"Sid", "Effect", "Action", "Principal", "Condition"})
_PRINCIPALS = frozenset({"RAM", "Service", "Federated"})
_TRUST_ACTIONS = frozenset({"sts:assumerole", "sts:assumerolewithoidc", "sts:assumerolewithsaml", "sts:*", "*"})


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
TRUST_ECS: Document = {
    "Version": "1",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs.aliyuncs.com"]}},
    ],
}


def trust_account(account_id: str) -> Document:
    """A trust policy for ECS and for everybody in the account."""
    principal = {"Service": ["ecs.aliyuncs.com"], "RAM": [f"acs:ram::{account_id}:root"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "1", "Statement": [statement]}


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
        parsed = json.loads(document) if isinstance(document, str) else document
    except RecursionError:
        raise ValueError("a policy is not nested a thousand levels deep") from None
    if not isinstance(parsed, Mapping) or not isinstance(parsed.get("Statement"), list):
        raise ValueError("a policy is an object with a list of statements")  # noqa: TRY004  # bad content, not bad use
    if parsed.get("Version", "1") != "1":
        raise ValueError(f'the Version of a policy is "1", not {parsed["Version"]!r}')
    for index, statement in enumerate(parsed["Statement"]):
        problem = "a statement is an object" if not isinstance(statement, Mapping) else problem_of(statement)
        if problem is not None:
            raise ValueError(f"Statement[{index}]: {problem}")
    return parsed


def _problem_of(statement: Mapping[str, Any]) -> str | None:
    problem = _problem_of_elements(statement, _ELEMENTS)
    if problem is not None:
        return problem
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource")):
        if bool(texts(statement.get(one))) == bool(texts(statement.get(other))):
            return f"a statement has either {one} or {other}"
    for name in ("Action", "NotAction"):
        for action in texts(statement.get(name)):
            if action != "*" and ":" not in action:
                return f'{action!r} is not an action; write "<service>:<operation>", such as "oss:GetObject", or "*"'
    for name in ("Resource", "NotResource"):
        for resource in texts(statement.get(name)):
            if resource != "*" and not resource.startswith("acs:"):
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
        if kind not in _PRINCIPALS or not texts(principal[kind]):
            return f"{kind!r} is not a kind of Principal with names{_hint(str(kind), _PRINCIPALS)}"
    actions = texts(statement.get("Action"))
    if not actions or not _TRUST_ACTIONS.issuperset(_lower(actions)):
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
    if statement.get("Effect") not in ("Allow", "Deny"):
        return 'the Effect is "Allow" or "Deny"'
    return None


def _problem_of_condition(condition: object) -> str | None:
    if condition is None:
        return None
    if not isinstance(condition, Mapping) or not all(isinstance(block, Mapping) for block in condition.values()):
        return "a Condition maps operators to condition keys with their values"
    for operator in map(str, condition):
        if operator != "Null" and find_operator(operator) is None:
            return f"RAM has no condition operator {operator!r}{_hint(operator, OPERATORS)}"
    return None


def _hint(name: str, known: Iterable[str]) -> str:
    import difflib  # only mistakes need it

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def decide(documents: Iterable[Document], action: str, resource: str = "*", context: Context | None = None) -> Decision:
    """What the policies of one identity say about an action on a resource.

    Args:
        documents: the policies, each of which `parse_policy` accepts.
        action: "oss:GetObject".
        resource: "acs:oss:oss-cn-hangzhou:1234567890123456:bucket/key", or "*".
        context: the request's values by condition key, in lower case.
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
        return not matches_any(texts(statement["NotResource"]), resource)
    return matches_any(texts(statement.get("Resource", "*")), resource)


def trusts(document: Document, action: str, kind: str, principals: Iterable[str], context: Context) -> bool:
    """True when a trust policy lets one of the principals assume the role.

    Args:
        document: the role's trust policy.
        action: "sts:AssumeRole" or "sts:AssumeRoleWithOIDC" (which a policy may also spell "sts:AssumeRole").
        kind: "RAM", "Service" or "Federated".
        principals: every name under which the caller may be trusted (its ARN, its account's root).
        context: the request's values by condition key, in lower case.
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
