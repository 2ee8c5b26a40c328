"""The smallest policy under which recorded calls are allowed, and what a policy allows and no call uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ramrole_creds.testing.account.access import ASSUMED_VALUES, condition_context
from ramrole_creds.testing.account.policy_conditions import texts
from ramrole_creds.testing.account.ram_policy import allows, covers, resource_fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ramrole_creds.testing.account.access import JudgedAccess
    from ramrole_creds.testing.account.policy_conditions import Context
    from ramrole_creds.testing.account.ram_policy import Document

Width = Literal["exact", "prefix", "any"]
_ASSUMED = condition_context(ASSUMED_VALUES)
_WILDCARDS = frozenset("*?")
WIDTHS: tuple[str, ...] = ("exact", "prefix", "any")


@dataclass(frozen=True, slots=True, order=True)
class UnusedPermission:
    """An action on a resource that a policy allows and no call needed, both as the policy spells them.

    For `NotAction` and `NotResource` it is "all but" and what they exclude.

    Args:
        policy: the name of the policy.
        action: the action.
        resource: the resource.
    """

    policy: str
    action: str
    resource: str


def least_policy(accesses: Iterable[JudgedAccess], resources: Width = "exact") -> dict[str, Any]:
    """The smallest policy that allows these accesses.

    Region and account are `*`, since those of a fake cloud are not yours. Statements and their contents are sorted,
    so that the document changes only where the calls do.

    A policy cannot escape a wildcard. So a resource with `*` or `?` in its name cannot be named exactly: what names it
    allows every resource that the name covers as a pattern.

    Args:
        accesses: what was asked for.
        resources: "exact" names each resource, "prefix" the folder that it is in, "any" none.

    Raises:
        ValueError: `resources` is another word.
    """
    if resources not in WIDTHS:
        raise ValueError(f'resources={resources!r} is not known. Use "exact", "prefix" or "any".')
    needed: dict[str, set[str]] = {}
    for one in accesses:
        needed.setdefault(one.action, set()).add(one.resource)
    by_resources: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(needed):
        by_resources.setdefault(_necessary(needed[action], resources), []).append(action)
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": list(patterns)}
        for patterns, actions in sorted(by_resources.items(), key=lambda item: (item[1], item[0]))
    ]
    return {"Version": "1", "Statement": statements}


def widened(resource: str, width: Width) -> str:
    """The resource as a policy of that width names it."""
    parts = resource.split(":", 4)
    if width == "any" or len(parts) < 5:
        return "*"
    relative = parts[4]
    if width == "prefix" and "/" in relative.strip("/"):
        relative = relative.rstrip("/").rpartition("/")[0] + "/*"
    return f"{parts[0]}:{parts[1]}:*:*:{relative}"


def _necessary(names: set[str], width: Width) -> tuple[str, ...]:
    """The patterns of these names, without those whose names the others cover."""
    covered: dict[str, list[str]] = {}
    for name in sorted(names):
        covered.setdefault(widened(name, width), []).append(name)
    # The shortest first: it covers most. The narrow ones go before the wide ones.
    wide = sorted(filter(_has_wildcard, covered), key=len)
    for each in [*(covered.keys() - wide), *sorted(wide, reverse=True)]:
        others = [one for one in wide if one != each]
        coverers = [(name, _covering(name, others)) for name in covered[each]]
        if all(one for _, one in coverers):
            del covered[each]
            for name, one in coverers:
                covered[one].append(name)
            wide = others
    return tuple(sorted(covered))


def _has_wildcard(pattern: str) -> bool:
    return not _WILDCARDS.isdisjoint(pattern.split(":", 4)[-1])


def _covering(name: str, patterns: Iterable[str]) -> str:
    """The first of the patterns that covers a name; "" where none does."""
    return next((one for one in patterns if resource_fits(one, name)), "")


def unused_permissions(policies: Mapping[str, Document], accesses: Iterable[JudgedAccess]) -> list[UnusedPermission]:
    """What the Allow statements of policies, by name, grant and no access needed.

    A pattern that covers one access counts as used, however wide it is. Conditions, and what other statements deny,
    are left aside.
    """
    asked = list(accesses)
    found = {
        UnusedPermission(name, action, resource)
        for name, document in policies.items()
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action, of_action in _taken_apart(statement, "Action")
        for resource, of_resource in _taken_apart(statement, "Resource")
        if not any(covers({**of_action, **of_resource}, one.action, one.resource) for one in asked)
    }
    return sorted(found)


def _taken_apart(statement: Mapping[str, Any], element: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Each pattern of an element as text and as an element; what `Not` excludes stays together."""
    excluding = f"Not{element}"
    if excluding in statement:
        return [(f"all but {', '.join(texts(statement[excluding]))}", {excluding: statement[excluding]})]
    return [(one, {element: one}) for one in texts(statement.get(element, "*"))]


def missing_permissions(
    document: Document, accesses: Iterable[JudgedAccess], context: Context | None = None
) -> list[tuple[str, str]]:
    """Action and resource of each access that the policy does not allow.

    Conditions are judged as far as a fake cloud knows the request. Where a key is one that only the real network or
    account knows (`acs:SourceIp`, `acs:SecureTransport`, `acs:ResourceTag/…`), and no test has set its value, an Allow
    counts as if the condition held, and a Deny as if it did not.

    Args:
        document: the policy.
        accesses: what was asked for.
        context: the values of condition keys of these accesses, in lower case.
    """
    known = _as_far_as_known(document, context or {})
    missing = {
        (one.action, widened(one.resource, "exact"))
        for one in accesses
        if not allows([known], one.action, one.resource, context)
    }
    return sorted(missing)


def _as_far_as_known(document: Document, context: Context) -> Document:
    """The policy without the conditions that cannot be judged, and without the denials that depend on these."""
    statements = []
    for statement in document["Statement"]:
        conditions = statement.get("Condition") or {}
        known = {
            operator: {key: values for key, values in block.items() if _is_known(key, context)}
            for operator, block in conditions.items()
        }
        if known == conditions or statement["Effect"] == "Allow":
            statements.append({**statement, "Condition": known})
    return {"Statement": statements}


def _is_known(key: str, context: Context) -> bool:
    name = key.lower()
    return not name.startswith("acs:") or (name in context and context[name] != _ASSUMED.get(name))
