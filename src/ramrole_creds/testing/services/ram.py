"""RAM of the fake cloud: the part about roles and their policies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account import ram_policy as policy
from ramrole_creds.testing.account.account import DEFAULT_MAX_SESSION_SECONDS, SYSTEM_POLICIES
from ramrole_creds.testing.services.instance import utc
from ramrole_creds.testing.services.openapi import Answer, Call, OpenApi
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Document, Role

MAX_SESSION_SECONDS = 43200
MAX_CUSTOM_POLICIES_OF_ROLE = 5
MAX_SYSTEM_POLICIES_OF_ROLE = 20

_ROLE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_POLICY_NAME = re.compile(r"[A-Za-z0-9-]{1,128}")


class RamService(OpenApi):
    """Roles and policies: create, get, list, update, delete, attach, detach.

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
            "CreatePolicy": self._create_policy,
            "CreatePolicyVersion": self._create_policy_version,
            "GetPolicy": self._get_policy,
            "DeletePolicy": self._delete_policy,
            "AttachPolicyToRole": self._attach_policy,
            "DetachPolicyFromRole": self._detach_policy,
            "ListPoliciesForRole": self._list_policies_for_role,
        }

    def _create_role(self, call: Call) -> Answer:
        name = call.required("RoleName")
        self._permit(call, f"role/{name}")
        if _ROLE_NAME.fullmatch(name) is None:
            raise ServiceError("InvalidParameter.RoleName.InvalidChars", "The parameter - RoleName is invalid.")
        trust = _document(call.required("AssumeRolePolicyDocument"), "AssumeRolePolicyDocument")
        longest = _max_session(call, DEFAULT_MAX_SESSION_SECONDS)
        if self.account.role(name) is not None:
            raise ServiceError("EntityAlreadyExists.Role", f"The role already exists: {name}.", 409)
        role = self.account.add_role(name, trust=trust, policies=(), max_session_seconds=longest)
        role.description = call.parameters.get("Description", "")
        role.created_at = call.at
        return {"Role": _described(role)}

    def _get_role(self, call: Call) -> Answer:
        return {"Role": _described(self._role(call))}

    def _list_roles(self, call: Call) -> Answer:
        self._permit(call, "role/*")
        roles = sorted(self.account.roles.values(), key=lambda role: role.name)
        return {"Roles": {"Role": [_described(role) for role in roles]}, "IsTruncated": False}

    def _update_role(self, call: Call) -> Answer:
        role = self._role(call)
        if call.parameters.get("NewAssumeRolePolicyDocument"):
            role.trust = _document(call.parameters["NewAssumeRolePolicyDocument"], "NewAssumeRolePolicyDocument")
        if call.parameters.get("NewMaxSessionDuration"):
            role.max_session_seconds = _max_session(call, role.max_session_seconds, "NewMaxSessionDuration")
        role.description = call.parameters.get("NewDescription", role.description)
        return {"Role": _described(role)}

    def _delete_role(self, call: Call) -> Answer:
        role = self._role(call)
        if role.policies:
            raise ServiceError(
                "DeleteConflict.Role.Policy", "The role can not have any attached policy while deleting.", 409
            )
        self.account.delete_role(role.name)
        return {}

    def _create_policy(self, call: Call) -> Answer:
        name = call.required("PolicyName")
        self._permit(call, f"policy/{name}")
        if _POLICY_NAME.fullmatch(name) is None:
            raise ServiceError("InvalidParameter.PolicyName.InvalidChars", "The parameter - PolicyName is invalid.")
        document = _document(call.required("PolicyDocument"), "PolicyDocument")
        with self.account.lock:
            if name in self.account.custom_policies:
                raise ServiceError("EntityAlreadyExists.Policy", f"The policy already exists: {name}.", 409)
            self.account.custom_policies[name] = document
        return {"Policy": _policy(name, "Custom", call)}

    def _create_policy_version(self, call: Call) -> Answer:
        name = call.required("PolicyName")
        self._permit(call, f"policy/{name}")
        document = _document(call.required("PolicyDocument"), "PolicyDocument")
        default = call.parameters.get("SetAsDefault", "false").lower() == "true"
        with self.account.lock:
            if name not in self.account.custom_policies:
                raise _no_policy(name)
            if default:
                self.account.put_policy(name, document)
        return {"PolicyVersion": {"VersionId": "v2", "IsDefaultVersion": default, "CreateDate": utc(call.at)}}

    def _get_policy(self, call: Call) -> Answer:
        name, kind, document = self._policy(call)
        version = {"IsDefaultVersion": True, "VersionId": "v1", "PolicyDocument": json.dumps(document)}
        return {"Policy": _policy(name, kind, call), "DefaultPolicyVersion": version}

    def _delete_policy(self, call: Call) -> Answer:
        name = call.required("PolicyName")
        self._permit(call, f"policy/{name}")
        with self.account.lock:
            if name not in self.account.custom_policies:
                raise _no_policy(name)
            if any(("Custom", name) in role.policies for role in self.account.roles.values()):
                raise ServiceError(
                    "DeleteConflict.Policy.Role", "The policy can not be attached to any role while deleting.", 409
                )
            del self.account.custom_policies[name]
        return {}

    def _attach_policy(self, call: Call) -> Answer:
        role = self._role(call)
        name, kind, document = self._policy(call)
        with self.account.lock:
            if (kind, name) in role.policies:
                raise ServiceError(
                    "EntityAlreadyExists.Role.Policy", f"The policy is already attached to the role: {name}.", 409
                )
            quota = MAX_CUSTOM_POLICIES_OF_ROLE if kind == "Custom" else MAX_SYSTEM_POLICIES_OF_ROLE
            if sum(one == kind for one, _ in role.policies) >= quota:
                raise ServiceError(
                    "LimitExceeded.Role.Policy", "The count of policies attached to the role beyond the limits.", 409
                )
            role.policies = {**role.policies, (kind, name): document}
        return {}

    def _detach_policy(self, call: Call) -> Answer:
        role = self._role(call)
        kind, name = call.required("PolicyType"), call.required("PolicyName")
        self._permit(call, f"policy/{name}")
        with self.account.lock:
            if (kind, name) not in role.policies:
                raise ServiceError("EntityNotExist.Role.Policy", "The role policy does not exist.", 404)
            role.policies = {key: value for key, value in role.policies.items() if key != (kind, name)}
        return {}

    def _list_policies_for_role(self, call: Call) -> Answer:
        role = self._role(call)
        return {"Policies": {"Policy": [_policy(name, kind, call) for kind, name in role.policies]}}

    def _role(self, call: Call) -> Role:
        name = call.required("RoleName")
        self._permit(call, f"role/{name}")
        role = self.account.role(name)
        if role is None:
            raise ServiceError("EntityNotExist.Role", f"The role not exists: {name}.", 404)
        return role

    def _policy(self, call: Call) -> tuple[str, str, Document]:
        name, kind = call.required("PolicyName"), call.required("PolicyType")
        self._permit(call, f"policy/{name}")
        if kind not in {"System", "Custom"}:
            raise ServiceError("InvalidParameter.PolicyType", "The parameter - PolicyType is invalid.")
        try:
            _, document = self.account.find_policy(name, kind)
        except KeyError:
            raise _no_policy(name) from None
        return name, kind, document

    def _permit(self, call: Call, resource: str) -> None:
        call.require_permission(f"ram:{call.action}", f"acs:ram::{self.account.account_id}:{resource}")


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


def _policy(name: str, kind: str, call: Call) -> dict[str, Any]:
    described = SYSTEM_POLICIES.get(name) if kind == "System" else None
    return {
        "PolicyName": name,
        "PolicyType": kind,
        "Description": "" if described is None else name,
        "DefaultVersion": "v1",
        "CreateDate": utc(call.at),
    }


def _document(text: str, parameter: str) -> Document:
    try:
        return policy.parse_policy(text)
    except ValueError:
        raise ServiceError(
            f"InvalidParameter.{parameter}", f"The parameter - {parameter} has not passed grammar check."
        ) from None


def _max_session(call: Call, default: int, parameter: str = "MaxSessionDuration") -> int:
    text = call.parameters.get(parameter) or str(default)
    if not (text.isascii() and text.isdigit() and 3600 <= int(text[:9]) <= MAX_SESSION_SECONDS):
        raise ServiceError(f"InvalidParameter.{parameter}", f"The parameter - {parameter} should be 3600 to 43200.")
    return int(text)


def _no_policy(name: str) -> ServiceError:
    return ServiceError("EntityNotExist.Policy", f"The policy not exists: {name}.", 404)
