"""Policies at every fake service: the action and resource that RAM names, and the refusal that the service gives."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.account.least_privilege import least_policy
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL, allow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.account.least_privilege import Width
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Endpoints

OSS = signing.OSSV4("cn-hangzhou", "bkt")
S3 = signing.SigV4("cn-hangzhou")
SLS = signing.SLSV4("cn-hangzhou")
OTS = signing.OTSV2("Inst")
MNS = signing.MNS()
FC = signing.FCV2()
ODPS = signing.ODPSV2("http://127.0.0.1:8080/api")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DELETE_TWO = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"


class Case(NamedTuple):
    """A call, and every permission that it needs, without region and account."""

    scheme: signing.Scheme
    method: str
    path: str
    needs: tuple[str, ...]
    headers: Mapping[str, str] = {}
    params: Mapping[str, str | int | None] = {}
    body: bytes | None = None
    host: str = "127.0.0.1:8080"


CASES = {
    "oss list buckets": Case(signing.OSSV4("cn-hangzhou"), "GET", "/", ("oss:ListBuckets *",)),
    "oss put": Case(OSS, "PUT", "/bkt/a/b", ("oss:PutObject bkt/a/b",), body=b"1"),
    "oss put tagged": Case(
        OSS,
        "PUT",
        "/bkt/k",
        ("oss:PutObject bkt/k", "oss:PutObjectTagging bkt/k"),
        {"x-oss-tagging": "a=1"},
        body=b"1",
    ),
    "oss get": Case(OSS, "GET", "/bkt/k", ("oss:GetObject bkt/k",)),
    "oss head": Case(OSS, "HEAD", "/bkt/k", ("oss:GetObject bkt/k",)),
    "oss meta": Case(OSS, "GET", "/bkt/k", ("oss:GetObject bkt/k",), params={"objectMeta": None}),
    "oss acl": Case(OSS, "GET", "/bkt/k", ("oss:GetObjectAcl bkt/k",), params={"acl": None}),
    "oss tags": Case(OSS, "GET", "/bkt/k", ("oss:GetObjectTagging bkt/k",), params={"tagging": None}),
    "oss link": Case(OSS, "PUT", "/bkt/k", ("oss:PutObject bkt/k",), {"x-oss-symlink-target": "t"}, {"symlink": None}),
    "oss link with acl": Case(
        OSS,
        "PUT",
        "/bkt/k",
        ("oss:PutObject bkt/k", "oss:PutObjectAcl bkt/k"),
        {"x-oss-symlink-target": "t", "x-oss-object-acl": "private"},
        {"symlink": None},
    ),
    "oss append tagged": Case(
        OSS,
        "POST",
        "/bkt/k",
        ("oss:PutObject bkt/k", "oss:PutObjectTagging bkt/k"),
        {"x-oss-tagging": "a=1"},
        {"append": None, "position": 0},
        b"1",
    ),
    "oss get version": Case(
        OSS, "GET", "/bkt/k", ("oss:GetObject bkt/k", "oss:GetObjectVersion bkt/k"), params={"versionId": "v"}
    ),
    "oss delete version": Case(
        OSS, "DELETE", "/bkt/k", ("oss:DeleteObject bkt/k", "oss:DeleteObjectVersion bkt/k"), params={"versionId": "v"}
    ),
    "oss tags of version": Case(
        OSS,
        "GET",
        "/bkt/k",
        ("oss:GetObjectTagging bkt/k", "oss:GetObjectVersionTagging bkt/k"),
        params={"tagging": None, "versionId": "v"},
    ),
    "oss copy version": Case(
        OSS,
        "PUT",
        "/bkt/new",
        ("oss:GetObject other/k", "oss:GetObjectVersion other/k", "oss:PutObject bkt/new"),
        {"x-oss-copy-source": "/other/k?versionId=v"},
    ),
    "oss delete many versions": Case(
        OSS,
        "POST",
        "/bkt",
        ("oss:DeleteObject bkt/a", "oss:DeleteObjectVersion bkt/a"),
        params={"delete": None},
        body=b"<Delete><Object><Key>a</Key><VersionId>v</VersionId></Object></Delete>",
    ),
    "oss process": Case(OSS, "GET", "/bkt/k", ("oss:GetObject bkt/k",), params={"x-oss-process": "image/info"}),
    "oss list": Case(OSS, "GET", "/bkt", ("oss:ListObjects bkt",), params={"list-type": 2}),
    "oss info": Case(OSS, "GET", "/bkt", ("oss:GetBucketInfo bkt",), params={"bucketInfo": None}),
    "oss copy": Case(
        OSS, "PUT", "/bkt/new", ("oss:GetObject other/k", "oss:PutObject bkt/new"), {"x-oss-copy-source": "/other/k"}
    ),
    "oss delete many": Case(
        OSS,
        "POST",
        "/bkt",
        ("oss:DeleteObject bkt/a", "oss:DeleteObject bkt/b"),
        params={"delete": None},
        body=DELETE_TWO,
    ),
    "oss upload": Case(OSS, "POST", "/bkt/k", ("oss:PutObject bkt/k",), params={"uploads": None}),
    "s3 get": Case(S3, "GET", "/bkt/k", ("oss:GetObject bkt/k",)),
    "s3 list": Case(S3, "GET", "/bkt", ("oss:ListObjects bkt",)),
    "sls project": Case(SLS, "GET", "/", ("log:GetProject project/p",), host="p.localhost:8080"),
    "sls stores": Case(SLS, "GET", "/logstores", ("log:ListLogStores project/p/logstore/*",), host="p.localhost:8080"),
    "sls put": Case(
        SLS, "POST", "/logstores/ls/shards/lb", ("log:PostLogStoreLogs project/p/logstore/ls",), host="p.localhost"
    ),
    "sls query": Case(
        SLS,
        "GET",
        "/logstores/ls",
        ("log:GetLogStoreLogs project/p/logstore/ls",),
        params={"type": "log"},
        host="p.localhost",
    ),
    "sls cursor": Case(
        SLS,
        "GET",
        "/logstores/ls/shards/0",
        ("log:GetCursorOrData project/p/logstore/ls",),
        params={"type": "cursor"},
        host="p.localhost",
    ),
    "sls heartbeat": Case(
        SLS,
        "POST",
        "/logstores/ls/consumergroups/g",
        ("log:ConsumerGroupHeartBeat project/p/logstore/ls/consumergroup/g",),
        params={"type": "heartbeat"},
        host="p.localhost",
    ),
    "ots list": Case(OTS, "POST", "/ListTable", ("ots:ListTable instance/inst/table/*",)),
    "ots create": Case(
        OTS, "POST", "/CreateTable", ("ots:CreateTable instance/inst/table/tbl",), body=b"\x0a\x05\x0a\x03tbl"
    ),
    "ots row": Case(OTS, "POST", "/GetRow", ("ots:GetRow instance/inst/table/tbl",), body=b"\x0a\x03tbl"),
    "mns list": Case(MNS, "GET", "/queues", ("mns:ListQueue /queues",)),
    "mns create": Case(MNS, "PUT", "/queues/q", ("mns:CreateQueue /queues/q",)),
    "mns describe": Case(MNS, "GET", "/queues/q", ("mns:GetQueueAttributes /queues/q",)),
    "mns send": Case(MNS, "POST", "/queues/q/messages", ("mns:SendMessage /queues/q/messages",)),
    "mns peek": Case(
        MNS, "GET", "/queues/q/messages", ("mns:PeekMessage /queues/q/messages",), params={"peekonly": "true"}
    ),
    "mns publish": Case(MNS, "POST", "/topics/t/messages", ("mns:PublishMessage /topics/t/messages",)),
    "mns subscribe": Case(MNS, "PUT", "/topics/t/subscriptions/s", ("mns:Subscribe /topics/t/subscriptions/s",)),
    "odps tables": Case(ODPS, "GET", "/api/projects/p/tables", ("odps:Read projects/p",)),
    "fc services": Case(FC, "GET", "/2016-08-15/services", ("fc:ListServices services/*",)),
    "fc function": Case(FC, "GET", "/2016-08-15/services/s/functions/f", ("fc:GetFunction services/s/functions/f",)),
    "fc invoke": Case(
        FC,
        "POST",
        "/2016-08-15/services/s/functions/f/invocations",
        ("fc:InvokeFunction services/s/functions/f",),
        body=b"{}",
    ),
    "fc trigger": Case(FC, "POST", "/2016-08-15/proxy/s/f/x", ("fc:InvokeFunction services/s/functions/f",)),
    "fc 3 trigger": Case(
        signing.FCV3Trigger(), "GET", "/", ("fc:InvokeFunction functions/fn",), host="fn.cn-hangzhou.fcapp.run"
    ),
    "ecs regions": Case(
        signing.ACS3(),
        "POST",
        "/",
        ("ecs:DescribeRegions *",),
        {"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26"},
    ),
    "ecs instances": Case(
        signing.RPC(),
        "POST",
        "/",
        ("ecs:StopInstances instance/i-1", "ecs:StopInstances instance/i-2"),
        FORM,
        {"Action": "StopInstances", "Version": "2014-05-26"},
        b"InstanceId.1=i-1&InstanceId.2=i-2",
    ),
    "kms secret": Case(
        signing.ACS3(),
        "GET",
        "/",
        ("kms:GetSecretValue secret/db",),
        {"x-acs-action": "GetSecretValue", "x-acs-version": "2016-01-20"},
        {"SecretName": "db"},
    ),
    "fc 3 invoke": Case(
        signing.ACS3(),
        "POST",
        "/2023-03-30/functions/f/invocations",
        ("fc:InvokeFunction functions/f",),
        {"x-acs-action": "InvokeFunction", "x-acs-version": "2023-03-30"},
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


def send(endpoints: Endpoints, case: Case) -> WireResponse:
    return endpoints.ask(case.scheme, case.method, case.path, case.headers, case.params, case.body, host=case.host)


def refused(response: WireResponse) -> bool:
    return response.status in (401, 403)


def policy_for(needs: tuple[str, ...]) -> dict[str, object]:
    statements = []
    for need in needs:
        action, resource = need.split(" ", 1)
        statements.append(
            {"Effect": "Allow", "Action": action, "Resource": f"acs:{action.partition(':')[0]}:*:*:{resource}"}
        )
    return {"Version": "1", "Statement": statements}


@every_case
def test_a_policy_for_just_this_call_allows_it(endpoints: Endpoints, case: Case) -> None:
    endpoints.policies[:] = [policy_for(case.needs)]
    assert not refused(send(endpoints, case))
    asked = [f"{one.action} {one.resource.split(':', 4)[4]}" for one in endpoints.issuer.authorizer.judged()]
    assert tuple(asked) == case.needs


@every_case
def test_a_call_is_refused_when_one_of_its_permissions_is_missing(endpoints: Endpoints, case: Case) -> None:
    for missing in case.needs:
        endpoints.policies[:] = [policy_for(tuple(need for need in case.needs if need != missing))]
        assert refused(send(endpoints, case))


@every_case
@pytest.mark.parametrize("width", ["exact", "prefix", "any"])
def test_the_recorded_policy_is_enough_and_nothing_less_is(endpoints: Endpoints, case: Case, width: Width) -> None:
    send(endpoints, case)
    policy = least_policy(endpoints.issuer.authorizer.judged(), width)
    endpoints.policies[:] = [policy]
    assert not refused(send(endpoints, case))
    for index, statement in enumerate(policy["Statement"]):
        for action in statement["Action"]:
            less = copy.deepcopy(policy)
            less["Statement"][index]["Action"].remove(action)
            less["Statement"] = [one for one in less["Statement"] if one["Action"]]
            endpoints.policies[:] = [less]
            assert refused(send(endpoints, case)), action


@every_case
def test_the_case_of_an_action_does_not_matter_and_question_marks_stand_for_one_character(
    endpoints: Endpoints, case: Case
) -> None:
    actions = {need.split(" ")[0] for need in case.needs}
    spelt = [allow(*(one.upper() for one in actions)), allow(*(one[:-1] + "?" for one in actions))]
    for policy in spelt:
        endpoints.policies[:] = [policy]
        assert not refused(send(endpoints, case))
    endpoints.policies[:] = [allow(*(one + "?" for one in actions))]
    assert refused(send(endpoints, case))


@every_case
def test_a_deny_of_all_other_actions_spares_the_call(endpoints: Endpoints, case: Case) -> None:
    actions = sorted({need.split(" ")[0] for need in case.needs})
    deny = {"Effect": "Deny", "NotAction": actions, "Resource": "*"}
    endpoints.policies[:] = [ALLOW_ALL, {"Version": "1", "Statement": [deny]}]
    assert not refused(send(endpoints, case))
    deny["NotAction"] = [*actions[1:], "other:Action"]
    assert refused(send(endpoints, case))


@every_case
def test_a_deny_of_all_other_resources_spares_the_call(endpoints: Endpoints, case: Case) -> None:
    named = [f"acs:{need.partition(':')[0]}:*:*:{need.split(' ', 1)[1]}" for need in case.needs]
    deny = {"Effect": "Deny", "Action": "*", "NotResource": named}
    endpoints.policies[:] = [ALLOW_ALL, {"Version": "1", "Statement": [deny]}]
    assert not refused(send(endpoints, case))
    deny["NotResource"] = ["acs:other:*:*:*"]
    assert refused(send(endpoints, case))


@every_case
def test_a_policy_variable_is_compared_as_it_is_written(endpoints: Endpoints, case: Case) -> None:
    policy = policy_for(case.needs)
    for statement in policy["Statement"]:  # type: ignore[attr-defined]  # a list
        statement["Resource"] = statement["Resource"].rpartition(":")[0] + ":${acs:AccessId}"
    endpoints.policies[:] = [policy]
    assert refused(send(endpoints, case))


@every_case
def test_a_permission_on_another_resource_is_not_enough(endpoints: Endpoints, case: Case) -> None:
    elsewhere = [f"{need.split(' ')[0]} elsewhere/x" for need in case.needs]
    endpoints.policies[:] = [policy_for(tuple(elsewhere))]
    assert refused(send(endpoints, case))


@every_case
def test_an_explicit_deny_wins(endpoints: Endpoints, case: Case) -> None:
    endpoints.policies[:] = [ALLOW_ALL]
    endpoints.deny(case.needs[0].split(" ")[0])
    assert refused(send(endpoints, case))


REFUSALS = {
    "oss get": (403, "AccessDenied"),
    "s3 get": (403, "AccessDenied"),
    "sls put": (401, "Unauthorized"),
    "ots list": (403, "OTSNoPermissionAccess"),
    "mns list": (403, "AccessDenied"),
    "odps tables": (403, "ODPS-0420095"),
    "fc invoke": (403, "AccessDenied"),
    "ecs regions": (403, "Forbidden.RAM"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_the_code_of_the_service(endpoints: Endpoints, name: str) -> None:
    endpoints.policies.clear()
    response = send(endpoints, CASES[name])
    status, code = REFUSALS[name]
    assert response.status == status
    assert code in response.body.decode("utf-8", "replace")


def element(response: WireResponse, name: str) -> str | None:
    found = re.search(f"<{name}>(.*?)</{name}>", response.body.decode(), re.DOTALL)
    return found[1] if found else None


def test_oss_says_which_action_is_denied_to_whom_and_by_what(endpoints: Endpoints) -> None:
    endpoints.policies.clear()
    response = send(endpoints, CASES["oss get"])
    assert (element(response, "EC"), element(response, "NoPermissionType")) == ("0003-00000001", "ImplicitDeny")
    endpoints.policies[:] = [ALLOW_ALL]
    endpoints.deny("oss:GetObject")
    response = send(endpoints, CASES["oss get"])
    assert "<AccessDeniedDetail><AuthAction>oss:GetObject</AuthAction>" in response.body.decode()
    assert element(response, "AuthPrincipalType") == "AssumedRoleUser"
    assert element(response, "AuthPrincipalOwnerId") == "1234567890123456"
    assert element(response, "NoPermissionType") == "ExplicitDeny"
    assert element(response, "PolicyType") == "AccountLevelIdentityBasedPolicy"
    assert element(response, "EC") == "0003-00000201"
    assert element(response, "RecommendDoc") == "https://api.aliyun.com/troubleshoot?q=0003-00000201"


def test_the_openapi_gateway_gives_the_detail_in_json(endpoints: Endpoints) -> None:
    endpoints.policies.clear()
    answer = json.loads(send(endpoints, CASES["ecs regions"]).body)
    assert answer["AccessDeniedDetail"]["AuthAction"] == "ecs:DescribeRegions"
    assert answer["AccessDeniedDetail"]["NoPermissionType"] == "ImplicitDeny"


def conditional(operator: str, key: str, value: object, effect: str = "Allow") -> dict[str, object]:
    statement = {"Effect": effect, "Action": "oss:*", "Resource": "*", "Condition": {operator: {key: value}}}
    return {"Version": "1", "Statement": [statement]}


def test_a_listing_may_be_limited_to_a_prefix(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [conditional("StringLike", "oss:Prefix", "logs/*")]
    assert endpoints.ask(OSS, "GET", "/bkt", params={"prefix": "logs/2026/"}).status == 200
    assert endpoints.ask(OSS, "GET", "/bkt", params={"prefix": "secret/"}).status == 403
    assert endpoints.ask(OSS, "GET", "/bkt").status == 403
    endpoints.policies[:] = [conditional("StringEquals", "oss:Delimiter", "/")]
    assert endpoints.ask(S3, "GET", "/bkt", params={"delimiter": "/"}).status == 200
    assert endpoints.ask(S3, "GET", "/bkt").status == 403


def test_a_policy_may_name_the_address_that_a_call_comes_from(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [conditional("IpAddress", "acs:SourceIp", "203.0.113.0/24")]
    assert endpoints.ask(OSS, "GET", "/bkt").status == 403
    endpoints.issuer.authorizer.condition_values["acs:SourceIp"] = "203.0.113.7"
    assert endpoints.ask(OSS, "GET", "/bkt").status == 200


def test_a_policy_may_demand_tls(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [ALLOW_ALL, conditional("Bool", "acs:SecureTransport", "false", "Deny")]
    assert endpoints.ask(OSS, "GET", "/bkt").status == 403
    endpoints.issuer.authorizer.condition_values["acs:SecureTransport"] = "true"
    assert endpoints.ask(OSS, "GET", "/bkt").status == 200


def test_a_policy_may_end_by_the_clock(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [conditional("DateLessThan", "acs:CurrentTime", "2026-01-01T00:30:00Z")]
    assert endpoints.ask(OSS, "GET", "/bkt").status == 200
    endpoints.clock.advance(minutes=30)
    assert endpoints.ask(OSS, "GET", "/bkt").status == 403


def test_a_policy_may_name_the_tags_of_what_is_written(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [conditional("StringEquals", "oss:RequestObjectTag/team", "dev")]
    assert endpoints.ask(OSS, "PUT", "/bkt/k", {"x-oss-tagging": "team=dev"}, body=b"1").status == 200
    assert endpoints.ask(OSS, "PUT", "/bkt/k", {"x-oss-tagging": "team=ops"}, body=b"1").status == 403


def test_a_policy_may_name_the_tags_of_what_is_there(endpoints: Endpoints) -> None:
    endpoints.ask(OSS, "PUT", "/bkt/ours", {"x-oss-tagging": "team=dev"}, body=b"1")
    endpoints.ask(OSS, "PUT", "/bkt/theirs", {"x-oss-tagging": "team=ops"}, body=b"1")
    endpoints.ask(OSS, "PUT", "/bkt/untagged", body=b"1")
    endpoints.policies[:] = [conditional("StringEquals", "oss:ExistingObjectTag/team", "dev")]
    for key, status in (("ours", 200), ("theirs", 403), ("untagged", 403), ("absent", 403)):
        assert endpoints.ask(OSS, "GET", f"/bkt/{key}").status == status
    copied = endpoints.ask(OSS, "PUT", "/bkt/ours", {"x-oss-copy-source": "/bkt/theirs"})
    assert copied.status == 403, "the source counts by its own tags"


def test_a_policy_may_name_the_acl_of_a_bucket(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [ALLOW_ALL, conditional("StringNotEquals", "oss:x-oss-acl", "private", "Deny")]
    assert endpoints.ask(OSS, "PUT", "/bkt", {"x-oss-acl": "private"}).status == 200
    assert endpoints.ask(OSS, "PUT", "/bkt", {"x-oss-acl": "public-read"}).status == 403


def test_a_form_is_judged_by_the_key_that_it_names(endpoints: Endpoints) -> None:
    endpoints.policies[:] = [allow("oss:PutObject", resource="acs:oss:*:*:bkt/up/*")]
    policy: dict[str, object] = {"expiration": "2026-01-01T01:00:00.000Z", "conditions": [{"bucket": "bkt"}]}
    for key, status in (("up/a", 204), ("other/a", 403)):
        fields = {**endpoints.signer(OSS).post_form(policy), "key": key}
        parts = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        file = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        request = signing.Request("POST", "http://bkt.localhost:8080/", headers, body=(parts + file).encode())
        assert endpoints.answer(endpoints.sent(request)).status == status
