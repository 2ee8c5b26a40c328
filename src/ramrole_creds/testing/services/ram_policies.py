"""RAM of the fake cloud: custom policies and their versions.

Codes and limits are those of RAM's "Error codes", its "Limits" and the pages of each API: 1,500 policies, five versions
of each, documents of at most 6,144 characters, names of at most 128, descriptions of at most 1,024. Assumed: the texts,
which changed over the years.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.managed_policy import TooManyVersionsError
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.services.instance import utc
from ramrole_creds.testing.services.service import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.account.managed_policy import Policy, PolicyVersion
    from ramrole_creds.testing.account.ram_policy import Document
    from ramrole_creds.testing.services.openapi import Answer, Call

MAX_POLICY_NAME_CHARACTERS = 128
MAX_POLICY_CHARACTERS = 6144
MAX_CUSTOM_POLICIES = 1500
MAX_DESCRIPTION_CHARACTERS = 1024
ROTATING = "DeleteOldestNonDefaultVersionWhenLimitExceeded"

_VERSION_ID = re.compile(r"v[0-9]{1,9}")


def policy_actions(account: Account) -> Mapping[str, Callable[[Call], Answer]]:
    """The actions on policies by name."""
    handlers = {
        "CreatePolicy": _create,
        "GetPolicy": _get,
        "DeletePolicy": _delete,
        "CreatePolicyVersion": _create_version,
        "GetPolicyVersion": _get_version,
        "ListPolicyVersions": _list_versions,
        "SetDefaultPolicyVersion": _set_default,
        "DeletePolicyVersion": _delete_version,
    }
    return {name: partial(handler, account=account) for name, handler in handlers.items()}


def permit(call: Call, account: Account, resource: str) -> None:
    """Refuse a caller who may not call this API on the resource.

    Raises:
        ServiceError: `NoPermission`.
    """
    call.require_permission(f"ram:{call.action}", f"acs:ram::{account.account_id}:{resource}")


def check_length(text: str, parameter: str, longest: int) -> None:
    """Refuse the text of a parameter that has too many characters.

    Raises:
        ServiceError: `InvalidParameter.<parameter>.Length`.
    """
    if len(text) > longest:
        message = f'The parameter - "{parameter}" beyond the length limit.'
        raise ServiceError(f"InvalidParameter.{parameter}.Length", message)


def check_name(name: str, parameter: str, longest: int, marks: str) -> None:
    """Refuse a name with other characters than letters, digits and `marks`, or a longer one.

    Raises:
        ServiceError: `InvalidParameter.<parameter>.Length` or `.InvalidChars`.
    """
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
    """The document that a parameter holds.

    Raises:
        ServiceError: `InvalidParameter.<parameter>.Length` or `MalformedPolicyDocument`.
    """
    check_length(text, parameter, longest)
    try:
        document = parse(text)
        if not document["Statement"]:
            raise ValueError("a policy has at least one statement")  # noqa: TRY301  # one error for both
    except ValueError as error:
        raise ServiceError("MalformedPolicyDocument", f"The {parameter} is malformed: {error}.") from None
    return document


def find_policy(call: Call, account: Account) -> Policy:
    """The policy that a call names by name and type, once the caller may call this API on it.

    Raises:
        ServiceError: no policy has that name and type.
    """
    name, kind = call.required("PolicyName"), call.required("PolicyType")
    permit(call, account, f"policy/{name}")
    if kind not in {"System", "Custom"}:
        raise ServiceError("InvalidParameter.PolicyType", 'The parameter - "PolicyType" is incorrect.')
    try:
        return account.find_policy(name, kind)
    except KeyError:
        raise _no_policy(name) from None


def describe_policy(policy: Policy) -> dict[str, Any]:
    """A policy as RAM describes it."""
    return {
        "PolicyName": policy.name,
        "PolicyType": policy.kind,
        "Description": policy.description,
        "DefaultVersion": policy.default_id,
        "CreateDate": utc(next(iter(policy.versions.values())).created_at),
    }


def _create(call: Call, account: Account) -> Answer:
    name = call.required("PolicyName")
    permit(call, account, f"policy/{name}")
    check_name(name, "PolicyName", MAX_POLICY_NAME_CHARACTERS, "-")
    document, description = _document(call), given_description(call, "Description")
    with account.lock:
        if name in account.custom_policies:
            raise ServiceError("EntityAlreadyExists.Policy", f"The policy already exists: {name}.", 409)
        if len(account.custom_policies) >= MAX_CUSTOM_POLICIES:
            raise ServiceError("LimitExceeded.Policy", "The count of policies beyond the current limits.", 409)
        account.put_policy(name, document, at=call.at)
        policy = account.custom_policies[name]
        policy.description = description
    return {"Policy": describe_policy(policy)}


def _get(call: Call, account: Account) -> Answer:
    policy = find_policy(call, account)
    return {"Policy": describe_policy(policy), "DefaultPolicyVersion": _described(policy.default, policy)}


def _delete(call: Call, account: Account) -> Answer:
    with account.lock:
        policy = _custom(call, account)
        for kind, owners in (("Role", account.roles), ("User", account.users)):
            if any(policy in owner.attached.values() for owner in owners.values()):
                text = f"The policy CAN NOT been attached to any {kind.lower()} while deleting the policy."
                raise ServiceError(f"DeleteConflict.Policy.{kind}", text, 409)
        if len(policy.versions) > 1:
            text = "The policy CAN NOT has any version except the default version."
            raise ServiceError("DeleteConflict.Policy.Version", text, 409)
        del account.custom_policies[policy.name]
    return {}


def _create_version(call: Call, account: Account) -> Answer:
    rotate = call.parameters.get("RotateStrategy") == ROTATING
    default = call.parameters.get("SetAsDefault", "false").lower() == "true"
    with account.lock:
        policy = _custom(call, account)
        try:
            version = policy.add(_document(call), call.at, default=default, rotate=rotate)
        except TooManyVersionsError:
            text = "The count of policy version beyond the current limits."
            raise ServiceError("LimitExceeded.Policy.Version", text, 409) from None
        described = _described(version, policy)
    del described["PolicyDocument"]
    return {"PolicyVersion": described}


def _get_version(call: Call, account: Account) -> Answer:
    policy = find_policy(call, account)
    return {"PolicyVersion": _described(_version(call, policy), policy)}


def _list_versions(call: Call, account: Account) -> Answer:
    policy = find_policy(call, account)
    return {"PolicyVersions": {"PolicyVersion": [_described(one, policy) for one in policy.versions.values()]}}


def _set_default(call: Call, account: Account) -> Answer:
    with account.lock:
        policy = _custom(call, account)
        policy.default_id = _version(call, policy).version_id
    return {}


def _delete_version(call: Call, account: Account) -> Answer:
    with account.lock:
        policy = _custom(call, account)
        version = _version(call, policy)
        if version is policy.default:
            text = "The default policy version CAN NOT been deleted directly."
            raise ServiceError("DeleteConflict.Policy.Version.Default", text, 409)
        del policy.versions[version.version_id]
    return {}


def _custom(call: Call, account: Account) -> Policy:
    name = call.required("PolicyName")
    permit(call, account, f"policy/{name}")
    policy = account.custom_policies.get(name)
    if policy is None:
        raise _no_policy(name)
    return policy


def _version(call: Call, policy: Policy) -> PolicyVersion:
    version_id = call.required("VersionId")
    if _VERSION_ID.fullmatch(version_id) is None:
        text = 'The format of the parameter - "VersionId" is incorrect.'
        raise ServiceError("InvalidParameter.VersionId.Format", text)
    if version_id not in policy.versions:
        raise ServiceError("EntityNotExist.Policy.Version", "The policy version does not exist.", 404)
    return policy.versions[version_id]


def _document(call: Call) -> Document:
    return parsed_document(call.required("PolicyDocument"), "PolicyDocument", MAX_POLICY_CHARACTERS, parse_policy)


def _described(version: PolicyVersion, policy: Policy) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version is policy.default,
        "PolicyDocument": json.dumps(version.document),
        "CreateDate": utc(version.created_at),
    }


def _no_policy(name: str) -> ServiceError:
    return ServiceError("EntityNotExist.Policy", f"The policy does not exist: {name}.", 404)
