from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import EcsRamRoleProvider, StaticProvider
from ramrole_creds.roles import InstanceRoles, RoleApiError, trusts_ecs
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role=None) as cloud:
        cloud.add_instance("i-second")
        yield cloud


@pytest.fixture
def roles(cloud: FakeCloud) -> InstanceRoles:
    key = cloud.access_key()
    provider = StaticProvider(key.access_key_id, key.access_key_secret)
    return InstanceRoles(provider, "cn-hangzhou", ecs_endpoint=cloud.url, ram_endpoint=cloud.url, clock=cloud.clock)


def first_instance(cloud: FakeCloud) -> str:
    return next(iter(cloud.instances))


def test_a_role_is_made_attached_described_and_detached(cloud: FakeCloud, roles: InstanceRoles) -> None:
    made = roles.create("web", policies=["AliyunOSSReadOnlyAccess"], description="of the web servers")
    assert made.arn == cloud.role("web").arn
    instance = first_instance(cloud)
    roles.attach("web", [instance, "i-second"])
    assert roles.describe([instance]) == {instance: "web"}
    assert roles.describe(name="web") == {instance: "web", "i-second": "web"}
    issued = cloud.credential_store.lookup(
        EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials().access_key_id
    )
    assert issued is not None
    assert issued.allows("oss:GetObject", "x")
    assert not issued.allows("oss:PutObject", "x")
    roles.detach([instance, "i-second"])
    assert roles.describe([instance, "i-second"]) == {}


def test_what_fails_for_some_instances_names_them(cloud: FakeCloud, roles: InstanceRoles) -> None:
    roles.create("web")
    roles.create("other")
    roles.attach("other", ["i-second"])
    with pytest.raises(RoleApiError, match=r"i-second \(InvalidInstance.RamRoleExists\).*Detach") as raised:
        roles.attach("web", [first_instance(cloud), "i-second"])
    assert raised.value.code == "InvalidInstance.RamRoleExists"


def test_a_refusal_has_code_request_id_and_hint(roles: InstanceRoles) -> None:
    roles.create("web")
    with pytest.raises(RoleApiError, match="choose another name") as raised:
        roles.create("web")
    assert raised.value.code == "EntityAlreadyExists.Role"
    assert raised.value.request_id
    with pytest.raises(RoleApiError, match="no role"):
        roles.attach("nobody", ["i-second"])


def test_apis_that_do_not_answer_are_an_error() -> None:
    roles = InstanceRoles(StaticProvider("LTAI", "s"), "cn-hangzhou", ecs_endpoint="http://127.0.0.1:9")
    with pytest.raises(RoleApiError, match="refused"):
        roles.describe(["i-1"])


def test_a_role_api_that_cannot_be_reached_is_a_role_api_error(cloud: FakeCloud, roles: InstanceRoles) -> None:
    cloud.faults.add("ram", "reset")
    with pytest.raises(RoleApiError):
        roles.find("web")
    with pytest.raises(RoleApiError):
        roles.list_roles()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("{", id="malformed"),
        pytest.param("[]", id="list"),
        pytest.param('{"Statement": {}}', id="object"),
        pytest.param(None, id="absent"),
    ],
)
def test_a_trust_policy_that_cannot_be_read_answers_nothing(document: object) -> None:
    assert trusts_ecs(document) is None


def test_an_answer_that_is_no_json_is_a_role_api_error(cloud: FakeCloud, roles: InstanceRoles) -> None:
    cloud.faults.add("ram", "garbage-body")
    with pytest.raises(RoleApiError, match="Check the endpoint"):
        roles.list_roles()


@pytest.mark.parametrize("call", ["list_roles", "instances", "describe"])
def test_a_list_without_an_end_is_given_up(
    call: str, cloud: FakeCloud, roles: InstanceRoles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ramrole_creds.roles.MAX_PAGES", 5)
    endless = {"IsTruncated": True, "TotalCount": 10**12, "Roles": {"Role": []}}
    for number in range(9):
        document = {**endless, "Marker": f"m{number}", "NextToken": f"m{number}"}
        cloud.faults.add("*", 200, times=1, body=json.dumps(document))
    arguments = {"name": "web"} if call == "describe" else {}
    with pytest.raises(RoleApiError, match="more than 5 pages"):
        getattr(roles, call)(**arguments)
    assert len(cloud.requests) == 5


@pytest.mark.parametrize("call", ["list_roles", "instances"])
def test_a_list_that_repeats_a_page_is_given_up(call: str, cloud: FakeCloud, roles: InstanceRoles) -> None:
    cloud.faults.add("*", 200, body=json.dumps({"IsTruncated": True, "Marker": "again", "NextToken": "again"}))
    with pytest.raises(RoleApiError, match="repeats a page"):
        getattr(roles, call)()
    assert len(cloud.requests) == 2


def test_other_objects_in_an_answer_are_not_taken_for_its_rows(cloud: FakeCloud, roles: InstanceRoles) -> None:
    roles.create("web")
    rows = [{"InstanceId": "i-second", "Code": "Forbidden"}]
    answer = {"Page": {"Number": 1}, "AttachInstanceRamRoleResults": {"AttachInstanceRamRoleResult": rows}}
    cloud.faults.add("*", 200, body=json.dumps(answer))
    with pytest.raises(RoleApiError, match=r"i-second \(Forbidden\)"):
        roles.attach("web", ["i-second"])
