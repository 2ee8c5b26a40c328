"""`ramrole-creds role`: roles of instances from the shell, any number of times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.account.ram_policy import allow
from ramrole_creds.testing.clocks import TickingClock
from tests.cli.invoke import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

FIRST = "i-first"
POLICY = "AliyunOSSReadOnlyAccess"


@pytest.fixture
def cloud(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """An account with two instances without a role, and an administrator's key in the environment."""
    with FakeCloud(role=None, clock=TickingClock(), instance_id=FIRST) as running:
        running.add_instance("i-second")
        key = running.access_key()
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.access_key_id)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.access_key_secret)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


def role(cloud: FakeCloud, *arguments: str) -> Result:
    shared = ("--region", "cn-hangzhou", "--ecs-endpoint", cloud.url, "--ram-endpoint", cloud.url)
    return run("role", *arguments, *shared)


def test_a_role_is_created_attached_and_described(cloud: FakeCloud) -> None:
    assert role(cloud, "create", "web", "--policy", POLICY).exit_code == 0
    assert role(cloud, "attach", "web", "--instance", FIRST).exit_code == 0
    assert role(cloud, "describe", "--instance", FIRST, "--instance", "i-second").output == f"{FIRST}  web\ni-second\n"
    assert json.loads(role(cloud, "describe", "--name", "web", "--json").output) == [{"instance": FIRST, "role": "web"}]
    assert [one["name"] for one in json.loads(role(cloud, "list", "--json").output)] == ["web"]


def test_everything_may_be_repeated(cloud: FakeCloud) -> None:
    for arguments in (
        ("create", "web", "--policy", POLICY),
        ("attach", "web", "--instance", FIRST),
        ("detach", "web", "--instance", FIRST),
        ("delete", "web"),
    ):
        assert role(cloud, *arguments).exit_code == 0
        again = role(cloud, *arguments)
        assert again.exit_code == 0, again.output
        assert "Nothing to do." in again.output


