"""Conditions of RAM policies: every operator, its suffix, its quantifiers, and keys that a request lacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing.account.access import condition_context
from ramrole_creds.testing.account.policy_conditions import OPERATORS, conditions_hold, find_operator

HELD = [
    ("StringEquals", "a", ["b", "a"]),
    ("StringNotEquals", "a", ["b", "c"]),
    ("StringEqualsIgnoreCase", "Web", "wEB"),
    ("StringNotEqualsIgnoreCase", "Web", "app"),
    ("StringLike", "logs/2026/x", "logs/*"),
    ("StringLike", "v1", "v?"),
    ("StringNotLike", "logs/x", "data/*"),
    ("NumericEquals", "10", "10.0"),
    ("NumericNotEquals", "10", 11),
    ("NumericLessThan", "9", "10"),
    ("NumericLessThanEquals", "10", "10"),
    ("NumericGreaterThan", "11", "10"),
    ("NumericGreaterThanEquals", "10", "10"),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00"),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-02"),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "1767225600"),
    ("DateGreaterThan", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("Bool", "true", True),
    ("Bool", "false", "FALSE"),
    ("IpAddress", "10.1.2.3", ["192.168.0.0/16", "10.0.0.0/8"]),
    ("IpAddress", "2001:db8::1", "2001:db8::/32"),
    ("NotIpAddress", "10.1.2.3", "10.1.2.4"),
    ("Null", "a", "false"),
]
FAILED = [
    ("StringEquals", "a", "A"),
    ("StringNotEquals", "a", ["b", "a"]),
    ("StringEqualsIgnoreCase", "web", "app"),
    ("StringNotEqualsIgnoreCase", "web", "WEB"),
    ("StringLike", "logs", "logs/*"),
    ("StringNotLike", "logs/x", "logs/*"),
    ("NumericEquals", "ten", "10"),
    ("NumericNotEquals", "10", "10"),
    ("NumericLessThan", "10", "10"),
    ("NumericLessThanEquals", "11", "10"),
    ("NumericGreaterThan", "10", "10"),
    ("NumericGreaterThanEquals", "9", "10"),
    ("DateEquals", "2026-01-01T00:00:00Z", "tomorrow"),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01"),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("DateGreaterThanEquals", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    ("Bool", "true", "false"),
    ("IpAddress", "10.1.2.3", "10.1.2.0/31"),
    ("IpAddress", "not an address", "0.0.0.0/0"),
    ("NotIpAddress", "10.1.2.3", "10.1.2.0/24"),
    ("Null", "a", "true"),
    ("StringEqual", "a", "a"),
    ("ForEveryValue:StringEquals", "a", "a"),
]


def holds(operator: str, actual: str | tuple[str, ...] | None, wanted: object) -> bool:
    context = {} if actual is None else condition_context({"oss:Prefix": actual})
    return conditions_hold({operator: {"OSS:prefix": wanted}}, context)


@pytest.mark.parametrize(("operator", "actual", "wanted"), HELD)
def test_a_condition_holds(operator: str, actual: str, wanted: object) -> None:
    assert holds(operator, actual, wanted)


@pytest.mark.parametrize(("operator", "actual", "wanted"), FAILED)
def test_a_condition_fails(operator: str, actual: str, wanted: object) -> None:
    assert not holds(operator, actual, wanted)


def test_every_operator_is_tried_both_ways() -> None:
    assert {operator for operator, *_ in HELD} == set(OPERATORS)
    assert {operator for operator, *_ in FAILED} >= set(OPERATORS)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("IpAddressIfExists", True),
        ("NotIpAddress", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_key_that_the_request_lacks(operator: str, expected: bool) -> None:
    assert holds(operator, None, "10.0.0.1") is expected
    assert conditions_hold({"Null": {"oss:Prefix": True}}, {})


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("StringEquals", ("a", "z"), True),
        ("ForAnyValue:StringEquals", ("a", "z"), True),
        ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAnyValue:StringEquals", ("y", "z"), False),
        ("ForAllValues:StringNotEquals", ("y", "z"), True),
        ("ForAnyValue:StringNotEquals", ("a", "z"), True),
        ("StringNotEquals", ("a", "z"), False),
    ],
)
def test_a_key_with_several_values(operator: str, values: tuple[str, ...], expected: bool) -> None:
    assert holds(operator, values, ["a", "b"]) is expected


def test_all_operators_and_all_keys_of_a_block_must_hold() -> None:
    block = {"StringLike": {"k": "a*", "j": "b"}, "Bool": {"l": "true"}}
    whole = {"k": "abc", "j": "b", "l": "true"}
    assert conditions_hold(block, condition_context(whole))
    for missing in whole:
        rest = {key: value for key, value in whole.items() if key != missing}
        assert not conditions_hold(block, condition_context(rest))


@given(
    st.sampled_from(OPERATORS).filter(lambda name: name != "Null"),
    st.sampled_from(["", "ForAnyValue:", "ForAllValues:"]),
    st.sampled_from(["", "IfExists"]),
    st.text(max_size=9),
    st.text(max_size=9) | st.integers() | st.booleans() | st.lists(st.text(max_size=5), max_size=3),
)
def test_no_value_makes_an_operator_fail(name: str, prefix: str, suffix: str, actual: str, wanted: object) -> None:
    assert find_operator(prefix + name + suffix) is not None
    assert holds(prefix + name + suffix, actual, wanted) in (True, False)


@pytest.mark.parametrize("block", ["x", {"StringEquals": "k"}, ["StringEquals"], {"Bool": ["k"]}])
def test_a_block_that_cannot_be_read_never_holds(block: object) -> None:
    assert not conditions_hold(block, condition_context({"k": "x"}))
