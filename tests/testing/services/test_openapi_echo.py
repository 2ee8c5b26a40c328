"""The OpenAPI gateway answers with the request as it understood it, and refuses in its own words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import signing
from ramrole_creds.testing.account.ram_policy import allow

if TYPE_CHECKING:
    from ramrole_creds.testing.server.messages import WireResponse
    from tests.testing.services.conftest import Endpoints

HEADERS = {"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26"}
RPC = {"Action": "DescribeRegions", "Version": "2014-05-26", "Format": "JSON"}


def read(response: WireResponse) -> dict[str, Any]:
    answer = json.loads(response.body)
    assert isinstance(answer, dict)
    return answer


def test_an_acs3_call_is_echoed(endpoints: Endpoints) -> None:
    headers = {**HEADERS, "content-type": "application/json"}
    response = endpoints.ask(signing.ACS3(), "POST", "/a%20b", headers, {"q": "1 2", "e": ""}, b'{"n": 1}')
    answer = read(response)
    assert response.status == 200
    assert answer.pop("RequestId") == response.header("x-acs-request-id")
    assert answer == {
        "Scheme": "acs3",
        "AccessKeyId": endpoints.key.access_key_id,
        "Arn": "acs:ram::1234567890123456:assumed-role/web/session",
        "Product": "ecs",
        "Action": "DescribeRegions",
        "Version": "2014-05-26",
        "Method": "POST",
        "Path": "/a b",
        "Query": {"q": "1 2", "e": ""},
        "Body": {"n": 1},
    }


def test_an_rpc_call_is_echoed_without_what_signs_it(endpoints: Endpoints) -> None:
    body = b"Name=a+b&Tag=%E6%9D%AD"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = read(endpoints.ask(signing.RPC(), "POST", "/", form, RPC, body))
    assert (answer["Scheme"], answer["Action"], answer["Product"]) == ("rpc", "DescribeRegions", "ecs")
    assert answer["Body"] == {"Name": "a b", "Tag": "杭"}
    assert "Signature" not in answer["Query"]
    assert endpoints.key.security_token is not None
    assert endpoints.key.security_token not in json.dumps(answer)


def test_a_roa_call_is_echoed(endpoints: Endpoints) -> None:
    headers = {"x-acs-version": "2015-12-15", "Accept": "application/json"}
    answer = read(endpoints.ask(signing.ROA(), "GET", "/clusters/c-1", headers, {"all": "true"}))
    assert (answer["Scheme"], answer["Product"], answer["Path"]) == ("roa", "cs", "/clusters/c-1")


def test_rpc_answers_xml_unless_json_is_asked_for(endpoints: Endpoints) -> None:
    parameters = {name: value for name, value in RPC.items() if name != "Format"}
    response = endpoints.ask(signing.RPC(), "GET", "/", params={**parameters, "Format": "XML"})
    assert response.header("content-type") == "text/xml;charset=utf-8"
    assert b"<DescribeRegionsResponse>" in response.body


@pytest.mark.parametrize("scheme", [signing.ACS3(), signing.ROA()], ids=["ACS3", "ROA"])
def test_a_wrong_secret_is_answered_with_the_string_that_was_signed(
    endpoints: Endpoints, scheme: signing.Scheme
) -> None:
    wrong = replace(endpoints.key, access_key_secret="9kFAKESECRETwrong")
    response = endpoints.ask(scheme, "GET", "/x", HEADERS, key=wrong)
    answer = read(response)
    assert (response.status, answer["Code"]) == (400, "SignatureDoesNotMatch")
    begin = "Specified signature is not matched with our calculation. server string to sign is:"
    assert answer["Message"].startswith(begin)
    assert answer.keys() == {"RequestId", "Message", "Recommend", "HostId", "Code"}
    assert "SignatureDoesNotMatch" in answer["Recommend"]


def test_a_replayed_request_is_refused(endpoints: Endpoints) -> None:
    wire = endpoints.sent(
        endpoints.signer(signing.ACS3()).sign(signing.Request("GET", "http://127.0.0.1:8080/", HEADERS))
    )
    assert endpoints.answer(wire).status == 200
    assert read(endpoints.answer(wire))["Code"] == "SignatureNonceUsed"


def test_a_request_without_a_signature_lacks_a_parameter(endpoints: Endpoints) -> None:
    response = endpoints.answer(endpoints.sent(signing.Request("POST", "http://127.0.0.1:8080/", HEADERS)))
    assert (response.status, read(response)["Code"]) == (400, "MissingParameter")
    bare = {"Action": "DescribeRegions", "Version": "2014-05-26", "Format": "JSON", "SignatureVersion": "1.0"}
    response = endpoints.answer(endpoints.sent(signing.Request("GET", "http://127.0.0.1:8080/", params=bare)))
    assert (response.status, read(response)["Code"]) == (400, "MissingParameter")


def test_a_denied_action_is_forbidden_at_once(endpoints: Endpoints) -> None:
    assert endpoints.ask(signing.ACS3(), "GET", "/", HEADERS).status == 200
    endpoints.deny("ecs:Describe*")
    response = endpoints.ask(signing.ACS3(), "GET", "/", HEADERS)
    assert (response.status, read(response)["Code"]) == (403, "Forbidden.RAM")
    assert endpoints.ask(signing.ACS3(), "GET", "/", {**HEADERS, "x-acs-action": "RunInstances"}).status == 200


def test_an_expired_token_is_named_as_the_gateway_names_it(endpoints: Endpoints) -> None:
    endpoints.clock.advance(hours=1)
    response = endpoints.ask(signing.ACS3(), "GET", "/", HEADERS)
    assert (response.status, read(response)["Code"]) == (400, "InvalidSecurityToken.Expired")


ECS, RDS, SLB, KMS, DNS = "2014-05-26", "2014-08-15", "2014-05-15", "2016-01-20", "2015-01-09"


@pytest.mark.parametrize(
    ("version", "action", "parameters", "resource"),
    [
        (ECS, "StartInstance", {"InstanceId": "i-1"}, "acs:ecs:*:*:instance/i-1"),
        (ECS, "DescribeDisks", {"DiskIds": '["d-1","d-2"]'}, "acs:ecs:*:*:disk/d-?"),
        (ECS, "DescribeDisks", {}, "acs:ecs:*:*:disk/*"),
        (ECS, "CreateDisk", {}, "acs:ecs:*:*:disk/*"),
        (ECS, "DescribeInstances", {}, "acs:ecs:*:*:instance/*"),
        (ECS, "DescribeInstanceAutoRenewAttribute", {"InstanceId": "i-1,i-2"}, "acs:ecs:*:*:instance/i-?"),
        (RDS, "DescribeDBInstances", {}, "acs:rds:*:*:dbinstance/*"),
        (SLB, "DeleteLoadBalancer", {"LoadBalancerId": "lb-1"}, "acs:slb:*:*:loadbalancer/lb-1"),
        (DNS, "AddDomainRecord", {"DomainName": "a.example"}, "acs:alidns:*:*:domain/a.example"),
        (KMS, "ListKeys", {}, "acs:kms:*:*:key"),
        (KMS, "ListSecrets", {}, "acs:kms:*:*:secret"),
        (KMS, "ListAliases", {}, "acs:kms:*:*:alias"),
        (KMS, "CreateSecret", {"SecretName": "s"}, "acs:kms:*:*:secret"),
        (KMS, "GetSecretValue", {"SecretName": "s"}, "acs:kms:*:*:secret/s"),
        (KMS, "Decrypt", {"CiphertextBlob": "x"}, "acs:kms:*:*:key/*"),
        (KMS, "Decrypt", {"KeyId": "acs:kms:cn-hangzhou:1:key/k-1"}, "acs:kms:*:*:key/k-1"),
        (KMS, "Encrypt", {"KeyId": "alias/a"}, "acs:kms:*:*:alias/a"),
    ],
)
def test_a_call_is_judged_by_the_resource_that_the_documents_name(
    endpoints: Endpoints, version: str, action: str, parameters: dict[str, str], resource: str
) -> None:
    headers = {"x-acs-action": action, "x-acs-version": version}
    code = resource.split(":")[1]
    endpoints.policies[:] = [allow(f"{code}:{action}", resource=resource)]
    assert endpoints.ask(signing.ACS3(), "GET", "/", headers, parameters).status == 200
    endpoints.policies[:] = [allow(f"{code}:{action}", resource=f"acs:{code}:*:*:other/*")]
    assert endpoints.ask(signing.ACS3(), "GET", "/", headers, parameters).status == 403


def test_kms_refuses_in_its_own_words_and_names_its_regions_to_everybody(endpoints: Endpoints) -> None:
    endpoints.policies.clear()
    headers = {"x-acs-action": "Decrypt", "x-acs-version": KMS}
    answer = read(endpoints.ask(signing.ACS3(), "GET", "/", headers, {"KeyId": "k-1"}))
    assert answer["Code"] == "Forbidden.NoPermission"
    assert answer["Message"] == (
        "This operation for acs:kms:cn-hangzhou:1234567890123456:key/k-1 is forbidden by permission system."
    )
    assert endpoints.ask(signing.ACS3(), "GET", "/", {**headers, "x-acs-action": "DescribeRegions"}).status == 200
