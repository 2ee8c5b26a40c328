"""ECS of the fake cloud: the part about the role of an instance and its metadata options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account import ram_policy as policy
from ramrole_creds.testing.account.access import Access
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.services.instance import Instance, RoleAlreadyAttached
from ramrole_creds.testing.services.markup import read_json
from ramrole_creds.testing.services.openapi import Answer, Call, OpenApi
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.services.signed_service import DEFAULT_REGION
from ramrole_creds.testing.verify import named_operation
from ramrole_creds.testing.verify.canonical import decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.services.metadata_service import MetadataService

MAX_INSTANCES = 100
MAX_PAGE = 50
MAX_POLICY_CHARACTERS = 1024


class EcsService(OpenApi):
    """AttachInstanceRamRole, DetachInstanceRamRole, DescribeInstanceRamRole, ModifyInstanceMetadataOptions.

    Permissions. Known, from the page of each API of ECS: the action is `ecs:<API>`, the resource `instance/<id>`, and
    attaching needs `ram:PassRole` on the role; the additional policy has at most 1,024 characters. Assumed: describing
    by role is judged by `instance/*`; the role, which RAM lists as a second resource of `ecs:AttachInstanceRamRole`, is
    judged by `ram:PassRole` alone.
    """

    name = "ecs"
    version = "2014-05-26"

    def __init__(
        self,
        account: Account,
        instances: Mapping[str, Instance],
        metadata: MetadataService,
        delay: Callable[[], float],  # gives the seconds until a change shows in the metadata
    ) -> None:
        super().__init__(account)
        self._instances = instances
        self._metadata = metadata
        self._delay = delay

    def recognizes(self, request: WireRequest) -> bool:
        """True for the actions it has; every other call to ECS is for the echo of the gateway."""
        return super().recognizes(request) and named_operation(request)[0] in self.actions

    @property
    def actions(self) -> Mapping[str, Callable[[Call], Answer]]:
        """The actions by name."""
        return {
            "AttachInstanceRamRole": self._attach,
            "DetachInstanceRamRole": self._detach,
            "DescribeInstanceRamRole": self._describe,
            "DescribeInstances": self._describe_instances,
            "ModifyInstanceMetadataOptions": self._modify_options,
        }

    def _attach(self, call: Call) -> Answer:
        role_name = call.required("RamRoleName")
        instances = self._named(call)
        passed = Access("ram:PassRole", f"acs:ram::{self.account.account_id}:role/{role_name}")
        if not call.authorizer.judge(call.caller, passed, call.at).allowed:
            raise ServiceError(
                "InvalidUser.PassRoleForbidden", "The RAM user does not have the privilege to pass a role.", 403
            )
        role = self.account.role(role_name)
        if role is None:
            raise ServiceError("InvalidRamRole.NotFound", "The specified RamRoleName does not exist.", 404)
        context = call.authorizer.context(None, {}, call.at)
        if not policy.trusts(role.trust, "sts:AssumeRole", "Service", ["ecs.aliyuncs.com"], context):
            raise ServiceError(
                "InvalidRamRole.NotEcsRole",
                "The specified ram role is not authorized for ecs, please check your role policy.",
                404,
            )
        if any(one.network_type != "vpc" for one in instances):
            raise ServiceError(
                "InvalidNetworkType.MismatchRamRole", "A ram role cannot be attached to an instance outside a VPC.", 403
            )
        narrowed = _narrowing(call.parameters.get("Policy"))
        delay = self._delay()
        rows = [_attached(one, role.name, call.at, delay, narrowed) for one in instances]
        return _results("Attach", role.name, rows)

    def _detach(self, call: Call) -> Answer:
        role_name = call.parameters.get("RamRoleName") or None
        results = []
        for one in self._named(call):
            if one.detach(call.at, role_name, self._delay()):
                results.append(_row(one))
            else:
                results.append(_row(one, "InvalidRamRole.NotFound", "The specified RAM role is not attached."))
        return _results("Detach", role_name or "", results)

    def _describe(self, call: Call) -> Answer:
        role_name = call.parameters.get("RamRoleName")
        if not role_name and not call.parameters.get("InstanceIds"):
            raise ServiceError(
                "InvalidParameter.AllEmpty", "The InstanceIds and RamRoleName can not be empty at the same time.", 403
            )
        if call.parameters.get("InstanceIds"):
            instances = self._named(call)
        else:
            instances = list(self._instances.values())
            self._permit(call)
        rows = [
            {"InstanceId": one.instance_id, "RamRoleName": name}
            for one in instances
            for name in one.attached()
            if role_name in (None, "", name)
        ]
        size = min(_number(call, "PageSize", 10), MAX_PAGE)
        first = (_number(call, "PageNumber", 1) - 1) * size
        return {
            "RegionId": call.parameters.get("RegionId", ""),
            "TotalCount": len(rows),
            "InstanceRamRoleSets": {"InstanceRamRoleSet": rows[first : first + size]},
        }

    def _describe_instances(self, call: Call) -> Answer:
        self._permit(call)
        size = min(_number(call, "MaxResults", 10), MAX_INSTANCES)
        instances = list(self._instances.values())
        first = _number(call, "NextToken", 1) - 1
        rows = [
            {"InstanceId": one.instance_id, "RegionId": _region(call), "InstanceNetworkType": one.network_type}
            for one in instances[first : first + size]
        ]
        more = first + size < len(instances)
        return {"Instances": {"Instance": rows}, "NextToken": str(first + size + 1) if more else ""}

    def _modify_options(self, call: Call) -> Answer:
        instance = self._one(call.required("InstanceId"))
        self._permit(call, instance.instance_id)
        values = {
            "HttpEndpoint": ("enabled", "disabled"),
            "HttpTokens": ("optional", "required"),
            "InstanceMetadataTags": ("enabled", "disabled"),
        }
        for name, allowed in values.items():
            if call.parameters.get(name) and call.parameters[name] not in allowed:
                raise ServiceError(f"Invalid{name}.NotSupported", f"The specified {name} is not supported.")
        if call.parameters.get("HttpPutResponseHopLimit", "1") not in map(str, range(1, 65)):
            raise ServiceError("InvalidHttpPutResponseHopLimit.NotSupported", "The value must be 1 to 64.")
        if self._metadata.instance is instance:
            if call.parameters.get("HttpEndpoint"):
                self._metadata.enabled = call.parameters["HttpEndpoint"] == "enabled"
            if call.parameters.get("HttpTokens"):
                self._metadata.mode = "hardened" if call.parameters["HttpTokens"] == "required" else "normal"
        return {}

    def _named(self, call: Call) -> list[Instance]:
        ids = read_json(call.required("InstanceIds"))
        if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_INSTANCES or not all(isinstance(i, str) for i in ids):
            raise ServiceError("InvalidInstanceIds.Malformed", "The amount of specified InstanceIds is invalid.")
        instances = [self._one(one) for one in ids]
        for one in instances:
            self._permit(call, one.instance_id)
        return instances

    def _permit(self, call: Call, instance_id: str = "*") -> None:
        resource = f"acs:ecs:{_region(call)}:{self.account.account_id}:instance/{instance_id}"
        call.require_permission(f"ecs:{call.action}", resource)

    def _one(self, instance_id: str) -> Instance:
        instance = self._instances.get(instance_id)
        if instance is None:
            raise ServiceError("InvalidInstanceId.NotFound", "The specified InstanceId does not exist.", 404)
        return instance


def _attached(
    instance: Instance, role_name: str, at: float, delay: float, narrowed: Mapping[str, Any] | None
) -> dict[str, Any]:
    try:
        instance.attach(role_name, at, delay, session_policy=narrowed)
    except RoleAlreadyAttached:
        return _row(instance, "InvalidInstance.RamRoleExists", "The instance already has an instance RAM role.")
    return _row(instance)


def _region(call: Call) -> str:
    return call.parameters.get("RegionId") or DEFAULT_REGION


def _narrowing(text: str | None) -> Mapping[str, Any] | None:
    if not text:
        return None
    if len(text) > MAX_POLICY_CHARACTERS:
        message = f"The specified parameter Policy is not valid. (It has more than {MAX_POLICY_CHARACTERS} characters.)"
        raise ServiceError("InvalidPolicy.Malformed", message)
    try:
        return parse_policy(text)
    except ValueError as error:
        message = f"The specified parameter Policy is not valid. ({error})"
        raise ServiceError("InvalidPolicy.Malformed", message) from None


def _row(instance: Instance, code: str = "200", message: str = "success") -> dict[str, Any]:
    return {"InstanceId": instance.instance_id, "Success": code == "200", "Code": code, "Message": message}


def _results(verb: str, role_name: str, rows: list[dict[str, Any]]) -> Answer:
    return {
        "RamRoleName": role_name,
        "TotalCount": len(rows),
        "FailCount": sum(not row["Success"] for row in rows),
        f"{verb}InstanceRamRoleResults": {f"{verb}InstanceRamRoleResult": rows},
    }


def _number(call: Call, name: str, default: int) -> int:
    number = decimal(call.parameters.get(name) or str(default))
    if not number:
        raise ServiceError(f"Invalid{name}", f"The specified {name} is not valid.")
    return number
