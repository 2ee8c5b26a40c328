"""Versions of custom policies, and the grammar and sizes that RAM accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing.account.policy_grammar import parse_policy, parse_trust_policy
from ramrole_creds.testing.account.ram_policy import allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud
    from tests.testing.conftest import Answer

    Api = Callable[..., Answer]

ROTATING = {"RotateStrategy": "DeleteOldestNonDefaultVersionWhenLimitExceeded"}


def document(action: str) -> str:
    return json.dumps(allow(action))


@pytest.fixture
def policy(ram: Api) -> Api:
    """Calls an API of RAM on the policy `logs`, whose first version allows `oss:GetObject`."""
    assert ram("CreatePolicy", PolicyName="logs", PolicyDocument=document("oss:GetObject")).status == 200
    return lambda action, **parameters: ram(action, PolicyName="logs", **parameters)


def versions(policy: Api) -> list[tuple[str, bool]]:
    listed = policy("ListPolicyVersions", PolicyType="Custom").json["PolicyVersions"]["PolicyVersion"]
    return [(one["VersionId"], one["IsDefaultVersion"]) for one in listed]


def test_each_version_is_kept_and_one_is_the_default(policy: Api) -> None:
    added = policy("CreatePolicyVersion", PolicyDocument=document("oss:PutObject")).json["PolicyVersion"]
    assert (added["VersionId"], added["IsDefaultVersion"]) == ("v2", False)
    assert versions(policy) == [("v1", True), ("v2", False)]
    second = policy("GetPolicyVersion", PolicyType="Custom", VersionId="v2").json["PolicyVersion"]
    assert json.loads(second["PolicyDocument"]) == allow("oss:PutObject")
    found = policy("GetPolicy", PolicyType="Custom").json
    assert found["Policy"]["DefaultVersion"] == found["DefaultPolicyVersion"]["VersionId"] == "v1"


def test_only_the_default_version_counts_and_a_change_binds_at_once(cloud: FakeCloud, policy: Api) -> None:
    cloud.set_policies("web", ["logs"])
    session = cloud.instance.credentials("web", cloud.clock.time())
    assert session is not None
    policy("CreatePolicyVersion", PolicyDocument=document("oss:PutObject"))
    assert session.allows("oss:GetObject")
    assert not session.allows("oss:PutObject")
    assert policy("SetDefaultPolicyVersion", VersionId="v2").status == 200
    assert session.allows("oss:PutObject")
    assert not session.allows("oss:GetObject")
    assert versions(policy) == [("v1", False), ("v2", True)]


def test_a_sixth_version_is_refused_or_takes_the_place_of_the_oldest(policy: Api) -> None:
    for number in range(2, 6):
        assert policy("CreatePolicyVersion", PolicyDocument=document(f"oss:Get{number}")).status == 200
    sixth = {"PolicyDocument": document("oss:PutObject"), "SetAsDefault": "true"}
    refused = policy("CreatePolicyVersion", **sixth)
    assert (refused.status, refused.json["Code"]) == (409, "LimitExceeded.Policy.Version")
    assert policy("CreatePolicyVersion", **sixth, **ROTATING).json["PolicyVersion"]["VersionId"] == "v6"
    assert versions(policy) == [("v1", False), ("v3", False), ("v4", False), ("v5", False), ("v6", True)]


def test_the_default_version_is_deleted_with_the_policy_only(policy: Api) -> None:
    policy("CreatePolicyVersion", PolicyDocument=document("oss:PutObject"))
    default = policy("DeletePolicyVersion", VersionId="v1")
    assert (default.status, default.json["Code"]) == (409, "DeleteConflict.Policy.Version.Default")
    assert policy("DeletePolicy").json["Code"] == "DeleteConflict.Policy.Version"
    assert policy("DeletePolicyVersion", VersionId="v2").status == 200
    third = policy("CreatePolicyVersion", PolicyDocument=document("oss:PutObject")).json["PolicyVersion"]
    assert third["VersionId"] == "v3", "the number of a deleted version is not used again"
    policy("DeletePolicyVersion", VersionId="v3")
    assert policy("DeletePolicy").status == 200


@pytest.mark.parametrize(
    ("action", "version", "status", "code"),
    [
        ("GetPolicyVersion", "v9", 404, "EntityNotExist.Policy.Version"),
        ("GetPolicyVersion", "2", 400, "InvalidParameter.VersionId.Format"),
        ("SetDefaultPolicyVersion", "v9", 404, "EntityNotExist.Policy.Version"),
        ("DeletePolicyVersion", "latest", 400, "InvalidParameter.VersionId.Format"),
        ("DeletePolicyVersion", "", 400, "MissingVersionId"),
    ],
)
def test_a_version_that_does_not_exist_is_refused(
    policy: Api, action: str, version: str, status: int, code: str
) -> None:
    answer = policy(action, PolicyType="Custom", VersionId=version)
    assert (answer.status, answer.json["Code"]) == (status, code)


def test_a_system_policy_has_one_version(ram: Api) -> None:
    named = {"PolicyName": "ReadOnlyAccess", "PolicyType": "System"}
    listed = ram("ListPolicyVersions", **named).json["PolicyVersions"]["PolicyVersion"]
    assert [one["VersionId"] for one in listed] == ["v1"]
    assert ram("GetPolicyVersion", **named, VersionId="v1").status == 200
    assert ram("GetPolicyVersion", **named, VersionId="v2").json["Code"] == "EntityNotExist.Policy.Version"
    gone = ram("DeletePolicyVersion", PolicyName="ReadOnlyAccess", VersionId="v1")
    assert gone.json["Code"] == "EntityNotExist.Policy"


def test_a_policy_that_is_attached_cannot_be_deleted(cloud: FakeCloud, policy: Api) -> None:
    cloud.set_policies("web", ["logs"])
    assert policy("DeletePolicy").json["Code"] == "DeleteConflict.Policy.Role"
    cloud.set_policies("web", [])
    cloud.add_user("ann", policies=["logs"])
    assert policy("DeletePolicy").json["Code"] == "DeleteConflict.Policy.User"


def test_a_policy_that_is_put_from_a_test_keeps_five_versions(cloud: FakeCloud, ram: Api) -> None:
    for number in range(7):
        cloud.account.put_policy("mine", allow(f"oss:Get{number}"))
    listed = ram("ListPolicyVersions", PolicyName="mine", PolicyType="Custom").json["PolicyVersions"]["PolicyVersion"]
    assert [one["VersionId"] for one in listed] == ["v3", "v4", "v5", "v6", "v7"]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a" * 129, document("oss:*"), "InvalidParameter.PolicyName.Length"),
        ("a_b", document("oss:*"), "InvalidParameter.PolicyName.InvalidChars"),
        ("é", document("oss:*"), "InvalidParameter.PolicyName.InvalidChars"),
        ("big", document("oss:" + "x" * 6144), "InvalidParameter.PolicyDocument.Length"),
        ("bad", "{", "MalformedPolicyDocument"),
        ("bad", '{"Version": "1", "Statement": []}', "MalformedPolicyDocument"),
        ("bad", document("GetObject"), "MalformedPolicyDocument"),
    ],
)
def test_names_documents_and_sizes_are_those_of_ram(ram: Api, name: str, text: str, code: str) -> None:
    answer = ram("CreatePolicy", PolicyName=name, PolicyDocument=text)
    assert (answer.status, answer.json["Code"]) == (400, code)


def test_the_refusal_of_a_document_names_the_place(ram: Api) -> None:
    answer = ram("CreatePolicy", PolicyName="bad", PolicyDocument=document("GetObject"))
    assert "Statement[0]: 'GetObject' is not an action" in answer.json["Message"]


def trust(**elements: object) -> dict[str, Any]:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": ["ecs.aliyuncs.com"]},
        **elements,
    }
    return {"Version": "1", "Statement": [{name: value for name, value in statement.items() if value is not None}]}


NOT_TRUST = [
    (trust(Principal=None), "has a Principal"),
    (trust(Principal=None, Resource="*"), "a trust policy has no Resource"),
    (trust(Resource="*"), "a trust policy has no Resource"),
    (trust(NotAction="sts:AssumeRole"), "a trust policy has no NotAction"),
    (trust(Principal="*"), "has a Principal"),
    (trust(Principal={}), "has a Principal"),
    (trust(Principal={"RAM": []}), "'RAM' is not a kind of Principal with names"),
    (trust(Principal={"Services": ["ecs.aliyuncs.com"]}), "did you mean 'Service'?"),
    (trust(Action="oss:GetObject"), 'the Action of a trust policy is "sts:AssumeRole"'),
    (trust(Action=None), 'the Action of a trust policy is "sts:AssumeRole"'),
    (trust(Effect="Permit"), 'the Effect is "Allow" or "Deny"'),
    (trust(Condition={"StringEqual": {"k": "v"}}), "did you mean 'StringEquals'?"),
]


@pytest.mark.parametrize(("document", "problem"), NOT_TRUST, ids=[str(number) for number in range(len(NOT_TRUST))])
def test_a_trust_policy_names_principals_and_no_resources(
    cloud: FakeCloud, ram: Api, document: dict[str, Any], problem: str
) -> None:
    answer = ram("CreateRole", RoleName="new", AssumeRolePolicyDocument=json.dumps(document))
    assert (answer.status, answer.json["Code"]) == (400, "MalformedPolicyDocument")
    assert problem in answer.json["Message"]
    update = ram("UpdateRole", RoleName="web", NewAssumeRolePolicyDocument=json.dumps(document))
    assert update.json["Code"] == "MalformedPolicyDocument"
    with pytest.raises(ValueError, match=r"Statement\[0\]"):
        cloud.add_role("new", trust=document)


def test_an_identity_policy_names_no_principal() -> None:
    with pytest.raises(ValueError, match="only a trust policy has a Principal"):
        parse_policy(trust())
    assert parse_trust_policy(json.dumps(trust()))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"RoleName": "a" * 65}, "InvalidParameter.RoleName.Length"),
        ({"RoleName": "a b"}, "InvalidParameter.RoleName.InvalidChars"),
        ({"AssumeRolePolicyDocument": " " * 2049}, "InvalidParameter.AssumeRolePolicyDocument.Length"),
    ],
)
def test_names_and_sizes_of_roles_are_those_of_ram(ram: Api, parameters: dict[str, str], code: str) -> None:
    answer = ram("CreateRole", **{"RoleName": "new", "AssumeRolePolicyDocument": json.dumps(trust()), **parameters})
    assert (answer.status, answer.json["Code"]) == (400, code)
