"""Calls that few clients make, and calls that the services refuse: storage, queues, logs, tables, RAM, ECS, STS."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL
from ramrole_creds.testing.services.instance import INSTANCE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing import FakeCloud, IssuedCredentials
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.conftest import Answer
    from tests.testing.services.conftest import Endpoints

    Api = Callable[..., Answer]

V4 = signing.OSSV4("cn-hangzhou", "bkt")
S3 = signing.SigV4("cn-hangzhou")
MNS = signing.MNS()
SLS = signing.SLSV4("cn-hangzhou")
ODPS = signing.ODPSV2("http://127.0.0.1:8080/api")
TRUST_ECS = json.dumps(
    {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ecs.aliyuncs.com"]}}],
    }
)
READ_OSS = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:GetObject", "Resource": "*"}]}'
IDS = json.dumps([INSTANCE_ID])


def code(response: WireResponse) -> str | None:
    found = re.search("<Code>(.*?)</Code>", response.body.decode())
    return found[1] if found else None


def field(response: WireResponse, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", response.body.decode())
    assert found is not None, response
    return found[1]


# Object storage.

REFUSED: dict[str, tuple[str, str, Mapping[str, str], Mapping[str, str], bytes, str]] = {
    "a list from a malformed token": (
        "GET", "/bkt", {}, {"list-type": "2", "continuation-token": "%"}, b"", "InvalidArgument",
    ),
    "the part 0": ("PUT", "/bkt/up", {}, {"uploadId": "1", "partNumber": "0"}, b"x", "InvalidArgument"),
    "a part in words": ("PUT", "/bkt/up", {}, {"uploadId": "1", "partNumber": "one"}, b"x", "InvalidArgument"),
    "tags without values": ("PUT", "/bkt/here", {}, {"tagging": ""}, b"<Tag><Key>a</Key></Tag>", "MalformedXML"),
    "a link to nowhere": ("PUT", "/bkt/link", {}, {"symlink": ""}, b"", "InvalidArgument"),
    "a link that is not there": ("GET", "/bkt/gone", {}, {"symlink": ""}, b"", "NoSuchKey"),
    "a link that is an object": ("GET", "/bkt/here", {}, {"symlink": ""}, b"", "NotSymlink"),
    "more of an object that cannot grow": (
        "POST", "/bkt/here", {}, {"append": "", "position": "1"}, b"x", "ObjectNotAppendable",
    ),
    "a read of another content": ("GET", "/bkt/here", {"If-Match": '"0"'}, {}, b"", "PreconditionFailed"),
    "a read of what has changed since": (
        "GET", "/bkt/here", {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, {}, b"", "PreconditionFailed",
    ),
    "a deletion of nothing": ("POST", "/bkt", {}, {"delete": ""}, b"<Delete></Delete>", "MalformedXML"),
}  # fmt: skip


def test_the_head_of_a_bucket_names_its_region(endpoints: Endpoints) -> None:
    endpoints.ask(V4, "PUT", "/bkt")
    answer = endpoints.ask(V4, "HEAD", "/bkt")
    assert (answer.status, dict(answer.headers)["x-oss-bucket-region"]) == (200, "cn-hangzhou")


def test_a_condition_with_a_date_that_is_none_is_passed_over(endpoints: Endpoints) -> None:
    assert endpoints.ask(V4, "PUT", "/bkt/here", body=b"x").status == 200
    answer = endpoints.ask(V4, "GET", "/bkt/here", {"If-Modified-Since": "some day GMT"})
    assert (answer.status, answer.body) == (200, b"x")


@pytest.mark.parametrize("name", REFUSED)
def test_storage_refuses_with_the_services_own_code(endpoints: Endpoints, name: str) -> None:
    method, path, headers, query, body, expected = REFUSED[name]
    assert endpoints.ask(V4, "PUT", "/bkt/here", body=b"x").status == 200
    answer = endpoints.ask(V4, method, path, headers, query, body or None)
    assert (answer.status // 100, code(answer)) == (4, expected)


@pytest.mark.parametrize(
    ("method", "sub_resource", "action"), [("PUT", "acl", "PutBucketAcl"), ("GET", "uploads", "ListMultipartUploads")]
)
def test_what_is_not_performed_is_judged_all_the_same(
    endpoints: Endpoints, method: str, sub_resource: str, action: str
) -> None:
    refused = endpoints.ask(V4, method, "/bkt", params={sub_resource: ""})
    assert (refused.status, code(refused)) == (501, "NotImplemented")
    endpoints.policies = [{"Statement": [{"Effect": "Deny", "Action": f"oss:{action}", "Resource": "*"}]}, ALLOW_ALL]
    assert code(endpoints.ask(V4, method, "/bkt", params={sub_resource: ""})) == "AccessDenied"


def test_an_upload_is_completed_with_all_its_parts_or_given_up(endpoints: Endpoints) -> None:
    def begin(key: str) -> dict[str, str]:
        return {"uploadId": field(endpoints.ask(V4, "POST", f"/bkt/{key}", params={"uploads": ""}), "UploadId")}

    endpoints.ask(V4, "PUT", "/bkt/here", body=b"0123456789")
    upload = begin("a")
    nothing = endpoints.ask(V4, "POST", "/bkt/a", {"x-oss-complete-all": "yes"}, upload)
    assert code(nothing) == "InvalidPart"
    endpoints.ask(V4, "PUT", "/bkt/a", params={**upload, "partNumber": "2"}, body=b"!")
    copied = {"x-oss-copy-source": "/bkt/here", "x-oss-copy-source-range": "bytes=2-4"}
    assert endpoints.ask(V4, "PUT", "/bkt/a", copied, {**upload, "partNumber": "1"}).status == 200
    missing = {"x-oss-copy-source": "/bkt/gone"}
    assert code(endpoints.ask(V4, "PUT", "/bkt/a", missing, {**upload, "partNumber": "3"})) == "NoSuchKey"
    assert endpoints.ask(V4, "POST", "/bkt/a", {"x-oss-complete-all": "yes"}, upload).status == 200
    assert endpoints.ask(V4, "GET", "/bkt/a").body == b"234!"

    upload = begin("b")
    assert endpoints.ask(V4, "DELETE", "/bkt/b", params=upload).status == 204
    assert code(endpoints.ask(V4, "PUT", "/bkt/b", params={**upload, "partNumber": "1"}, body=b"x")) == "NoSuchUpload"


def test_an_s3_client_may_send_its_body_in_signed_chunks(endpoints: Endpoints) -> None:
    body = b"5;chunk-signature=00\r\nhello\r\n6;chunk-signature=00\r\n world\r\n0;chunk-signature=00\r\n\r\n"
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    sent = {
        "host": "127.0.0.1:8080",
        "x-amz-content-sha256": payload,
        "x-amz-date": "20260101T000000Z",
        "x-amz-security-token": endpoints.key.security_token or "",
    }
    names, lines = ";".join(sent), "".join(f"{name}:{value}\n" for name, value in sent.items())
    scope = "20260101/cn-hangzhou/s3/aws4_request"
    digest = hashlib.sha256(f"PUT\n/bkt/chunks\n\n{lines}\n{names}\n{payload}".encode()).hexdigest()
    key = f"AWS4{endpoints.key.access_key_secret}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n20260101T000000Z\n{scope}\n{digest}"):
        key = hmac.digest(key, step.encode(), "sha256")
    credential = f"Credential={endpoints.key.access_key_id}/{scope}"
    sent["Authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={key.hex()}"
    request = signing.Request("PUT", "http://127.0.0.1:8080/bkt/chunks", sent, body=body)
    answer = endpoints.answer(endpoints.sent(request))
    assert answer.status == 200, answer
    assert endpoints.ask(S3, "GET", "/bkt/chunks").body == b"hello world"


# Queues, logs, tables, MaxCompute.


def test_a_queue_takes_and_gives_several_messages_at_once(endpoints: Endpoints) -> None:
    assert endpoints.ask(MNS, "PUT", "/queues/q", body=b"<Queue></Queue>").status in (201, 204)
    path = "/queues/q/messages"
    assert code(endpoints.ask(MNS, "POST", path, body=b"<Message></Message>")) == "MalformedXML"
    two = b"".join(b"<Message><MessageBody>%s</MessageBody></Message>" % one for one in (b"a", b"b"))
    sent = endpoints.ask(MNS, "POST", path, body=b"<Messages>" + two + b"</Messages>")
    assert sent.status == 201
    assert [found.lower() for found in re.findall("<MessageBodyMD5>(.*?)<", sent.body.decode())] == [
        hashlib.md5(body).hexdigest() for body in (b"a", b"b")
    ]
    got = endpoints.ask(MNS, "GET", path, params={"numOfMessages": "16"}).body.decode()
    assert re.findall("<MessageBody>(.*?)<", got) == ["a", "b"]


def test_logs_are_asked_for_by_query_shard_and_index(endpoints: Endpoints) -> None:
    found = endpoints.ask(SLS, "POST", "/logstores/app/logs", body=b"{}")
    assert json.loads(found.body)["meta"]["progress"] == "Complete"
    pulled = endpoints.ask(SLS, "GET", "/logstores/app/shards/0", params={"type": "logs", "cursor": "MA=="})
    assert (pulled.status, pulled.header("x-log-count"), pulled.body) == (200, "0", b"")
    endpoints.deny("log:GetIndex")
    refused = endpoints.ask(SLS, "GET", "/logstores/app/index")
    assert json.loads(refused.body)["errorCode"] == "Unauthorized"


def test_maxcompute_lists_its_projects(endpoints: Endpoints) -> None:
    answer = endpoints.ask(ODPS, "GET", "/api/projects")
    assert (answer.status, b"<Projects>" in answer.body) == (200, True)


# RAM, ECS, STS.


def test_ram_changes_one_thing_of_a_role_at_a_time(ram: Api) -> None:
    ram("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST_ECS, Description="first")
    changed = ram("UpdateRole", RoleName="r", NewMaxSessionDuration="7200").json["Role"]
    assert (changed["MaxSessionDuration"], changed["Description"]) == (7200, "first")
    trust = TRUST_ECS.replace("ecs.", "fc.")
    changed = ram("UpdateRole", RoleName="r", NewAssumeRolePolicyDocument=trust, NewDescription="second").json["Role"]
    assert (changed["MaxSessionDuration"], changed["Description"]) == (7200, "second")
    assert "fc.aliyuncs.com" in changed["AssumeRolePolicyDocument"]


def test_ram_describes_system_policies_and_keeps_custom_ones_apart(ram: Api) -> None:
    assert ram("CreatePolicy", PolicyName="p", PolicyDocument=READ_OSS, Description="reads").status == 200
    again = ram("CreatePolicy", PolicyName="p", PolicyDocument=READ_OSS)
    assert (again.status, again.json["Code"]) == (409, "EntityAlreadyExists.Policy")
    custom = ram("GetPolicy", PolicyName="p", PolicyType="Custom").json["Policy"]
    system = ram("GetPolicy", PolicyName="AliyunOSSReadOnlyAccess", PolicyType="System").json["Policy"]
    assert (custom["Description"], system["PolicyType"]) == ("reads", "System")
    absent = ram("GetPolicy", PolicyName="AliyunNothing", PolicyType="System")
    assert (absent.status, absent.json["Code"]) == (404, "EntityNotExist.Policy")


def test_ecs_says_for_each_instance_what_was_not_attached(
    cloud: FakeCloud, call: Api, admin: IssuedCredentials
) -> None:
    def ecs(action: str, **parameters: str) -> Answer:
        return call(admin, action, "2014-05-26", RegionId="cn-hangzhou", **parameters)

    detached = ecs("DetachInstanceRamRole", RamRoleName="other", InstanceIds=IDS).json
    assert detached["FailCount"] == 1
    [row] = detached["DetachInstanceRamRoleResults"]["DetachInstanceRamRoleResult"]
    assert row["Code"] == "InvalidRamRole.NotFound"
    refused = ecs("ModifyInstanceMetadataOptions", InstanceId=INSTANCE_ID, HttpPutResponseHopLimit="65")
    assert refused.json["Code"] == "InvalidHttpPutResponseHopLimit.NotSupported"
    assert ecs("ModifyInstanceMetadataOptions", InstanceId=INSTANCE_ID, HttpEndpoint="disabled").status == 200
    assert not cloud.metadata.enabled
    assert ecs("ModifyInstanceMetadataOptions", InstanceId=INSTANCE_ID, HttpTokens="required").status == 200
    assert (cloud.metadata.enabled, cloud.metadata.mode) == (False, "hardened")
    second = cloud.add_instance("i-second")
    for options in ({"HttpEndpoint": "enabled"}, {"HttpTokens": "optional"}):
        assert ecs("ModifyInstanceMetadataOptions", InstanceId=second.instance_id, **options).status == 200
    assert (cloud.metadata.enabled, cloud.metadata.mode) == (False, "hardened")


def test_a_key_pair_that_is_unknown_or_signs_nothing_gets_no_session(call: Api) -> None:
    given = {"SignatureMethod": "SHA256withRSA", "SignatureVersion": "1.0", "SignatureType": "PRIVATEKEY"}
    given |= {"DurationSeconds": "900", "SignatureNonce": "1", "Timestamp": "2027-01-15T08:00:00Z"}
    unknown = call(None, "GenerateSessionAccessKey", AccessKeyId="LTAI-nobody", Signature="AA==", **given)
    assert (unknown.status, unknown.json["Code"]) == (404, "InvalidAccessKeyId.NotFound")


# The metadata service.


def test_the_folders_above_the_metadata_are_listed(ask: Callable[..., Answer]) -> None:
    assert "meta-data/" in ask("/latest/").text
    assert ask("/latest/dynamic/").text == "instance-identity/"
    assert ask("/latest/dynamic/instance-identity/").text == "document"


def test_a_listing_may_name_roles_by_their_arn(cloud: FakeCloud, ask: Callable[..., Answer]) -> None:
    cloud.metadata.quirks.listing_arn = True
    assert ask("/latest/meta-data/ram/security-credentials/").text.startswith("acs:ram::1234567890123456:role/")
