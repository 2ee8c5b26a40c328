"""The RAM and ECS calls that create, attach and detach roles, with the real services' errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing.account.ram_policy import allow
from ramrole_creds.testing.services.instance import INSTANCE_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud, IssuedCredentials
    from tests.testing.conftest import Answer

    Api = Callable[..., Answer]

ROLES = "/latest/meta-data/ram/security-credentials/"
TRUST_ECS = json.dumps(
    {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs.aliyuncs.com"]}}],
    }
)
TRUST_FC = TRUST_ECS.replace("ecs.", "fc.")
READ_OSS = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:GetObject", "Resource": "*"}]}'
IDS = json.dumps([INSTANCE_ID])


@pytest.fixture
def ecs(call: Api, admin: IssuedCredentials) -> Api:
    return lambda action, **parameters: call(admin, action, "2014-05-26", RegionId="cn-hangzhou", **parameters)


def test_a_role_is_made_attached_used_detached_and_deleted(
    cloud: FakeCloud, ram: Api, ecs: Api, call: Api, ask: Callable[..., Answer]
) -> None:
    cloud.detach_role()
    made = ram("CreateRole", RoleName="Backup", AssumeRolePolicyDocument=TRUST_ECS, Description="d")
    assert made.json["Role"]["Arn"] == "acs:ram::1234567890123456:role/backup"
    assert ram("CreatePolicy", PolicyName="read-oss", PolicyDocument=READ_OSS).status == 200
    attach = {"RoleName": "Backup", "PolicyType": "Custom", "PolicyName": "read-oss"}
    assert ram("AttachPolicyToRole", **attach).status == 200
    listed = ram("ListPoliciesForRole", RoleName="Backup").json["Policies"]["Policy"]
    assert [one["PolicyName"] for one in listed] == ["read-oss"]

    attached = ecs("AttachInstanceRamRole", RamRoleName="Backup", InstanceIds=IDS).json
    assert (attached["TotalCount"], attached["FailCount"]) == (1, 0)
    row = attached["AttachInstanceRamRoleResults"]["AttachInstanceRamRoleResult"][0]
    assert row == {"InstanceId": INSTANCE_ID, "Success": True, "Code": "200", "Message": "success"}
    assert ask(ROLES).text == "Backup"
    issued = cloud.instance.credentials("Backup", cloud.clock.time())
    assert issued is not None
    assert issued.allows("oss:GetObject")
    assert not issued.allows("oss:PutObject")

    found = ecs("DescribeInstanceRamRole", InstanceIds=IDS).json
    assert found["InstanceRamRoleSets"]["InstanceRamRoleSet"] == [{"InstanceId": INSTANCE_ID, "RamRoleName": "Backup"}]
    assert ram("DeleteRole", RoleName="Backup").json["Code"] == "DeleteConflict.Role.Policy"
    assert ram("DetachPolicyFromRole", **attach).status == 200
    assert not issued.allows("oss:GetObject")
    assert ecs("DetachInstanceRamRole", RamRoleName="Backup", InstanceIds=IDS).json["FailCount"] == 0
    assert ask(ROLES).status == 404
    assert call(issued, "GetCallerIdentity").status == 200
    assert ram("DeleteRole", RoleName="Backup").status == 200
    assert call(issued, "GetCallerIdentity").status == 404
    assert ram("DeletePolicy", PolicyName="read-oss").status == 200


def test_attaching_and_detaching_take_the_propagation_delay(
    cloud: FakeCloud, ecs: Api, ask: Callable[..., Answer]
) -> None:
    cloud.propagation_delay = 60
    assert ecs("DetachInstanceRamRole", InstanceIds=IDS).json["FailCount"] == 0
    assert ask(ROLES).text == "web"
    assert ecs("AttachInstanceRamRole", RamRoleName="web", InstanceIds=IDS).json["FailCount"] == 0
    cloud.clock.advance(60)
    assert ask(ROLES).text == "web"


def test_an_instance_policy_narrows_the_role(cloud: FakeCloud, ecs: Api) -> None:
    cloud.detach_role()
    assert ecs("AttachInstanceRamRole", RamRoleName="web", InstanceIds=IDS, Policy=READ_OSS).json["FailCount"] == 0
    issued = cloud.instance.credentials("web", cloud.clock.time())
    assert issued is not None
    assert issued.allows("oss:GetObject")
    assert not issued.allows("oss:DeleteObject")


def test_one_instance_may_fail_while_another_succeeds(cloud: FakeCloud, ecs: Api) -> None:
    cloud.add_instance("i-second")
    answer = ecs("AttachInstanceRamRole", RamRoleName="web", InstanceIds=json.dumps([INSTANCE_ID, "i-second"])).json
    rows = answer["AttachInstanceRamRoleResults"]["AttachInstanceRamRoleResult"]
    assert [row["Success"] for row in rows] == [False, True]
    assert (answer["TotalCount"], answer["FailCount"]) == (2, 1)
    both = ecs("DescribeInstanceRamRole", RamRoleName="web", PageSize="1", PageNumber="2").json
    assert both["TotalCount"] == 2
    assert len(both["InstanceRamRoleSets"]["InstanceRamRoleSet"]) == 1


@pytest.mark.parametrize(
    ("action", "parameters", "status", "code"),
    [
        ("AttachInstanceRamRole", {"InstanceIds": IDS}, 400, "MissingRamRoleName"),
        ("AttachInstanceRamRole", {"RamRoleName": "web", "InstanceIds": "i-1"}, 400, "InvalidInstanceIds.Malformed"),
        ("AttachInstanceRamRole", {"RamRoleName": "web", "InstanceIds": "[]"}, 400, "InvalidInstanceIds.Malformed"),
        ("AttachInstanceRamRole", {"RamRoleName": "web", "InstanceIds": '["i-x"]'}, 404, "InvalidInstanceId.NotFound"),
        ("AttachInstanceRamRole", {"RamRoleName": "nobody", "InstanceIds": IDS}, 404, "InvalidRamRole.NotFound"),
        ("AttachInstanceRamRole", {"RamRoleName": "fc", "InstanceIds": IDS}, 404, "InvalidRamRole.NotEcsRole"),
        (
            "AttachInstanceRamRole",
            {"RamRoleName": "web", "InstanceIds": '["i-classic"]'},
            403,
            "InvalidNetworkType.MismatchRamRole",
        ),
        (
            "AttachInstanceRamRole",
            {"RamRoleName": "web", "InstanceIds": IDS, "Policy": "{"},
            400,
            "InvalidPolicy.Malformed",
        ),
        (
            "AttachInstanceRamRole",
            {"RamRoleName": "web", "InstanceIds": IDS, "Policy": json.dumps(allow("oss:" + "x" * 1024))},
            400,
            "InvalidPolicy.Malformed",
        ),
        ("DescribeInstanceRamRole", {}, 403, "InvalidParameter.AllEmpty"),
        ("DescribeInstanceRamRole", {"RamRoleName": "web", "PageSize": "many"}, 400, "InvalidPageSize"),
        (
            "ModifyInstanceMetadataOptions",
            {"InstanceId": INSTANCE_ID, "HttpTokens": "maybe"},
            400,
            "InvalidHttpTokens.NotSupported",
        ),
    ],
)
def test_ecs_refuses(
    cloud: FakeCloud, ecs: Api, action: str, parameters: dict[str, str], status: int, code: str
) -> None:
    cloud.add_instance("i-classic", network_type="classic")
    cloud.add_role("fc", trust=TRUST_FC)
    answer = ecs(action, **parameters)
    assert (answer.status, answer.json["Code"]) == (status, code)


def test_attaching_needs_the_permission_to_pass_the_role(cloud: FakeCloud, call: Api) -> None:
    operator = cloud.access_key(cloud.add_user("operator", policies=["AliyunECSFullAccess"]))
    answer = call(operator, "AttachInstanceRamRole", "2014-05-26", RamRoleName="web", InstanceIds=IDS)
    assert (answer.status, answer.json["Code"]) == (403, "InvalidUser.PassRoleForbidden")


def test_metadata_options_switch_the_service(cloud: FakeCloud, ecs: Api, ask: Callable[..., Answer]) -> None:
    assert ecs("ModifyInstanceMetadataOptions", InstanceId=INSTANCE_ID, HttpTokens="required").status == 200
    assert (cloud.mode, ask(ROLES).status) == ("hardened", 403)
    options = {"InstanceId": INSTANCE_ID, "HttpTokens": "optional", "HttpEndpoint": "disabled"}
    assert ecs("ModifyInstanceMetadataOptions", **options).status == 200
    assert (cloud.mode, ask(ROLES).status) == ("normal", 403)


@pytest.mark.parametrize(
    ("action", "parameters", "status", "code"),
    [
        ("CreateRole", {"RoleName": "web", "AssumeRolePolicyDocument": TRUST_ECS}, 409, "EntityAlreadyExists.Role"),
        ("CreateRole", {"RoleName": "new"}, 400, "MissingAssumeRolePolicyDocument"),
        (
            "CreateRole",
            {"RoleName": "new", "AssumeRolePolicyDocument": "no"},
            400,
            "MalformedPolicyDocument",
        ),
        (
            "CreateRole",
            {"RoleName": "a/b", "AssumeRolePolicyDocument": TRUST_ECS},
            400,
            "InvalidParameter.RoleName.InvalidChars",
        ),
        (
            "CreateRole",
            {"RoleName": "new", "AssumeRolePolicyDocument": TRUST_ECS, "MaxSessionDuration": "60"},
            400,
            "InvalidParameter.MaxSessionDuration",
        ),
        ("GetRole", {"RoleName": "nobody"}, 404, "EntityNotExist.Role"),
        ("GetPolicy", {"PolicyName": "none", "PolicyType": "Custom"}, 404, "EntityNotExist.Policy"),
        ("GetPolicy", {"PolicyName": "none", "PolicyType": "Other"}, 400, "InvalidParameter.PolicyType"),
        (
            "AttachPolicyToRole",
            {"RoleName": "web", "PolicyType": "System", "PolicyName": "AdministratorAccess"},
            409,
            "EntityAlreadyExists.Role.Policy",
        ),
        (
            "DetachPolicyFromRole",
            {"RoleName": "web", "PolicyType": "System", "PolicyName": "ReadOnlyAccess"},
            404,
            "EntityNotExist.Role.Policy",
        ),
        ("DeletePolicy", {"PolicyName": "none"}, 404, "EntityNotExist.Policy"),
    ],
)
def test_ram_refuses(ram: Api, action: str, parameters: dict[str, str], status: int, code: str) -> None:
    answer = ram(action, **parameters)
    assert (answer.status, answer.json["Code"]) == (status, code)


def test_roles_are_found_listed_and_updated(cloud: FakeCloud, ram: Api) -> None:
    cloud.add_role("other")
    names = [role["RoleName"] for role in ram("ListRoles").json["Roles"]["Role"]]
    assert names == ["other", "web"]
    update = {"RoleName": "web", "NewAssumeRolePolicyDocument": TRUST_FC, "NewMaxSessionDuration": "43200"}
    assert ram("UpdateRole", **update).json["Role"]["MaxSessionDuration"] == 43200
    assert "fc.aliyuncs.com" in ram("GetRole", RoleName="web").json["Role"]["AssumeRolePolicyDocument"]
    assert ram("GetPolicy", PolicyName="ReadOnlyAccess", PolicyType="System").status == 200


@pytest.mark.parametrize("action", ["AttachPolicyToRole", "DetachPolicyFromRole"])
@pytest.mark.parametrize("missing", ["role/web", "policy/ReadOnlyAccess"])
def test_attaching_and_detaching_need_the_role_and_the_policy(
    cloud: FakeCloud, call: Api, action: str, missing: str
) -> None:
    named = {"RoleName": "web", "PolicyType": "System", "PolicyName": "ReadOnlyAccess"}
    if action == "DetachPolicyFromRole":
        cloud.set_policies("web", ["ReadOnlyAccess"])
    resources = [f"acs:ram:*:*:{one}" for one in ("role/web", "policy/ReadOnlyAccess") if one != missing]
    statement = {"Effect": "Allow", "Action": "ram:*", "Resource": resources}
    operator = cloud.add_user("operator", policies=[{"Version": "1", "Statement": [statement]}])
    refused = call(cloud.access_key(operator), action, "2015-05-01", **named)
    assert (refused.status, refused.json["Code"]) == (403, "NoPermission")
    statement["Resource"] = ["acs:ram:*:*:role/web", "acs:ram:*:*:policy/ReadOnlyAccess"]
    assert call(cloud.access_key(operator), action, "2015-05-01", **named).status == 200


def test_a_role_takes_ten_custom_policies(ram: Api) -> None:
    codes = []
    for number in range(11):
        ram("CreatePolicy", PolicyName=f"p-{number}", PolicyDocument=READ_OSS)
        answer = ram("AttachPolicyToRole", RoleName="web", PolicyType="Custom", PolicyName=f"p-{number}")
        codes.append(answer.json.get("Code"))
    assert codes == [None] * 10 + ["LimitExceeded.Role.Policy"]


@pytest.mark.parametrize("action", ["CreateRole", "CreatePolicy"])
def test_an_account_takes_so_many_and_no_more(cloud: FakeCloud, ram: Api, action: str) -> None:
    for number in range(1500):
        cloud.account.put_policy(f"p-{number}", READ_OSS)
    for number in range(len(cloud.account.roles), 1000):
        cloud.add_role(f"r-{number}", policies=())
    documents = {"AssumeRolePolicyDocument": TRUST_ECS, "PolicyDocument": READ_OSS}
    refused = ram(action, RoleName="more", PolicyName="more", **documents)
    assert (refused.status, refused.json["Code"]) == (409, f"LimitExceeded.{action.removeprefix('Create')}")


@pytest.mark.parametrize(
    ("action", "parameter"),
    [("CreateRole", "Description"), ("UpdateRole", "NewDescription"), ("CreatePolicy", "Description")],
)
def test_a_description_has_a_length(ram: Api, action: str, parameter: str) -> None:
    documents = {"AssumeRolePolicyDocument": TRUST_ECS, "PolicyDocument": READ_OSS}
    name = "web" if action == "UpdateRole" else "new"
    refused = ram(action, RoleName=name, PolicyName=name, **documents, **{parameter: "x" * 1025})
    assert refused.json["Code"] == f"InvalidParameter.{parameter}.Length"
    assert ram(action, RoleName=name, PolicyName=name, **documents, **{parameter: "x" * 1024}).status == 200
