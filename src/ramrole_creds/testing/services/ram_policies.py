"""RAM of the fake cloud: custom policies and their versions.

Codes and limits are those of RAM's "Error codes", its "Limits" and the pages of each API: 1,500 policies, five versions
of each, documents of at most 6,144 characters, names of at most 128, descriptions of at most 1,024. Assumed: the texts,
which changed over the years.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.managed_policy import TooManyVersionsError
from ramrole_creds.testing.account.policy_grammar import MAX_CUSTOM_POLICY_CHARACTERS, parse_policy
from ramrole_creds.testing.services.instance import utc
from ramrole_creds.testing.services.openapi import Answer, Call, OpenApi
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.managed_policy import Policy, PolicyVersion
    from ramrole_creds.testing.account.ram_policy import Document

MAX_POLICY_NAME_CHARACTERS = 128
MAX_CUSTOM_POLICIES = 1500
MAX_DESCRIPTION_CHARACTERS = 1024
ROTATING = "DeleteOldestNonDefaultVersionWhenLimitExceeded"

_VERSION_ID = re.compile(r"v[0-9]{1,9}")


class RamPolicies(OpenApi):
    """The part of RAM that is about policies alone."""

    @property
    def actions(self) -> Mapping[str, Callable[[Call], Answer]]:
        """The actions by name."""
        return {
            "CreatePolicy": self._create_policy,
            "GetPolicy": self._get_policy,
            "DeletePolicy": self._delete_policy,
            "CreatePolicyVersion": self._create_version,
            "GetPolicyVersion": self._get_version,
            "ListPolicyVersions": self._list_versions,
            "SetDefaultPolicyVersion": self._set_default,
            "DeletePolicyVersion": self._delete_version,
        }

    def permit(self, call: Call, resource: str) -> None:
        """Refuse a caller who may not call this API on the resource, with `NoPermission`."""
        call.require_permission(f"ram:{call.action}", f"acs:ram::{self.account.account_id}:{resource}")

    def find_policy(self, call: Call) -> Policy:
        """The policy that a call names by name and type, once the caller may call this API on it."""
        name, kind = call.required("PolicyName"), call.required("PolicyType")
        self.permit(call, f"policy/{name}")
        if kind not in {"System", "Custom"}:
            raise ServiceError("InvalidParameter.PolicyType", 'The parameter - "PolicyType" is incorrect.')
        try:
            return self.account.find_policy(name, kind)
        except KeyError:
            raise _no_policy(name) from None

    def _create_policy(self, call: Call) -> Answer:
        name = call.required("PolicyName")
        self.permit(call, f"policy/{name}")
        check_name(name, "PolicyName", MAX_POLICY_NAME_CHARACTERS, "-")
        document, description = _document(call), given_description(call, "Description")
        with self.account.lock:
            if name in self.account.custom_policies:
                raise ServiceError("EntityAlreadyExists.Policy", f"The policy already exists: {name}.", 409)
            if len(self.account.custom_policies) >= MAX_CUSTOM_POLICIES:
                raise ServiceError("LimitExceeded.Policy", "The count of policies beyond the current limits.", 409)
            self.account.put_policy(name, document, at=call.at)
            policy = self.account.custom_policies[name]
            policy.description = description
        return {"Policy": describe_policy(policy)}

    def _get_policy(self, call: Call) -> Answer:
        policy = self.find_policy(call)
        return {"Policy": describe_policy(policy), "DefaultPolicyVersion": _described(policy.default, policy)}

    def _delete_policy(self, call: Call) -> Answer:
        with self.account.lock:
            policy = self._custom(call)
            for kind, owners in (("Role", self.account.roles), ("User", self.account.users)):
                if any(policy in owner.attached.values() for owner in owners.values()):
                    text = f"The policy CAN NOT been attached to any {kind.lower()} while deleting the policy."
                    raise ServiceError(f"DeleteConflict.Policy.{kind}", text, 409)
            if len(policy.versions) > 1:
                text = "The policy CAN NOT has any version except the default version."
                raise ServiceError("DeleteConflict.Policy.Version", text, 409)
            del self.account.custom_policies[policy.name]
        return {}

    def _create_version(self, call: Call) -> Answer:
        rotate = call.parameters.get("RotateStrategy") == ROTATING
        default = call.parameters.get("SetAsDefault", "false").lower() == "true"
        with self.account.lock:
            policy = self._custom(call)
            try:
                version = policy.add(_document(call), call.at, default=default, rotate=rotate)
            except TooManyVersionsError:
                text = "The count of policy version beyond the current limits."
                raise ServiceError("LimitExceeded.Policy.Version", text, 409) from None
            described = _described(version, policy)
        del described["PolicyDocument"]
        return {"PolicyVersion": described}

    def _get_version(self, call: Call) -> Answer:
        policy = self.find_policy(call)
        return {"PolicyVersion": _described(_version(call, policy), policy)}

    def _list_versions(self, call: Call) -> Answer:
        policy = self.find_policy(call)
        return {"PolicyVersions": {"PolicyVersion": [_described(one, policy) for one in policy.versions.values()]}}

    def _set_default(self, call: Call) -> Answer:
        with self.account.lock:
            policy = self._custom(call)
            policy.default_id = _version(call, policy).version_id
        return {}

    def _delete_version(self, call: Call) -> Answer:
        with self.account.lock:
            policy = self._custom(call)
            version = _version(call, policy)
            if version is policy.default:
                text = "The default policy version CAN NOT been deleted directly."
                raise ServiceError("DeleteConflict.Policy.Version.Default", text, 409)
            del policy.versions[version.version_id]
        return {}

    def _custom(self, call: Call) -> Policy:
        name = call.required("PolicyName")
        self.permit(call, f"policy/{name}")
        policy = self.account.custom_policies.get(name)
        if policy is None:
            raise _no_policy(name)
        return policy


def check_length(text: str, parameter: str, longest: int) -> None:
    """Refuse the text of a parameter that has too many characters."""
    if len(text) > longest:
        message = f'The parameter - "{parameter}" beyond the length limit.'
        raise ServiceError(f"InvalidParameter.{parameter}.Length", message)


def check_name(name: str, parameter: str, longest: int, marks: str) -> None:
    """Refuse a name with other characters than letters, digits and `marks`, or a longer one."""
    check_length(name, parameter, longest)
    if re.fullmatch(f"[A-Za-z0-9{re.escape(marks)}]+", name) is None:
        text = f'The parameter - "{parameter}" contains invalid chars.'
        raise ServiceError(f"InvalidParameter.{parameter}.InvalidChars", text)


def given_description(call: Call, parameter: str, default: str = "") -> str:
    """The description that a parameter holds, which must not be too long."""
    text = call.parameters.get(parameter, default)
    check_length(text, parameter, MAX_DESCRIPTION_CHARACTERS)
    return text


def parsed_document(text: str, parameter: str, longest: int, parse: Callable[[str], Document]) -> Document:
    """The document that a parameter holds; a malformed one is refused."""
    check_length(text, parameter, longest)
    try:
        document = parse(text)
        if not document["Statement"]:
            raise ValueError("a policy has at least one statement")  # noqa: TRY301  # one error for both
    except ValueError as error:
        raise ServiceError("MalformedPolicyDocument", f"The {parameter} is malformed: {error}.") from None
    return document


def describe_policy(policy: Policy) -> dict[str, Any]:
    """A policy as RAM describes it."""
    return {
        "PolicyName": policy.name,
        "PolicyType": policy.kind,
        "Description": policy.description,
        "DefaultVersion": policy.default_id,
        "CreateDate": utc(next(iter(policy.versions.values())).created_at),
    }


def _version(call: Call, policy: Policy) -> PolicyVersion:
    version_id = call.required("VersionId")
    if _VERSION_ID.fullmatch(version_id) is None:
        text = 'The format of the parameter - "VersionId" is incorrect.'
        raise ServiceError("InvalidParameter.VersionId.Format", text)
    if version_id not in policy.versions:
        raise ServiceError("EntityNotExist.Policy.Version", "The policy version does not exist.", 404)
    return policy.versions[version_id]


def _document(call: Call) -> Document:
    return parsed_document(
        call.required("PolicyDocument"), "PolicyDocument", MAX_CUSTOM_POLICY_CHARACTERS, parse_policy
    )


def _described(version: PolicyVersion, policy: Policy) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version is policy.default,
        "PolicyDocument": json.dumps(version.document),
        "CreateDate": utc(version.created_at),
    }


def _no_policy(name: str) -> ServiceError:
    return ServiceError("EntityNotExist.Policy", f"The policy does not exist: {name}.", 404)
