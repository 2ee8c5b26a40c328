"""What the subcommands of `role` do: reads are made at once, changes are steps that a dry run only prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ramrole_creds.roles import RoleApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ramrole_creds.roles import InstanceRoles


@dataclass(slots=True)
class Plan:
    """Changes, in order.

    Args:
        steps: the call as it is shown, and what makes it.
        notes: why something is not done.
    """

    steps: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, text: str, call: Callable[[], object]) -> None:
        """Add a change."""
        self.steps.append((text, call))

    def carry_out(self) -> None:
        """Make the calls.

        Raises:
            RoleApiError: a service refused one; the ones before it were made.
        """
        for _, call in self.steps:
            call()


def plan_create(
    roles: InstanceRoles, name: str, policies: Sequence[str], custom: Sequence[str], *, description: str, session: float
) -> Plan:
    """Create a role with policies, or add those that an existing role lacks.

    Raises:
        RoleApiError: a role of that name exists, and ECS instances cannot have it.
    """
    plan, found = Plan(), roles.find(name)
    wanted = [*(("System", one) for one in policies), *(("Custom", one) for one in custom)]
    held: list[tuple[str, str]] = []
    if found is None:
        plan.add(
            f"CreateRole RoleName={name} (trusts ecs.aliyuncs.com)",
            partial(roles.create, name, description=description, max_session=session),
        )
    elif found.trusts_ecs is False:
        raise RoleApiError(
            f"The role {name!r} exists, and its trust policy does not name the service ecs.aliyuncs.com: instances "
            "cannot have it. Change its trust policy, or choose another name.",
            code="InvalidRamRole.NotEcsRole",
        )
    else:
        plan.notes.append(f"The role {name} exists.")
        held = roles.policies(name)
    for kind, policy in wanted:
        if (kind, policy) not in held:
            text = f"AttachPolicyToRole RoleName={name} PolicyType={kind} PolicyName={policy}"
            plan.add(text, partial(roles.attach_policy, name, policy, kind))
    return plan


def plan_attach(roles: InstanceRoles, name: str, instances: Sequence[str], *, replace: bool) -> Plan:
    """Attach a role to the instances that do not have it.

    Raises:
        RoleApiError: an instance has another role, and it may not be replaced.
    """
    instances = list(dict.fromkeys(instances))
    plan, held = Plan(), roles.describe(instances)
    others = {instance: role for instance, role in held.items() if role and role != name}
    if others:
        _require_replaceable(roles, name, others, replace=replace)
    for instance, role in sorted(others.items()):
        text = f"DetachInstanceRamRole InstanceIds={instance} RamRoleName={role}"
        plan.add(text, partial(roles.detach, [instance], role))
    missing = [one for one in instances if held.get(one) != name]
    plan.notes += [f"{one} has the role {name}." for one in instances if one not in missing]
    if missing:
        text = f"AttachInstanceRamRole InstanceIds={','.join(missing)} RamRoleName={name}"
        plan.add(text, partial(_attach_or_restore, roles, name, missing, others))
    return plan


def _require_replaceable(roles: InstanceRoles, name: str, others: Mapping[str, str], *, replace: bool) -> None:
    """Refuse what would leave instances without a role."""
    if not replace:
        _refuse_others(others)
    found = roles.find(name)
    if found is None or found.trusts_ecs is False:
        problem = "does not exist" if found is None else "has a trust policy that does not name ecs.aliyuncs.com"
        raise RoleApiError(
            f"The role {name!r} {problem}, so no other role is detached for it. Create or correct it first.",
            code="InvalidRamRole.NotFound" if found is None else "InvalidRamRole.NotEcsRole",
        )


def _attach_or_restore(roles: InstanceRoles, name: str, instances: Sequence[str], before: Mapping[str, str]) -> None:
    """Attach a role; where that fails, give the instances without a role the one back that they had."""
    try:
        roles.attach(name, instances)
    except RoleApiError as error:
        now = roles.describe(list(before)) if before else {}
        restored = {instance: role for instance, role in sorted(before.items()) if not now.get(instance)}
        for instance, role in restored.items():
            roles.attach(role, [instance])
        if not restored:
            raise
        named = ", ".join(f"{instance} has {role}" for instance, role in restored.items())
        raise RoleApiError(
            f"{error.message} What was detached before is attached again: {named}.",
            code=error.code,
            request_id=error.request_id,
        ) from error


def _refuse_others(others: Mapping[str, str]) -> None:
    named = ", ".join(f"{instance} has {role}" for instance, role in sorted(others.items()))
    raise RoleApiError(
        f"An instance can have only one role: {named}. Detach it first, or add --replace.",
        code="InvalidInstance.RamRoleExists",
    )


def plan_detach(roles: InstanceRoles, instances: Sequence[str], name: str | None) -> Plan:
    """Detach the role, or whichever is attached, from the instances that have one."""
    plan, held = Plan(), roles.describe(instances)
    for instance in instances:
        role = held.get(instance)
        if not role or (name is not None and role != name):
            plan.notes.append(f"{instance} does not have {'the role ' + name if name else 'a role'}.")
            continue
        text = f"DetachInstanceRamRole InstanceIds={instance} RamRoleName={role}"
        plan.add(text, partial(roles.detach, [instance], role))
    return plan


def plan_delete(roles: InstanceRoles, name: str) -> Plan:
    """Detach a role's policies and delete it.

    Raises:
        RoleApiError: instances have the role.
    """
    plan = Plan()
    if roles.find(name) is None:
        plan.notes.append(f"The role {name} does not exist.")
        return plan
    users = sorted(roles.describe(name=name))
    if users:
        raise RoleApiError(
            f"Instances of this region have the role {name!r}: {', '.join(users)}. Detach it first: ramrole-creds role "
            f"detach {name} --instance {users[0]}"
        )
    for kind, policy in roles.policies(name):
        text = f"DetachPolicyFromRole RoleName={name} PolicyType={kind} PolicyName={policy}"
        plan.add(text, partial(roles.detach_policy, name, policy, kind))
    plan.add(f"DeleteRole RoleName={name}", partial(roles.delete, name))
    return plan


def audit(roles: InstanceRoles, instances: Iterable[str]) -> list[dict[str, str]]:
    """The instances without a role, and those whose role does not fit, with the reason."""
    ids = list(instances)
    held = roles.describe(ids) if ids else {}
    fits = {name: roles.find(name) for name in {role for role in held.values() if role}}
    findings = []
    for instance in ids:
        name = held.get(instance, "")
        role = fits.get(name)
        if not name:
            problem = "has no role"
        elif role is None:
            problem = f"its role {name} does not exist"
        elif role.trusts_ecs is False:
            problem = f"the trust policy of its role {name} does not name ecs.aliyuncs.com"
        else:
            continue
        findings.append({"instance": instance, "role": name, "problem": problem})
    return findings
