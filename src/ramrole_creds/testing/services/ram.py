"""RAM of the fake cloud: roles, and the policies that are attached to them.

The limits are those of RAM's "Limits": 1,000 roles, and 10 custom and 20 system policies of each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.account import DEFAULT_MAX_SESSION_SECONDS
from ramrole_creds.testing.account.policy_grammar import parse_trust_policy
from ramrole_creds.testing.services.instance import utc
from ramrole_creds.testing.services.ram_policies import (
    RamPolicies,
    check_name,
    describe_policy,
    given_description,
    parsed_document,
)
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Role
    from ramrole_creds.testing.account.ram_policy import Document
    from ramrole_creds.testing.services.openapi import Answer, Call

MAX_SESSION_SECONDS = 43200
MAX_ROLES = 1000
MAX_POLICIES_OF_ROLE = {"Custom": 10, "System": 20}
MAX_ROLE_NAME_CHARACTERS = 64
MAX_TRUST_CHARACTERS = 2048


class RamService(RamPolicies):
    """Roles and policies: create, get, list, update, delete, attach, detach, and the versions of a policy.

    Permissions. Known, from the page of each API of RAM: the action is `ram:<API>`, the resource `role/<name>`,
    `role/*` for listing, or `policy/<name>`; attaching and detaching need both.
    """

    name = "ram"
    version = "2015-05-01"

    @property
    def actions(self) -> Mapping[str, Callable[[Call], Answer]]:
        """The actions by name."""
        return {
            "CreateRole": self._create_role,
            "GetRole": self._get_role,
            "ListRoles": self._list_roles,
            "UpdateRole": self._update_role,
            "DeleteRole": self._delete_role,
            "AttachPolicyToRole": self._attach_policy,
            "DetachPolicyFromRole": self._detach_policy,
            "ListPoliciesForRole": self._list_policies_for_role,
            **super().actions,
        }

    def _create_role(self, call: Call) -> Answer:
        name = call.required("RoleName")
        self.permit(call, f"role/{name}")
        check_name(name, "RoleName", MAX_ROLE_NAME_CHARACTERS, "._-")
        trust = _trust(call, "AssumeRolePolicyDocument")
        longest = _max_session(call, DEFAULT_MAX_SESSION_SECONDS)
        description = given_description(call, "Description")
        if self.account.role(name) is not None:
            raise ServiceError("EntityAlreadyExists.Role", f"The role already exists: {name}.", 409)
        if len(self.account.roles) >= MAX_ROLES:
            raise ServiceError("LimitExceeded.Role", "The count of roles beyond the current limits.", 409)
        role = self.account.add_role(name, trust=trust, policies=(), max_session_seconds=longest)
        role.description = description
        role.created_at = call.at
        return {"Role": _described(role)}

    def _get_role(self, call: Call) -> Answer:
        return {"Role": _described(self._role(call))}

    def _list_roles(self, call: Call) -> Answer:
        self.permit(call, "role/*")
        roles = sorted(self.account.roles.values(), key=lambda role: role.name)
        return {"Roles": {"Role": [_described(role) for role in roles]}, "IsTruncated": False}

    def _update_role(self, call: Call) -> Answer:
        role = self._role(call)
        if call.parameters.get("NewAssumeRolePolicyDocument"):
            role.trust = _trust(call, "NewAssumeRolePolicyDocument")
        if call.parameters.get("NewMaxSessionDuration"):
            role.max_session_seconds = _max_session(call, role.max_session_seconds, "NewMaxSessionDuration")
        role.description = given_description(call, "NewDescription", role.description)
        return {"Role": _described(role)}

    def _delete_role(self, call: Call) -> Answer:
        role = self._role(call)
        if role.attached:
            raise ServiceError(
                "DeleteConflict.Role.Policy", "The role can not have any attached policy while deleting.", 409
            )
        self.account.delete_role(role.name)
        return {}

    def _attach_policy(self, call: Call) -> Answer:
        role = self._role(call)
        policy = self.find_policy(call)
        key = policy.kind, policy.name
        with self.account.lock:
            if key in role.attached:
                text = f"The policy is already attached to the role: {policy.name}."
                raise ServiceError("EntityAlreadyExists.Role.Policy", text, 409)
            if sum(kind == policy.kind for kind, _ in role.attached) >= MAX_POLICIES_OF_ROLE[policy.kind]:
                text = "The count of policies attached to the role beyond the limits."
                raise ServiceError("LimitExceeded.Role.Policy", text, 409)
            role.attached = {**role.attached, key: policy}
        return {}

    def _detach_policy(self, call: Call) -> Answer:
        role = self._role(call)
        key = call.required("PolicyType"), call.required("PolicyName")
        self.permit(call, f"policy/{key[1]}")
        with self.account.lock:
            if key not in role.attached:
                raise ServiceError("EntityNotExist.Role.Policy", "The role policy does not exist.", 404)
            role.attached = {one: policy for one, policy in role.attached.items() if one != key}
        return {}

    def _list_policies_for_role(self, call: Call) -> Answer:
        role = self._role(call)
        return {"Policies": {"Policy": [describe_policy(one) for one in role.attached.values()]}}

    def _role(self, call: Call) -> Role:
        name = call.required("RoleName")
        self.permit(call, f"role/{name}")
        role = self.account.role(name)
        if role is None:
            raise ServiceError("EntityNotExist.Role", f"The role not exists: {name}.", 404)
        return role


def _described(role: Role) -> dict[str, Any]:
    return {
        "RoleId": role.role_id,
        "RoleName": role.name,
        "Arn": role.arn,
        "Description": role.description,
        "AssumeRolePolicyDocument": json.dumps(role.trust),
        "MaxSessionDuration": role.max_session_seconds,
        "CreateDate": utc(role.created_at),
        "UpdateDate": utc(role.created_at),
    }


def _trust(call: Call, parameter: str) -> Document:
    return parsed_document(call.required(parameter), parameter, MAX_TRUST_CHARACTERS, parse_trust_policy)


def _max_session(call: Call, default: int, parameter: str = "MaxSessionDuration") -> int:
    seconds = decimal(call.parameters.get(parameter) or str(default))
    if seconds is None or not 3600 <= seconds <= MAX_SESSION_SECONDS:
        raise ServiceError(f"InvalidParameter.{parameter}", f"The parameter - {parameter} should be 3600 to 43200.")
    return seconds
