"""Policies on a running cloud: a change binds the next call, sessions are narrowed, trust has conditions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ramrole_creds import EcsRamRoleProvider, Signer, signing
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing.account.ram_policy import allow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing import FakeCloud, IssuedCredentials
    from tests.testing.conftest import Answer

LOGS = "acs:oss:*:*:data/logs/*"


@pytest.fixture
def app(cloud: FakeCloud) -> Iterator[requests.Session]:
    """A client of OSS on the role of the instance, whose credentials it fetches once."""
    with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider, requests.Session() as session:
        session.auth = RequestsAuth(Signer(provider, signing.OSSV4("cn-hangzhou", "data"), clock=cloud.clock))
        yield session


def test_a_changed_policy_binds_the_next_call_of_a_client_that_holds_old_credentials(
    cloud: FakeCloud, app: requests.Session
) -> None:
    url = f"{cloud.url}/data/logs/1"
    assert app.put(url, b"x").status_code == 200
    cloud.set_policies("web", [allow("oss:GetObject", resource=LOGS)])
    assert app.put(url, b"x").status_code == 403
    assert app.get(url).status_code == 200
    cloud.set_policies("web", [allow("oss:*", resource=LOGS)])
    assert app.put(url, b"x").status_code == 200
    cloud.assert_called_once("credentials")


def test_a_new_version_of_a_custom_policy_binds_whom_it_is_attached_to(
    cloud: FakeCloud, app: requests.Session, call: Callable[..., Answer]
) -> None:
    cloud.account.put_policy("logs", allow("oss:GetObject", resource=LOGS))
    cloud.set_policies("web", ["logs"])
    assert app.put(f"{cloud.url}/data/logs/1", b"x").status_code == 403
    document = json.dumps(allow("oss:*", resource=LOGS))
    version = {"PolicyName": "logs", "PolicyDocument": document, "SetAsDefault": "true"}
    assert call(cloud.access_key(), "CreatePolicyVersion", "2015-05-01", **version).status == 200
    assert app.put(f"{cloud.url}/data/logs/1", b"x").status_code == 200


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "mapping"])
def test_a_custom_policy_has_at_most_6144_characters(cloud: FakeCloud, as_text: bool) -> None:
    def sized(length: int) -> str:
        blank = json.dumps(allow("oss:GetObject", resource="acs:oss:*:*:"), separators=(",", ":"))
        return blank.replace("acs:oss:*:*:", "acs:oss:*:*:" + "k" * (length - len(blank)))

    fits, too_long = sized(6144), sized(6145)
    cloud.account.put_policy("long", fits if as_text else json.loads(fits))
    with pytest.raises(ValueError, match=r"'long' has 6145 characters, and RAM takes 6144\."):
        cloud.account.put_policy("long", too_long if as_text else json.loads(too_long))


def session_of(cloud: FakeCloud, call: Callable[..., Answer], **parameters: str) -> Answer:
    caller = cloud.access_key()
    arn = cloud.role("job").arn
    return call(caller, "AssumeRole", RoleArn=arn, RoleSessionName="test", **parameters)


def test_a_session_policy_narrows_and_never_widens(cloud: FakeCloud, call: Callable[..., Answer]) -> None:
    cloud.add_role("job", policies=[allow("oss:GetObject", "oss:PutObject", resource=LOGS)])
    narrowed = session_of(cloud, call, Policy=json.dumps(allow("oss:GetObject", "oss:DeleteObject")))
    issued = cloud.account.issuer.lookup(narrowed.json["Credentials"]["AccessKeyId"])
    assert issued is not None
    key = "acs:oss:oss-cn-hangzhou:1234567890123456:data/logs/1"
    assert issued.allows("oss:GetObject", key)
    assert not issued.allows("oss:PutObject", key)
    assert not issued.allows("oss:DeleteObject", key)
    cloud.set_policies("job", [])
    assert not issued.allows("oss:GetObject", key)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ('{"Statement": []}', 'the Version of a policy is "1"; here it is missing'),
        (json.dumps(allow("GetObject")), "Statement[0]: 'GetObject' is not an action"),
    ],
    ids=["version", "action"],
)
def test_sts_says_what_is_wrong_with_a_session_policy(
    cloud: FakeCloud, call: Callable[..., Answer], policy: str, problem: str
) -> None:
    cloud.add_role("job")
    refused = session_of(cloud, call, Policy=policy).json
    assert refused["Code"] == "InvalidParameter.PolicyGrammar"
    assert problem in refused["Message"]


def trust(condition: dict[str, Any]) -> dict[str, Any]:
    principal = {"RAM": ["acs:ram::1234567890123456:root"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition}
    return {"Version": "1", "Statement": [statement]}


def test_a_trust_policy_may_demand_an_external_id(cloud: FakeCloud, call: Callable[..., Answer]) -> None:
    cloud.add_role("job", trust=trust({"StringEquals": {"sts:ExternalId": "agreed"}}))
    refused = session_of(cloud, call).json
    assert refused["Code"] == "NoPermission"
    assert refused["AccessDeniedDetail"]["PolicyType"] == "AssumeRolePolicy"
    assert session_of(cloud, call, ExternalId="other").json["Code"] == "NoPermission"
    assert session_of(cloud, call, ExternalId="agreed").status == 200


def test_a_trust_policy_may_demand_an_address(cloud: FakeCloud, call: Callable[..., Answer]) -> None:
    cloud.add_role("job", trust=trust({"IpAddress": {"acs:SourceIp": ["203.0.113.0/24"]}}))
    assert session_of(cloud, call).json["Code"] == "NoPermission"
    cloud.account.authorizer.condition_values["acs:SourceIp"] = "203.0.113.5"
    assert session_of(cloud, call).status == 200


def test_sts_gives_the_detail_of_a_denied_call(cloud: FakeCloud, call: Callable[..., Answer]) -> None:
    cloud.add_role("job")
    user = cloud.access_key(cloud.add_user("bob", policies=[]))
    refused = call(user, "AssumeRole", RoleArn=cloud.role("job").arn, RoleSessionName="test")
    assert (refused.status, refused.json["Code"]) == (403, "NoPermission")
    detail = refused.json["AccessDeniedDetail"]
    assert detail == {
        "AuthAction": "sts:AssumeRole",
        "AuthPrincipalDisplayName": user.identity.principal_id,
        "AuthPrincipalOwnerId": "1234567890123456",
        "AuthPrincipalType": "SubUser",
        "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    }


def test_the_smallest_policy_of_a_role_allows_what_it_did(cloud: FakeCloud, app: requests.Session) -> None:
    app.put(f"{cloud.url}/data/logs/1", b"x")
    app.get(f"{cloud.url}/data/logs/1")
    policy = cloud.least_privilege("web", resources="prefix")
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": ["oss:GetObject", "oss:PutObject"], "Resource": [LOGS]}
    ]
    cloud.set_policies("web", [policy])
    assert app.get(f"{cloud.url}/data/logs/1").status_code == 200
    assert app.delete(f"{cloud.url}/data/logs/1").status_code == 403


def test_the_policies_of_a_role_are_searched_for_what_nobody_used(cloud: FakeCloud, app: requests.Session) -> None:
    cloud.set_policies("web", [allow("oss:PutObject", "oss:DeleteObject"), "AliyunLogFullAccess"])
    app.put(f"{cloud.url}/data/logs/1", b"x")
    unused = [(one.action, one.resource) for one in cloud.unused_permissions("web")]
    assert unused == [("log:*", "*"), ("oss:DeleteObject", "*")]
    assert cloud.unused_permissions("web", json.dumps(allow("oss:*"))) == []
    cloud.reset()
    assert cloud.least_privilege("web")["Statement"] == []


def test_a_misspelt_role_is_not_a_role_without_permissions(cloud: FakeCloud) -> None:
    cloud.add_user("alice")
    for ask in (cloud.least_privilege, cloud.unused_permissions):
        with pytest.raises(KeyError, match="no role or user 'wbe'"):
            ask("wbe")
    assert cloud.least_privilege("alice")["Statement"] == []


@pytest.mark.parametrize(
    ("name", "policies", "error", "text"),
    [
        pytest.param("wbe", [], KeyError, "no role or user 'wbe'. It has: web", id="role"),
        pytest.param("web", ["AliyunOssFullAccess"], KeyError, "no policy 'AliyunOssFullAccess'. Give a", id="name"),
        pytest.param("web", "ReadOnlyAccess", TypeError, "policies is a list of names and documents", id="text"),
        pytest.param("web", allow("oss:*"), TypeError, "not dict. Put it in a list", id="document"),
        pytest.param("web", ['{"Version": "1"}'], ValueError, "with Version and Statement", id="json"),
    ],
)
def test_a_mistake_in_setting_policies_is_named_and_changes_nothing(
    cloud: FakeCloud, web: IssuedCredentials, name: str, policies: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        cloud.set_policies(name, policies)
    assert text in str(raised.value)
    assert web.allows("oss:GetObject")


def test_policies_of_users_are_set_in_the_same_way(cloud: FakeCloud) -> None:
    key = cloud.access_key(cloud.add_user("bob"))
    cloud.set_policies("bob", ["ReadOnlyAccess"])
    assert key.allows("oss:GetObject")
    assert not key.allows("oss:PutObject")


def test_a_role_that_there_is_not_is_named_with_those_there_are(cloud: FakeCloud) -> None:
    with pytest.raises(KeyError, match=r"no role 'wbe'\. Its roles: web"):
        cloud.role("wbe")


def test_a_document_may_be_the_json_of_a_file(cloud: FakeCloud, web: IssuedCredentials) -> None:
    cloud.set_policies("web", [json.dumps(allow("oss:Get*"), indent=2)])
    assert web.allows("oss:GetObject")
    assert not web.allows("oss:PutObject")
