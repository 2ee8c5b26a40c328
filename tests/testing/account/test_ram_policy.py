"""RAM policies: deny wins, and nothing is allowed that no statement allows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing.account.access import condition_context
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.account.ram_policy import (
    ALLOW_ALL,
    Decision,
    allow,
    allows,
    decide,
    trusts,
)

DENY_DELETE = {"Version": "1", "Statement": [{"Effect": "Deny", "Action": ["oss:Delete*"], "Resource": "*"}]}


@pytest.mark.parametrize(
    ("documents", "action", "resource", "expected"),
    [
        ([], "oss:GetObject", "*", False),
        ([ALLOW_ALL], "oss:GetObject", "acs:oss:*:*:b/k", True),
        ([ALLOW_ALL, DENY_DELETE], "oss:DeleteObject", "*", False),
        ([DENY_DELETE, ALLOW_ALL], "oss:GetObject", "*", True),
        ([allow("oss:Get*")], "OSS:getobject", "*", True),
        ([allow("oss:Get*")], "oss:PutObject", "*", False),
        ([allow("oss:*", resource="acs:oss:*:*:mine/*")], "oss:PutObject", "acs:oss:*:1:mine/k", True),
        ([allow("oss:*", resource="acs:oss:*:*:mine/*")], "oss:PutObject", "acs:oss:*:1:yours/k", False),
        ([allow("oss:*", resource="acs:oss:*:*:Mine/*")], "oss:PutObject", "acs:oss:*:1:mine/k", False),
        ([allow("a:b[c]")], "a:bc", "*", False),
        ([allow("oss:*", resource="acs:oss:*:*:x")], "oss:PutObject", "acs:oss:cn:1:other:x", False),
        ([allow("oss:*", resource="acs:*:*:*:*")], "oss:PutObject", "acs:oss:cn:1:other:x", True),
        ([allow("oss:*", resource="acs:log:*:*:*")], "oss:PutObject", "acs:oss:cn:1:b/k", False),
        ([allow("oss:*", resource="acs:oss:oss-cn-*:1:b/*")], "oss:PutObject", "acs:oss:oss-cn-beijing:1:b/k", True),
        ([allow("oss:*", resource="acs:oss:*:2:b/*")], "oss:PutObject", "acs:oss:oss-cn-beijing:1:b/k", False),
        ([allow("oss:*", resource="acs:oss:*:*:b")], "oss:PutObject", "acs:oss:oss-cn-beijing:1:b/k", False),
        ([allow("oss:*", resource="acs:oss:*:*:b*")], "oss:PutObject", "acs:oss:oss-cn-beijing:1:b/k", True),
        ([allow("*:Get*")], "log:GetProject", "acs:log:cn:1:project/p", True),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "ram:*", "Resource": "*"}]}], "oss:Get", "*", True),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "ram:*", "Resource": "*"}]}], "ram:Get", "*", False),
    ],
)
def test_who_may_do_what(documents: list[dict[str, object]], action: str, resource: str, expected: bool) -> None:
    assert allows(documents, action, resource) is expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_deny_of_all_beats_every_allow(action: str, resource: str) -> None:
    deny = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    assert allows([ALLOW_ALL], action, resource)
    assert not allows([ALLOW_ALL, deny], action, resource)


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a"}}, {"k": "A"}, False),
        ({"StringEqualsIgnoreCase": {"k": "a"}}, {"k": "A"}, True),
        ({"StringLike": {"k": "a*"}}, {"k": "abc"}, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"NoSuchOperator": {"k": "a"}}, {"k": "a"}, False),
        ({"StringEquals": "k"}, {"k": "a"}, False),
    ],
)
def test_conditions_of_trust(condition: dict[str, object], context: dict[str, str], expected: bool) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": "me"}, "Condition": condition}
    values = condition_context(context)
    assert trusts({"Statement": [statement]}, "sts:AssumeRole", "RAM", ["me"], values) is expected


def test_a_denied_principal_is_not_trusted() -> None:
    both = [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": ["*"]}},
        {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"RAM": ["mallory"]}},
    ]
    assert trusts({"Statement": both}, "sts:AssumeRole", "RAM", ["alice"], {})
    assert not trusts({"Statement": both}, "sts:AssumeRole", "RAM", ["mallory"], {})
    assert not trusts({"Statement": both}, "sts:AssumeRole", "Service", ["alice"], {})


def one(**elements: object) -> str:
    """A policy with one statement, which allows `oss:*` on everything unless told otherwise."""
    statement = {"Effect": "Allow", "Action": "oss:*", "Resource": "*", **elements}
    return json.dumps({"Version": "1", "Statement": [{k: v for k, v in statement.items() if v is not None}]})


@pytest.mark.parametrize(
    ("elements", "action", "resource", "expected"),
    [
        ({"NotResource": "acs:oss:*:*:secret/*"}, "oss:GetObject", "acs:oss:x:1:open/k", True),
        ({"NotResource": "acs:oss:*:*:secret/*"}, "oss:GetObject", "acs:oss:x:1:secret/k", False),
        ({"NotAction": ["oss:Delete*"]}, "oss:GetObject", "acs:oss:x:1:b/k", True),
        ({"NotAction": ["oss:Delete*"]}, "OSS:deleteobject", "acs:oss:x:1:b/k", False),
        ({"Resource": "acs:ecs:*:*:instance/i-1"}, "oss:Any", "*", False),
        ({"Resource": "acs:oss:*:*:b?"}, "oss:Any", "acs:oss:x:1:b1", True),
    ],
)
def test_what_a_statement_excludes(elements: dict[str, object], action: str, resource: str, expected: bool) -> None:
    if "NotResource" in elements:
        elements["Resource"] = None
    if "NotAction" in elements:
        elements["Action"] = None
    assert allows([parse_policy(one(**elements))], action, resource) is expected


def test_a_statement_counts_only_where_its_condition_holds() -> None:
    office = {"IpAddress": {"acs:SourceIp": "203.0.113.0/24"}}
    inside, outside = ({"acs:sourceip": (address,)} for address in ("203.0.113.9", "198.51.100.1"))
    allowing = [parse_policy(one(Condition=office))]
    denying = [ALLOW_ALL, parse_policy(one(Effect="Deny", Condition={"NotIpAddress": office["IpAddress"]}))]
    for documents in (allowing, denying):
        assert decide(documents, "oss:GetObject", "*", inside) is Decision.ALLOW
    assert decide(allowing, "oss:GetObject", "*", outside) is Decision.IMPLICIT_DENY
    assert decide(denying, "oss:GetObject", "*", outside) is Decision.EXPLICIT_DENY


def test_a_trust_policy_of_another_action_trusts_nobody() -> None:
    other = {"Effect": "Allow", "Action": "sts:SetSourceIdentity", "Principal": {"RAM": ["me"]}}
    assert not trusts({"Statement": [other]}, "sts:AssumeRole", "RAM", ["me"], {})
    both = {**other, "Action": ["sts:SetSourceIdentity", "sts:AssumeRole"]}
    assert trusts({"Statement": [both]}, "sts:AssumeRole", "RAM", ["me"], {})
