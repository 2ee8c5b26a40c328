"""Creates, attaches, describes and detaches RAM roles of instances through the APIs.

    roles = InstanceRoles(default_provider(), "cn-hangzhou")
    roles.create("web", policies=["AliyunOSSReadOnlyAccess"])
    roles.attach("web", ["i-bp1…"])

The caller needs ram:CreateRole, ram:AttachPolicyToRole, ram:PassRole and ecs:AttachInstanceRamRole, for the calls used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ramrole_creds._formats.credential_json import json_object, safe_code, safe_message, safe_request_id, text_of
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.errors import FetchError, RamRoleError
from ramrole_creds.signing import ACS3, Request, Signer
from ramrole_creds.sts.endpoints import base_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ramrole_creds.clock import Clock
    from ramrole_creds.provider import CredentialProvider

ECS_VERSION = "2014-05-26"
RAM_VERSION = "2015-05-01"
RAM_HOST = "ram.aliyuncs.com"
MAX_INSTANCES_PER_CALL = 100
PAGE_SIZE = 50
MAX_PAGES = 1000
TIME_LIMIT_SECONDS = 30.0
TRUST_ECS: dict[str, object] = {
    "Version": "1",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs.aliyuncs.com"]}}],
}

_HINTS = {
    "EntityAlreadyExists.Role": "A role of that name exists. Attach it, or choose another name.",
    "DeleteConflict.Role.Policy": "Detach the role's policies first.",
    "EntityNotExist.Policy": "There is no policy of that name. Check its type: system or custom.",
    "EntityNotExist.Role": "There is no role of that name. Create it first.",
    "InvalidRamRole.NotFound": "There is no role of that name. Create it first.",
    "InvalidRamRole.NotEcsRole": "The role's trust policy must name the service ecs.aliyuncs.com.",
    "InvalidInstanceId.NotFound": "This region has no instance of that ID. Check the region too.",
    "InvalidInstance.RamRoleExists": "An instance can have only one role. Detach the current one first.",
    "InvalidNetworkType.MismatchRamRole": "Only instances in a VPC can have a role.",
    "InvalidUser.PassRoleForbidden": "The caller needs ram:PassRole on the role.",
    "NoPermission": "The caller's policies do not allow the call. Add the permission.",
}


class RoleApiError(RamRoleError):
    """RAM or ECS refused a call, or did not answer it.

    Args:
        code: the service's error code.
        request_id: the service's request ID, for a support ticket.
    """

    _section = "roleapierror"

    def __init__(self, message: str = "", *, code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code: str = code
        self.request_id: str = request_id


@dataclass(frozen=True, slots=True)
class RoleDescription:
    """A role.

    Args:
        name: its name.
        arn: its ARN.
        trusts_ecs: True if its trust policy lets ECS instances assume it; None if the answer does not say.
    """

    name: str
    arn: str
    trusts_ecs: bool | None = None


class InstanceRoles:
    """The RAM roles of the instances of one region.

    Args:
        provider: provides the credentials that sign the calls.
        region: the region ID of the instances.
        ecs_endpoint: host or URL of the ECS API; None for that of the region.
        ram_endpoint: host or URL of the RAM API; None for the public one.
        clock: source of the time of signatures.

    Raises:
        ConfigurationError: an endpoint is not valid.
    """

    def __init__(
        self,
        provider: CredentialProvider,
        region: str,
        *,
        ecs_endpoint: str | None = None,
        ram_endpoint: str | None = None,
        clock: Clock = DEFAULT_CLOCK,
    ) -> None:
        self._region = region
        self._ecs = base_url(ecs_endpoint or f"ecs.{region}.aliyuncs.com", "ecs_endpoint")
        self._ram = base_url(ram_endpoint or RAM_HOST, "ram_endpoint")
        self._signer = Signer(provider, ACS3(), clock=clock)

    def create(
        self,
        name: str,
        *,
        policies: Iterable[str] = (),
        custom_policies: Iterable[str] = (),
        description: str = "",
        max_session: float = 3600,
    ) -> RoleDescription:
        """Create a role that can be attached to instances.

        Args:
            name: the role's name.
            policies: names of system policies to attach.
            custom_policies: names of the account's own policies to attach.
            description: free text.
            max_session: the longest session of AssumeRole in seconds, 3600 to 43200.

        Raises:
            RoleApiError: RAM refused.
        """
        answer = self._call_ram(
            "CreateRole",
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(TRUST_ECS, separators=(",", ":")),
            Description=description,
            MaxSessionDuration=f"{max_session:.0f}",
        )
        for kind, names in (("System", policies), ("Custom", custom_policies)):
            for policy in names:
                self._call_ram("AttachPolicyToRole", RoleName=name, PolicyType=kind, PolicyName=policy)
        role = answer.get("Role")
        return RoleDescription(name, text_of(role, "Arn") if isinstance(role, dict) else "")

    def attach(self, name: str, instances: Sequence[str], *, session_policy: Mapping[str, Any] | None = None) -> None:
        """Attach a role; the instance gets its credentials within a minute or two.

        Args:
            name: the role's name.
            instances: IDs of instances without a role.
            session_policy: restricts the role on these instances.

        Raises:
            RoleApiError: ECS refused it for some or all; the message names them.
        """
        policy = "" if session_policy is None else json.dumps(session_policy, separators=(",", ":"))
        for some in _portions(instances):
            answer = self._call_ecs("AttachInstanceRamRole", some, RamRoleName=name, Policy=policy)
            _require_all(answer, "Attach")

    def detach(self, instances: Sequence[str], name: str | None = None) -> None:
        """Detach the roles of instances; credentials that were issued stay valid until they expire.

        Args:
            instances: IDs of the instances.
            name: the role's name; None for the one that is attached.

        Raises:
            RoleApiError: ECS refused it for some or all; the message names them.
        """
        for some in _portions(instances):
            _require_all(self._call_ecs("DetachInstanceRamRole", some, RamRoleName=name or ""), "Detach")

    def describe(self, instances: Sequence[str] | None = None, name: str | None = None) -> dict[str, str]:
        """The names of roles by instance ID, without instances that have no role.

        Args:
            instances: IDs; None for all instances that have the role `name`.
            name: only this role.

        Raises:
            RoleApiError: ECS refused the call, for instance because neither argument was given.
        """
        found: dict[str, str] = {}
        for some in [None] if instances is None else _portions(instances):
            total, pages = 1, _Pages("DescribeInstanceRamRole")
            while pages.taken * PAGE_SIZE < total:
                page = pages.take()
                answer = self._call_ecs(
                    "DescribeInstanceRamRole", some, RamRoleName=name or "", PageNumber=page, PageSize=str(PAGE_SIZE)
                )
                found |= {text_of(row, "InstanceId"): text_of(row, "RamRoleName") for row in _rows(answer)}
                count = answer.get("TotalCount")
                total = count if isinstance(count, int) else 0
        return found

    def find(self, name: str) -> RoleDescription | None:
        """The role of that name, None if the account has none.

        Raises:
            RoleApiError: RAM refused the call.
        """
        try:
            role = self._call_ram("GetRole", RoleName=name).get("Role")
        except RoleApiError as error:
            if error.code == "EntityNotExist.Role":
                return None
            raise
        return _description(role) if isinstance(role, dict) else None

    def list_roles(self) -> list[RoleDescription]:
        """All roles of the account, without what their trust policies allow.

        Raises:
            RoleApiError: RAM refused the call.
        """
        found: list[RoleDescription] = []
        marker, pages = "", _Pages("ListRoles")
        while True:
            pages.take(marker)
            answer = self._call_ram("ListRoles", Marker=marker, MaxItems="100")
            found += [_description(row) for row in _rows(answer)]
            marker = text_of(answer, "Marker")
            if answer.get("IsTruncated") is not True or not marker:
                return found

    def policies(self, name: str) -> list[tuple[str, str]]:
        """The policies of a role: pairs of "System" or "Custom" and the name.

        Raises:
            RoleApiError: RAM refused the call.
        """
        rows = _rows(self._call_ram("ListPoliciesForRole", RoleName=name))
        return [(text_of(row, "PolicyType"), text_of(row, "PolicyName")) for row in rows]

    def attach_policy(self, name: str, policy: str, kind: str = "System") -> None:
        """Attach a policy to a role.

        Args:
            name: the role's name.
            policy: the policy's name.
            kind: "System" or "Custom".

        Raises:
            RoleApiError: RAM refused the call.
        """
        self._call_ram("AttachPolicyToRole", RoleName=name, PolicyType=kind, PolicyName=policy)

    def detach_policy(self, name: str, policy: str, kind: str = "System") -> None:
        """Detach a policy from a role.

        Args:
            name: the role's name.
            policy: the policy's name.
            kind: "System" or "Custom".

        Raises:
            RoleApiError: RAM refused the call.
        """
        self._call_ram("DetachPolicyFromRole", RoleName=name, PolicyType=kind, PolicyName=policy)

    def delete(self, name: str) -> None:
        """Delete a role, whose policies must be detached before.

        Raises:
            RoleApiError: RAM refused the call.
        """
        self._call_ram("DeleteRole", RoleName=name)

    def instances(self) -> list[str]:
        """IDs of all instances of the region.

        Raises:
            RoleApiError: ECS refused the call.
        """
        found: list[str] = []
        token, pages = "", _Pages("DescribeInstances")
        while True:
            pages.take(token)
            answer = self._call_ecs("DescribeInstances", None, MaxResults="100", NextToken=token)
            found += [text_of(row, "InstanceId") for row in _rows(answer)]
            token = text_of(answer, "NextToken")
            if not token:
                return found

    def _call_ecs(self, action: str, instances: Sequence[str] | None, **parameters: str) -> dict[str, object]:
        ids = "" if instances is None else json.dumps(list(instances))
        return self._call(self._ecs, ECS_VERSION, action, {**parameters, "RegionId": self._region, "InstanceIds": ids})

    def _call_ram(self, action: str, **parameters: str) -> dict[str, object]:
        return self._call(self._ram, RAM_VERSION, action, parameters)

    def _call(self, url: str, version: str, action: str, parameters: Mapping[str, str]) -> dict[str, object]:
        """One call, sent once: a call whose answer was lost may have succeeded."""
        headers = {
            "x-acs-action": action,
            "x-acs-version": version,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({name: value for name, value in parameters.items() if value}).encode()
        signed = self._signer.sign(Request("POST", url, headers, body=form))
        transport = HttpTransport(5.0, 10.0, max_body=1 << 20, use_environment=url.startswith("https:"))
        where = f"{action} at {safe_url(url)}"
        try:
            answer = transport.request(
                "POST", signed.url, headers=dict(signed.headers), body=form, time_limit=TIME_LIMIT_SECONDS, retry=False
            )
            document = json_object(
                answer.body, lambda what: FetchError(f"{where} was answered with {what}. Check the endpoint.")
            )
        except HttpError as error:
            raise RoleApiError(
                f"{where} failed. {error} Check the network and HTTPS_PROXY; inside a VPC without internet access set "
                "the endpoint to one that can be reached."
            ) from None
        except FetchError as error:
            raise RoleApiError(str(error)) from None
        if answer.status == 200:
            return document
        code, request = safe_code(document.get("Code")), safe_request_id(document.get("RequestId"))
        said = ": ".join(part for part in (code, safe_message(document.get("Message"))) if part)
        seen = f"HTTP {answer.status}, RequestId {request or 'not given'}"
        text = f"{where} was refused ({seen}): {said.rstrip('.')}. {_HINTS.get(code, '')}"
        raise RoleApiError(text.rstrip(), code=code, request_id=request)


class _Pages:
    """Counts the pages of one list, which a broken service would continue forever."""

    def __init__(self, action: str) -> None:
        self._action = action
        self._seen: set[str] = set()
        self.taken = 0

    def take(self, marker: str = "") -> str:
        """The number of the next page, as text.

        Raises:
            RoleApiError: the marker of the page was used before, or there are too many pages.
        """
        if marker and marker in self._seen:
            raise RoleApiError(f"{self._action} repeats a page of its list. The list is not used. Check the endpoint.")
        if self.taken >= MAX_PAGES:
            raise RoleApiError(
                f"{self._action} has more than {MAX_PAGES} pages. The list is not used. Check the endpoint."
            )
        self._seen.add(marker)
        self.taken += 1
        return str(self.taken)


def trusts_ecs(document: object) -> bool | None:
    """Whether a trust policy lets ECS instances assume its role; None if it is not a policy document."""
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except (ValueError, RecursionError):
        return None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if not isinstance(statements, list):
        return None
    return any(isinstance(one, dict) and _allows_ecs(one) for one in statements)


def _allows_ecs(statement: dict[str, object]) -> bool:
    principal = statement.get("Principal")
    services = _as_list(principal.get("Service")) if isinstance(principal, dict) else []
    actions = _as_list(statement.get("Action"))
    allowed = not {"sts:AssumeRole", "sts:*", "*"}.isdisjoint(actions)
    return statement.get("Effect") == "Allow" and allowed and "ecs.aliyuncs.com" in services


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _description(role: dict[str, object]) -> RoleDescription:
    name, arn = text_of(role, "RoleName"), text_of(role, "Arn")
    return RoleDescription(name, arn, trusts_ecs(role.get("AssumeRolePolicyDocument")))


def _portions(instances: Sequence[str]) -> Iterator[Sequence[str]]:
    """The instances in portions that one call accepts."""
    for start in range(0, len(instances), MAX_INSTANCES_PER_CALL):
        yield instances[start : start + MAX_INSTANCES_PER_CALL]


def _require_all(answer: dict[str, object], verb: str) -> None:
    """Raise for rows that failed, since the call as a whole succeeds then."""
    failed = [row for row in _rows(answer) if safe_code(row.get("Code")) or row.get("Success") is False]
    if failed:
        code = safe_code(failed[0].get("Code"))
        named = ", ".join(f"{text_of(row, 'InstanceId')} ({safe_code(row.get('Code'))})" for row in failed)
        text = f"{verb}InstanceRamRole failed for {named}. {_HINTS.get(code, '')}"
        raise RoleApiError(text.rstrip(), code=code, request_id=safe_request_id(answer.get("RequestId")))


def _rows(answer: dict[str, object]) -> list[dict[str, object]]:
    """The rows of an answer, two levels down."""
    for outer in answer.values():
        for inner in outer.values() if isinstance(outer, dict) else ():
            if isinstance(inner, list):
                return [row for row in inner if isinstance(row, dict)]
    return []
