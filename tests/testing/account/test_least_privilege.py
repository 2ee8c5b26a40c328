"""The smallest policy for recorded calls: enough for them, and not one action or statement more."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds import signing
from ramrole_creds.testing import Access, Authorizer, UnusedPermission
from ramrole_creds.testing.account.access import JudgedAccess, condition_context
from ramrole_creds.testing.account.least_privilege import least_policy, missing_permissions, unused_permissions
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL, Decision, allow
from ramrole_creds.testing.services.instance import INSTANCE_ID
from tests.testing.services.conftest import Endpoints
from tests.testing.services.test_policies import CASES, Case, send
from tests.testing.services.test_policies import refused as denied

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing import FakeCloud, IssuedCredentials
    from ramrole_creds.testing.account.least_privilege import Width
    from tests.testing.conftest import Answer

OSS = signing.OSSV4("cn-hangzhou")
SLS = signing.SLSV4("cn-hangzhou")
MNS = signing.MNS()

Call = tuple[signing.Scheme, str, str]
names = st.sampled_from(["a", "b", "logs/1", "logs/2", "logs/x/y", "é", "a*", "q?"])
buckets = st.sampled_from(["one", "two"])
calls = st.one_of(
    st.tuples(st.just(OSS), st.sampled_from(["PUT", "GET", "DELETE"]), st.builds("/{}/{}".format, buckets, names)),
    st.tuples(st.just(OSS), st.just("GET"), buckets.map("/{}".format)),
    st.tuples(st.just(SLS), st.just("GET"), st.sampled_from(["/logstores", "/logstores/a", "/logstores/b/shards"])),
    st.tuples(st.just(MNS), st.sampled_from(["PUT", "GET", "DELETE"]), names.map("/queues/{}".format)),
    st.tuples(st.just(MNS), st.just("POST"), names.map("/topics/{}/messages".format)),
)


def refused(endpoints: Endpoints, call: Call) -> bool:
    scheme, method, path = call
    url = signing.Request(method, f"http://127.0.0.1:8080{path}").path
    host = "p.localhost:8080" if scheme is SLS else "127.0.0.1:8080"
    return endpoints.ask(scheme, method, url, host=host).status in (401, 403)


def recorded(made: list[Call], width: Width) -> tuple[Endpoints, dict[str, Any]]:
    endpoints = Endpoints()
    for call in made:
        assert not refused(endpoints, call)
    return endpoints, least_policy(endpoints.issuer.authorizer.judged(), width)


def smaller(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """The policy without one of its statements, and without one of its actions."""
    less = []
    for index, statement in enumerate(policy["Statement"]):
        without = copy.deepcopy(policy)
        del without["Statement"][index]
        less.append(without)
        for action in statement["Action"] if len(statement["Action"]) > 1 else ():
            without = copy.deepcopy(policy)
            without["Statement"][index]["Action"].remove(action)
            less.append(without)
    return less


@settings(max_examples=60, deadline=None)
@given(made=st.lists(calls, min_size=1, max_size=8), width=st.sampled_from(["exact", "prefix", "any"]))
def test_the_recorded_policy_is_enough_and_nothing_of_it_is_too_much(made: list[Call], width: Width) -> None:
    endpoints, policy = recorded(made, width)
    endpoints.policies[:] = [policy]
    assert not any(refused(endpoints, call) for call in made)
    for less in smaller(policy):
        endpoints.policies[:] = [less]
        assert any(refused(endpoints, call) for call in made), less


@settings(max_examples=60, deadline=None)
@given(
    made=st.lists(st.sampled_from(list(CASES.values())), min_size=1, max_size=8),
    width=st.sampled_from(["exact", "prefix", "any"]),
)
def test_it_holds_for_calls_of_all_services_together(made: list[Case], width: Width) -> None:
    endpoints = Endpoints()
    for case in made:
        send(endpoints, case)
    policy = least_policy(endpoints.issuer.authorizer.judged(), width)
    endpoints.policies[:] = [policy]
    assert not any(denied(send(endpoints, case)) for case in made)
    for less in smaller(policy):
        endpoints.policies[:] = [less]
        assert any(denied(send(endpoints, case)) for case in made), less


ROLE_CALLS = {
    "describe": ("2014-05-26", "DescribeInstances", {"RegionId": "cn-hangzhou"}),
    "attached": ("2014-05-26", "DescribeInstanceRamRole", {"InstanceIds": f'["{INSTANCE_ID}"]'}),
    "attach": ("2014-05-26", "AttachInstanceRamRole", {"RamRoleName": "job", "InstanceIds": f'["{INSTANCE_ID}"]'}),
    "roles": ("2015-05-01", "ListRoles", {}),
    "role": ("2015-05-01", "GetRole", {"RoleName": "job"}),
    "policy": ("2015-05-01", "GetPolicy", {"PolicyName": "ReadOnlyAccess", "PolicyType": "System"}),
    "of role": ("2015-05-01", "ListPoliciesForRole", {"RoleName": "job"}),
    "assume": ("2015-04-01", "AssumeRole", {"RoleArn": "acs:ram::1234567890123456:role/job", "RoleSessionName": "me"}),
}


@pytest.mark.parametrize("width", ["exact", "prefix", "any"])
@pytest.mark.parametrize(
    "names",
    [*([one] for one in ROLE_CALLS), list(ROLE_CALLS)],
    ids=lambda names: names[0] if len(names) == 1 else "all",
)
def test_it_holds_for_sts_ram_and_ecs(
    cloud: FakeCloud, call: Callable[..., Answer], names: list[str], width: Width
) -> None:
    cloud.add_role("job")
    caller = cloud.access_key(cloud.add_user("operator"))

    def refused(name: str) -> bool:
        version, action, parameters = ROLE_CALLS[name]
        return call(caller, action, version, **parameters).json.get("Code") in {
            *("NoPermission", "InvalidUser.PassRoleForbidden", "Forbidden.RAM"),
        }

    assert not any(map(refused, names))
    policy = cloud.least_privilege("operator", resources=width)
    operator = cloud.account.owner("operator")
    cloud.account.set_policies(operator, [policy])
    assert not any(map(refused, names))
    for less in smaller(policy):
        cloud.account.set_policies(operator, [less])
        assert any(map(refused, names)), less


def test_each_role_has_a_policy_for_its_own_calls_and_a_chain_of_roles_has_both(
    cloud: FakeCloud, web: IssuedCredentials, call: Callable[..., Answer]
) -> None:
    cloud.add_role("job")
    arn = cloud.role("job").arn
    session = call(web, "AssumeRole", RoleArn=arn, RoleSessionName="me").json["Credentials"]
    job = cloud.credential_store.lookup(session["AccessKeyId"])
    assert job is not None
    assert call(job, "ListRoles", "2015-05-01").status == 200
    assert call(job, "GetCallerIdentity").status == 200
    assert cloud.least_privilege("web")["Statement"] == [
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": ["acs:ram:*:*:role/job"]}
    ]
    assert cloud.least_privilege("job")["Statement"] == [
        {"Effect": "Allow", "Action": ["ram:ListRoles"], "Resource": ["acs:ram:*:*:role/*"]}
    ]


@settings(max_examples=30, deadline=None)
@given(made=st.lists(calls, min_size=1, max_size=6))
def test_each_resource_of_an_exact_policy_is_needed(made: list[Call]) -> None:
    endpoints, policy = recorded(made, "exact")
    for index, statement in enumerate(policy["Statement"]):
        for resource in statement["Resource"] if len(statement["Resource"]) > 1 else ():
            without = copy.deepcopy(policy)
            without["Statement"][index]["Resource"].remove(resource)
            endpoints.policies[:] = [without]
            assert any(refused(endpoints, call) for call in made), resource


@pytest.mark.parametrize(
    ("width", "resources"),
    [
        ("exact", ["acs:oss:*:*:one/logs/1", "acs:oss:*:*:one/logs/x/y", "acs:oss:*:*:two/a"]),
        ("prefix", ["acs:oss:*:*:one/logs/*", "acs:oss:*:*:two/*"]),
        ("any", ["*"]),
    ],
)
def test_resources_are_named_as_narrowly_as_asked(width: Width, resources: list[str]) -> None:
    made: list[Call] = [(OSS, "PUT", f"/{path}") for path in ("one/logs/1", "one/logs/x/y", "two/a")]
    _, policy = recorded(made, width)
    assert policy == {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": ["oss:PutObject"], "Resource": resources}],
    }


@pytest.mark.parametrize(
    ("used", "resources"),
    [
        (["a*/b", "a/b", "ax/b", "b/b"], ["a*/b", "b/b"]),
        (["q?", "q1", "q12"], ["q12", "q?"]),
        (["a?*", "a*?"], ["a*?"]),
        (["*", "?", "abc"], ["*"]),
    ],
    ids=["inner", "one character", "each other", "more than its name"],
)
def test_a_name_with_a_wildcard_covers_others_since_it_cannot_be_escaped(used: list[str], resources: list[str]) -> None:
    granted = Decision.ALLOW
    accesses = [
        JudgedAccess("web", "AssumedRoleUser", "oss:GetObject", f"acs:oss:oss-cn-hangzhou:1:one/{name}", granted)
        for name in used
    ]
    policy = least_policy(accesses)
    assert policy["Statement"][0]["Resource"] == [f"acs:oss:*:*:one/{name}" for name in resources]
    assert missing_permissions(policy, accesses) == []


def test_actions_on_the_same_resources_share_a_statement() -> None:
    _, policy = recorded([(OSS, "PUT", "/one/a"), (OSS, "GET", "/one/a"), (OSS, "GET", "/one")], "exact")
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": ["oss:GetObject", "oss:PutObject"], "Resource": ["acs:oss:*:*:one/a"]},
        {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": ["acs:oss:*:*:one"]},
    ]


def test_an_unknown_width_is_refused() -> None:
    with pytest.raises(ValueError, match="resources='wide' is not known"):
        least_policy([], "wide")  # type: ignore[arg-type]  # what the test is about


def test_what_no_call_needed_is_named_by_policy_action_and_resource() -> None:
    endpoints, _ = recorded([(OSS, "GET", "/one/a")], "exact")
    asked = endpoints.issuer.authorizer.judged()
    wide = allow("oss:Get*", "oss:PutObject", "log:*")
    assert unused_permissions({"mine": wide, "all": ALLOW_ALL}, asked) == [
        UnusedPermission("mine", "log:*", "*"),
        UnusedPermission("mine", "oss:PutObject", "*"),
    ]


def statement(effect: str = "Allow", **elements: object) -> dict[str, Any]:
    return {"Version": "1", "Statement": [{"Effect": effect, **elements}]}


@pytest.mark.parametrize(
    ("policy", "unused"),
    [
        (statement(Action="oss:Get*", Resource="acs:oss:*:*:one/*"), []),
        (statement(Action="OSS:getobject", Resource="*"), []),
        (statement(Action="oss:Get*", Resource="acs:oss:*:*:two/*"), [("oss:Get*", "acs:oss:*:*:two/*")]),
        (statement(NotAction=["ram:*", "sts:*"], Resource="*"), []),
        (statement(NotAction=["oss:*", "ram:*"], Resource="*"), [("all but oss:*, ram:*", "*")]),
        (statement(Action="oss:*", NotResource="acs:oss:*:*:two/*"), []),
        (statement(Action="oss:*", NotResource="acs:oss:*:*:one/*"), [("oss:*", "all but acs:oss:*:*:one/*")]),
        (statement("Deny", Action="log:*", Resource="*"), []),
        (statement(Action="oss:GetObject", Resource="*", Condition={"Bool": {"acs:MFAPresent": "true"}}), []),
        (statement(Action=["oss:GetObject", "oss:?etObject"], Resource="*"), []),
    ],
    ids=["wildcard", "case", "elsewhere", "not", "not this", "not there", "not here", "deny", "condition", "two"],
)
def test_unused_permissions_of_statements_of_every_kind(policy: Any, unused: list[tuple[str, str]]) -> None:
    endpoints, _ = recorded([(OSS, "GET", "/one/a")], "exact")
    found = unused_permissions({"mine": policy}, endpoints.issuer.authorizer.judged())
    assert [(one.action, one.resource) for one in found] == unused


def test_a_cloud_that_runs_for_weeks_remembers_a_bounded_number_of_accesses() -> None:
    authorizer, caller = Authorizer(max_accesses=10), Endpoints().key
    for number in range(25):
        authorizer.judge(caller, Access("oss:GetObject", f"acs:oss:*:*:one/{number}"), 0)
    assert [one.resource.rpartition("/")[2] for one in authorizer.judged()] == [str(number) for number in range(15, 25)]


def test_what_a_policy_lacks_is_named_without_the_account_of_the_fake() -> None:
    endpoints, _ = recorded([(OSS, "GET", "/one/a"), (OSS, "GET", "/one")], "exact")
    asked = endpoints.issuer.authorizer.judged()
    assert missing_permissions(allow("oss:GetObject"), asked) == [("oss:ListObjects", "acs:oss:*:*:one")]
    assert missing_permissions(ALLOW_ALL, asked) == []


@pytest.mark.parametrize(
    ("effect", "condition", "context", "missing"),
    [
        ("Allow", {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}, {"acs:SourceIp": "127.0.0.1"}, False),
        ("Allow", {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}, {"acs:SourceIp": "203.0.113.9"}, False),
        ("Allow", {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}, {"acs:SourceIp": "198.51.100.1"}, True),
        ("Allow", {"StringEquals": {"acs:ResourceTag/team": "dev"}}, {}, False),
        ("Allow", {"StringEquals": {"acs:ResourceTag/team": "dev"}}, {"acs:ResourceTag/team": "ops"}, True),
        ("Allow", {"StringLike": {"oss:Prefix": "logs/*"}}, {"oss:Prefix": "logs/1"}, False),
        ("Allow", {"StringLike": {"oss:Prefix": "logs/*"}}, {"oss:Prefix": "data/1"}, True),
        ("Allow", {"StringLike": {"oss:Prefix": "logs/*"}}, {}, True),
        ("Deny", {"Bool": {"acs:SecureTransport": "false"}}, {"acs:SecureTransport": "false"}, False),
        ("Deny", {"Bool": {"acs:MFAPresent": "true"}}, {"acs:MFAPresent": "true"}, True),
        ("Deny", {"StringLike": {"oss:Prefix": "secret/*"}}, {"oss:Prefix": "secret/1"}, True),
    ],
)
def test_conditions_count_as_far_as_the_fake_cloud_knows_the_request(
    effect: str, condition: dict[str, Any], context: dict[str, str], missing: bool
) -> None:
    _, policy = recorded([(OSS, "GET", "/one")], "exact")
    conditional = {**policy["Statement"][0], "Effect": effect, "Condition": condition}
    policy["Statement"] = [conditional] if effect == "Allow" else [*policy["Statement"], conditional]
    access = JudgedAccess("web", "AssumedRoleUser", "oss:ListObjects", "acs:oss:oss-cn:1:one", Decision.ALLOW)
    assert bool(missing_permissions(policy, [access], condition_context(context))) is missing
