"""What RAM refuses when a policy is made: the error names the place and says what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing.account.policy_conditions import OPERATORS
from ramrole_creds.testing.account.policy_grammar import parse_policy, parse_trust_policy
from tests.testing.account.test_policy_conditions import HELD


def document(**elements: object) -> dict[str, Any]:
    """A policy with one statement, which allows `oss:*` on everything where nothing else is given."""
    statement = {"Effect": "Allow", "Action": "oss:*", "Resource": "*", **elements}
    return {"Version": "1", "Statement": [{k: v for k, v in statement.items() if v is not None}]}


def condition(operator: str, value: object) -> dict[str, Any]:
    return document(Condition={operator: {"k": value}})


@given(st.text(max_size=200) | st.just("[" * 5000))
def test_a_text_that_is_not_a_policy_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever is wrong with it
        parse_policy(text)


REFUSED = {
    "version": ({"Version": "2", "Statement": []}, """the Version of a policy is "1"; here it is '2'"""),
    "aws version": ({"Version": "2012-10-17", "Statement": []}, "here it is '2012-10-17'"),
    "number as version": ({"Version": 1, "Statement": []}, "here it is 1"),
    "no version": ({"Statement": []}, "here it is missing"),
    "no statement": ({"Version": "1"}, "an object with Version and Statement"),
    "one statement": (
        {"Version": "1", "Statement": {"Effect": "Allow"}},
        "the Statement of a policy is a list of objects",
    ),
    "list": ([], "an object with Version and Statement"),
    "text as statement": ({"Version": "1", "Statement": ["x"]}, r"Statement[0]: a statement is an object"),
    "unknown element": ({"Version": "1", "Statement": [], "Id": "x"}, "'Id' is not an element of a policy"),
    "effect": (document(Effect="allow"), 'Statement[0]: the Effect is "Allow" or "Deny"'),
    "no effect": (document(Effect=None), 'the Effect is "Allow" or "Deny"'),
    "no action": (document(Action=None), "either Action or NotAction"),
    "two actions": (document(NotAction="oss:*"), "either Action or NotAction"),
    "no resource": (document(Resource=None), "either Resource or NotResource"),
    "two resources": (document(NotResource="*"), "either Resource or NotResource"),
    "empty action": (document(Action=[]), "Action is a text, or a list of at least one text"),
    "empty resource": (document(Resource=[]), "Resource is a text, or a list of at least one text"),
    "number as action": (document(Action=["oss:GetObject", 5]), "Action is a text, or a list"),
    "list in a list": (document(Action=[["oss:GetObject"]]), "Action is a text, or a list"),
    "nothing in a list": (document(Resource=["*", None]), "Resource is a text, or a list"),
    "object as resource": (document(Resource={"acs": "*"}), "Resource is a text, or a list"),
    "misspelt": (document(Resorce="*"), "'Resorce' is not an element of a statement; did you mean 'Resource'?"),
    "principal": (document(Principal="*"), "only a trust policy has a Principal"),
    "action without service": (document(Action="GetObject"), "'GetObject' is not an action; write"),
    "action without name": (document(Action="oss:"), "'oss:' is not an action"),
    "blank in an action": (document(Action="oss: GetObject"), "'oss: GetObject' is not an action"),
    "two in one text": (document(Action="oss:Get*,oss:Put*"), "'oss:Get*,oss:Put*' is not an action"),
    "bucket as resource": (document(Resource="data/*"), "'data/*' is not a resource; write"),
    "aws resource": (document(Resource="arn:aws:s3:::data"), "'arn:aws:s3:::data' is not a resource"),
    "short resource": (document(Resource="acs:oss:data/*"), "'acs:oss:data/*' is not a resource"),
    "resource without name": (document(Resource="acs:oss:*:*:"), "'acs:oss:*:*:' is not a resource"),
    "operator": (condition("StringEqual", "v"), "no condition operator 'StringEqual'; did you mean 'StringEquals'?"),
    "case of an operator": (condition("stringEquals", "v"), "did you mean 'StringEquals'?"),
    "quantifier": (condition("ForEach:StringEquals", "v"), "no condition operator 'ForEach:StringEquals'"),
    "null if exists": (condition("NullIfExists", "true"), "no condition operator 'NullIfExists'"),
    "text as condition": (document(Condition={"StringEquals": "k"}), "maps operators to condition keys"),
    "list as condition": (document(Condition=[]), "maps operators to condition keys"),
    "no value": (condition("StringEquals", []), "the condition key 'k' has a value, or a list of values"),
    "nothing as value": (condition("StringEquals", None), "the condition key 'k' has a value"),
    "object as value": (condition("StringEquals", {"a": "b"}), "the condition key 'k' has a value"),
    "numeric": (condition("NumericLessThan", "ten"), "NumericLessThan of 'k' does not take 'ten'; write a number"),
    "date": (condition("DateGreaterThanIfExists", "soon"), "does not take 'soon'; write a time"),
    "basic form": (condition("DateLessThan", "20260812T170000Z"), "does not take '20260812T170000Z'; write a time"),
    "address": (condition("NotIpAddress", ["10.0.0.0/8", "office"]), "does not take 'office'; write an address"),
    "network": (condition("ForAnyValue:IpAddress", "10.0.0.0/99"), "does not take '10.0.0.0/99'"),
    "bool": (condition("Bool", "yes"), """Bool of 'k' does not take 'yes'; write "true" or "false\""""),
    "null": (condition("Null", "null"), "Null of 'k' does not take 'null'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_in_a_policy_is_named_with_its_place(name: str) -> None:
    given_document, problem = REFUSED[name]
    for spelt in (given_document, json.dumps(given_document)):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  # its text is compared below
            parse_policy(spelt)  # type: ignore[arg-type]  # what the test is about
        assert problem in str(raised.value)


ACCEPTED = {
    "sid": document(Sid="logs"),
    "lists": document(Action=["oss:Get*", "log:*"], Resource=["acs:oss:*:*:data", "acs:log:*:*:project/*"]),
    "one character": document(Action="oss:GetObjec?", Resource="acs:oss:*:*:dat?/*"),
    "service wildcard": document(Action="*:Describe*", Resource="acs:*:*:*:*"),
    "colon in a name": document(Resource="acs:mq:*:*:topic:a:b"),
    "variable": document(Resource="acs:oss:*:*:home/${acs:AccessId}/*"),
    "no condition": document(Condition={}),
    "if exists": condition("ForAllValues:StringNotLikeIfExists", ["a*", "b?"]),
    "unquoted": condition("Bool", value=True),
    "address of one machine": condition("IpAddress", "10.1.2.3"),
    "host bits": condition("IpAddress", "10.1.2.3/8"),
    "day": condition("DateLessThan", "2026-08-12"),
    "minutes": condition("DateLessThan", "2026-08-12T17:00Z"),
    "milliseconds": condition("DateLessThan", "2026-08-12T17:00:00.123Z"),
    "unix time": condition("DateLessThan", "1786550400"),
    "offset": condition("DateLessThan", "2026-08-12T17:00:00+08:00"),
    "no statements": {"Version": "1", "Statement": []},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_ram_documents_is_accepted(name: str) -> None:
    assert parse_policy(ACCEPTED[name]) == ACCEPTED[name]
    assert parse_policy(json.dumps(ACCEPTED[name])) == ACCEPTED[name]


@pytest.mark.parametrize("suffix", ["", "IfExists"])
@pytest.mark.parametrize("quantifier", ["", "ForAnyValue:", "ForAllValues:"])
def test_every_operator_is_accepted_with_the_values_that_it_reads(quantifier: str, suffix: str) -> None:
    operators = [(name, value) for name, _, value in HELD if name in OPERATORS and name != "Null"]
    for name, value in operators:
        assert parse_policy(condition(f"{quantifier}{name}{suffix}", value))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param({"Principal": {"RAM": []}}, "'RAM' is not a kind of Principal with names", id="empty"),
        pytest.param({"Principal": {"Ram": "x"}}, "did you mean 'RAM'?", id="case"),
        pytest.param({"Principal": "*"}, "has a Principal with RAM, Service or Federated", id="text"),
        pytest.param({"Principal": {"RAM": "*"}, "Resource": "*"}, "a trust policy has no Resource", id="resource"),
        pytest.param({"Principal": {"RAM": "*"}, "Action": "oss:*"}, "the Action of a trust policy", id="action"),
        pytest.param({"Principal": {"RAM": "*"}, "Condition": {"Bool": {"k": "x"}}}, "does not take 'x'", id="value"),
    ],
)
def test_a_mistake_in_a_trust_policy_is_named_too(statement: dict[str, object], problem: str) -> None:
    whole = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}]}
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # its text is compared below
        parse_trust_policy(whole)
    assert problem in str(raised.value)