def test_a_policy_that_an_existing_role_lacks_is_added(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    result = role(cloud, "create", "web", "--policy", POLICY, "--json")
    assert json.loads(result.output)["calls"] == [
        f"AttachPolicyToRole RoleName=web PolicyType=System PolicyName={POLICY}"
    ]
    assert ("System", POLICY) in cloud.role("web").policies


def test_a_dry_run_prints_the_calls_and_makes_none(cloud: FakeCloud) -> None:
    result = role(cloud, "create", "web", "--policy", POLICY, "--dry-run")
    assert result.output.splitlines() == [
        "would call: CreateRole RoleName=web (trusts ecs.aliyuncs.com)",
        f"would call: AttachPolicyToRole RoleName=web PolicyType=System PolicyName={POLICY}",
    ]
    assert cloud.account.role("web") is None
    assert json.loads(role(cloud, "create", "web", "--dry-run", "--json").output)["dry_run"] is True


def test_an_instance_has_one_role_unless_it_is_replaced(cloud: FakeCloud) -> None:
    for name in ("web", "db"):
        role(cloud, "create", name)
    role(cloud, "attach", "web", "--instance", FIRST)
    refused = role(cloud, "attach", "db", "--instance", FIRST)
    assert refused.exit_code == 1
    assert f"An instance can have only one role: {FIRST} has web." in refused.output
    assert role(cloud, "attach", "db", "--instance", FIRST, "--replace").exit_code == 0
    assert role(cloud, "describe", "--instance", FIRST).output == f"{FIRST}  db\n"


def test_a_role_is_not_detached_for_one_that_cannot_be_attached(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    role(cloud, "attach", "web", "--instance", FIRST)
    cloud.add_role("pod", trust=cloud.oidc.trust("system:serviceaccount:shop:web"))
    for name, said in (("nobody", "does not exist"), ("pod", "does not name ecs.aliyuncs.com")):
        refused = role(cloud, "attach", name, "--instance", FIRST, "--replace")
        assert refused.exit_code == 1
        assert f"The role '{name}'" in refused.output
        assert said in refused.output
    assert role(cloud, "describe", "--instance", FIRST).output == f"{FIRST}  web\n"


def test_a_replacement_that_is_refused_gives_the_former_role_back(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("web", "db"):
        role(cloud, "create", name)
    role(cloud, "attach", "web", "--instance", FIRST)
    web = f"acs:ram:*:{cloud.account.account_id}:role/web"
    key = cloud.access_key(
        cloud.add_user("ops", policies=[allow("ecs:*", "ram:GetRole"), allow("ram:PassRole", resource=web)])
    )
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.access_key_secret)
    refused = role(cloud, "attach", "db", "--instance", FIRST, "--replace")
    assert refused.exit_code == 1
    assert "ram:PassRole" in refused.output
    assert f"is attached again: {FIRST} has web." in refused.output
    assert role(cloud, "describe", "--instance", FIRST).output == f"{FIRST}  web\n"


def test_an_instance_that_is_named_twice_is_attached_once(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    result = role(cloud, "attach", "web", "--instance", FIRST, "--instance", FIRST)
    assert result.output == f"called: AttachInstanceRamRole InstanceIds={FIRST} RamRoleName=web\n"


def test_a_role_that_instances_have_is_not_deleted(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    role(cloud, "attach", "web", "--instance", FIRST)
    refused = role(cloud, "delete", "web")
    assert refused.exit_code == 1
    assert f"ramrole-creds role detach web --instance {FIRST}" in refused.output
    assert cloud.account.role("web") is not None


def test_the_limits_are_explained_when_they_are_hit(cloud: FakeCloud) -> None:
    cloud.add_instance("i-classic", network_type="classic")
    role(cloud, "create", "web")
    assert "Only instances in a VPC can have a role" in role(cloud, "attach", "web", "--instance", "i-classic").output
    cloud.add_role(
        "mine",
        trust={
            "Version": "1",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": ["acs:ram::1:root"]}}],
        },
    )
    refused = role(cloud, "create", "mine")
    assert refused.exit_code == 1
    assert "does not name the service ecs.aliyuncs.com" in refused.output
    assert "must name the service" in role(cloud, "attach", "mine", "--instance", FIRST).output


def test_the_audit_lists_instances_whose_role_is_missing_or_does_not_fit(cloud: FakeCloud) -> None:
    for number in range(110):
        cloud.add_instance(f"i-{number:03}")
    role(cloud, "create", "web")
    role(cloud, "attach", "web", "--instance", FIRST)
    cloud.role("web").trust = {"Version": "1", "Statement": []}
    result = role(cloud, "audit", "--json")
    assert result.exit_code == 1
    problems = {row["instance"]: row["problem"] for row in json.loads(result.output)}
    assert problems.pop(FIRST) == "the trust policy of its role web does not name ecs.aliyuncs.com"
    assert set(problems.values()) == {"has no role"}
    assert len(problems) == 111


def test_the_audit_of_instances_that_are_fine_is_empty(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    role(cloud, "attach", "web", "--instance", FIRST)
    result = role(cloud, "audit", "--instance", FIRST)
    assert (result.exit_code, result.output) == (0, "")


def test_a_refusal_is_reported_in_a_line(cloud: FakeCloud) -> None:
    refused = role(cloud, "attach", "no-such-role", "--instance", FIRST)
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: AttachInstanceRamRole at ")
    assert "There is no role of that name" in refused.output


def test_describing_nothing_is_a_usage_error(cloud: FakeCloud) -> None:
    assert role(cloud, "describe").exit_code == 2


def test_rows_that_cannot_be_read_are_an_error_in_a_line(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another")
    refused = role(cloud, "describe", "--instance", FIRST)
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: DescribeInstanceRamRole at ")


def test_the_audit_lists_an_instance_whose_role_was_deleted(cloud: FakeCloud) -> None:
    role(cloud, "create", "web")
    role(cloud, "attach", "web", "--instance", FIRST)
    cloud.account.delete_role("web")
    result = role(cloud, "audit", "--instance", FIRST, "--json")
    assert result.exit_code == 1
    assert [row["problem"] for row in json.loads(result.output)] == ["its role web does not exist"]
