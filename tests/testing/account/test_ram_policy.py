"""RAM policies: deny wins, and nothing is allowed that no statement allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing.account.access import condition_context
from ramrole_creds.testing.account.ram_policy import ALLOW_ALL, allow, allows, parse_policy, trusts

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


@given(st.text(max_size=200) | st.just("[" * 5000))
def test_what_is_no_policy_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        parse_policy(text)
