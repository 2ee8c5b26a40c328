"""What was asked is kept, typed, printed without secrets, and asserted in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.testing import CredentialStore, FakeCloud, Identity, RequestLog, WireRequest, assert_no_secret_in
from ramrole_creds.testing.masking import leaked_marker, mask_header, mask_text
from ramrole_creds.testing.request_log import MAX_ENTRIES, RecordedRequest, describe_headers
from ramrole_creds.testing.server.gateway import signing_key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.testing.conftest import Answer

    Ask = Callable[..., Answer]

ROLES = "/latest/meta-data/ram/security-credentials/"


def test_assertions_find_requests_by_step_service_action_and_path(cloud: FakeCloud, ask: Ask) -> None:
    ask(ROLES)
    ask(ROLES + "web", headers={"User-Agent": "mine"})
    ask("/?Action=AssumeRole&Version=2015-04-01")
    for where in ("role", "credentials", "sts", "AssumeRole", ROLES + "w*", "GET " + ROLES):
        assert cloud.assert_called_once(where).number
    cloud.assert_called("metadata", 2, status=200, method="GET")
    cloud.assert_called_once("metadata", user_agent="mine")
    cloud.assert_not_called("token")
    assert [one.step for one in cloud.requests] == ["role", "credentials", ""]
    assert cloud.requests[-1].status == 400
    assert cloud.requests.counts() == {"role": 1, "credentials": 1, "sts": 1}


@pytest.mark.parametrize("name", ["PutObject", "DeleteObject", "ListObjectsV2", "UploadPart"])
def test_a_call_of_oss_that_would_match_nothing_is_refused(cloud: FakeCloud, name: str) -> None:
    """`assert_not_called("DeleteObject")` would always hold."""
    for use in (cloud.assert_called, cloud.assert_not_called, lambda where: cloud.faults.add(where, 503)):
        with pytest.raises(ValueError, match=r"Name them by method and path: 'PUT /bucket/\*'"):
            use(name)


def test_a_printed_request_names_its_service_and_its_action(cloud: FakeCloud, ask: Ask) -> None:
    ask("/?Action=AssumeRole&Version=2015-04-01")
    ask("/", headers={"x-acs-action": "DescribeRegions", "x-acs-version": "2014-05-26", "x-acs-date": "0"})
    ask("/?Action=a%0Ab&Version=2015-04-01")
    first, second, third = map(repr, cloud.requests)
    assert first.startswith("#1 08:00:00 sts AssumeRole: GET /?Action=AssumeRole")
    assert " openapi DescribeRegions: GET / → " in second
    assert "sts ?: GET" in third


def test_a_failed_assertion_prints_the_whole_sequence(cloud: FakeCloud, ask: Ask) -> None:
    ask(ROLES)
    with pytest.raises(AssertionError) as failure:
        cloud.assert_called_once("token")
    assert "expected 1 request(s) to 'token', got 0" in str(failure.value)
    assert f"#1 08:00:00 role: GET {ROLES} → 200" in str(failure.value)


def test_static_keys_are_noticed_and_session_keys_are_not(cloud: FakeCloud, call: Callable[..., Answer]) -> None:
    session = cloud.instance.credentials("web", cloud.clock.time())
    assert call(session, "GetCallerIdentity").status == 200
    cloud.assert_no_static_keys()
    assert call(cloud.access_key(), "GetCallerIdentity").status == 200
    with pytest.raises(AssertionError, match="signed with a long-term AccessKey"):
        cloud.assert_no_static_keys()


def test_tokenless_metadata_and_proxies_are_noticed(
    cloud: FakeCloud, ask: Ask, token: Callable[..., Mapping[str, str]]
) -> None:
    header = token()
    ask(ROLES, headers=header)
    ask(ROLES + "web", headers=header)
    cloud.requests.assert_no_tokenless_metadata()
    cloud.requests.assert_token_reused()
    cloud.requests.assert_no_proxy_headers()
    ask(ROLES, headers={"Via": "1.1 squid"})
    with pytest.raises(AssertionError, match="without a session token"):
        cloud.requests.assert_no_tokenless_metadata()
    with pytest.raises(AssertionError, match="proxy"):
        cloud.requests.assert_no_proxy_headers()


def test_nothing_secret_is_printed(
    cloud: FakeCloud, ask: Ask, call: Callable[..., Answer], token: Callable[..., Mapping[str, str]]
) -> None:
    ask(ROLES, headers=token())
    session = cloud.instance.credentials("web", cloud.clock.time())
    call(session, "GetCallerIdentity")
    ask(f"/?Action=X&SecurityToken=real-looking&Signature=abc%3D&AccessKeyId={session and session.access_key_id}")
    printed = str(cloud.requests) + "".join(describe_headers(one) for one in cloud.requests)
    assert leaked_marker(printed) is None
    for secret in ("real-looking", "abc%3D"):
        assert secret not in printed


def test_concurrency_and_connections_are_counted(cloud: FakeCloud, ask: Ask) -> None:
    ask(ROLES)
    ask(ROLES)
    assert cloud.requests.max_concurrency == 1
    assert [one.connection for one in cloud.requests] == [1, 2]
    cloud.requests.clear()
    assert str(cloud.requests) == "The fake cloud received no request."


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/", {"Authorization": "ACS3-HMAC-SHA256 Credential=STS.abcd,SignedHeaders=host,Signature=00"}, "STS.abcd"),
        ("/", {"Authorization": "OSS LTAIkey0:c2ln"}, "LTAIkey0"),
        ("/", {"Authorization": "OSS4-HMAC-SHA256 Credential=LTAIkey0/20270115/cn/oss/aliyun_v4_request"}, "LTAIkey0"),
        ("/", {"x-ots-accesskeyid": "LTAIkey0"}, "LTAIkey0"),
        ("/?AccessKeyId=LTAIkey0", {}, "LTAIkey0"),
        ("/b/k?OSSAccessKeyId=LTAIkey0", {}, "LTAIkey0"),
        ("/b/k?x-oss-credential=LTAIkey0%2F2027", {}, "LTAIkey0"),
        ("/latest/meta-data/", {}, None),
    ],
)
def test_the_key_that_signed_is_found_wherever_a_scheme_puts_it(
    target: str, headers: dict[str, str], expected: str | None
) -> None:
    assert signing_key_id(WireRequest("GET", target, tuple(headers.items()))) == expected


def test_the_key_is_found_in_a_form_body() -> None:
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    assert signing_key_id(WireRequest("POST", "/", form, b"Action=X&AccessKeyId=LTAIkey0")) == "LTAIkey0"


@given(st.text(), st.text())
def test_no_text_around_a_secret_unmasks_it(before: str, after: str) -> None:
    issued = CredentialStore(0).issue(Identity("acs:ram::1:user/x"), now=0, lifetime=60)
    token = CredentialStore(0).metadata_token()
    text = f"{before} {issued.access_key_secret} {issued.security_token} {token} {after}"
    assert leaked_marker(text) is not None
    masked = mask_text(text)
    assert leaked_marker(masked) is None
    for secret in (issued.access_key_secret, issued.security_token, token):
        assert str(secret)[:20] not in masked
    with pytest.raises(AssertionError, match="secret") as failure:
        assert_no_secret_in("clean", text)
    assert issued.access_key_secret not in str(failure.value)


def test_of_an_authorization_header_scheme_and_key_remain() -> None:
    shown = mask_header("Authorization", "ACS3-HMAC-SHA256 Credential=STS.abcdefgh,SignedHeaders=host,Signature=00ff")
    assert shown == "ACS3-HMAC-SHA256 STS.abcdefgh ***"
    assert mask_header("X-Acs-Security-Token", "anything") == "***"


def test_issued_values_have_the_real_shape_and_a_marker() -> None:
    issued = CredentialStore().issue(Identity("acs:ram::1:user/x"), now=0, lifetime=60)
    key = CredentialStore().issue(Identity("acs:ram::1:user/x"), now=0, lifetime=None)
    assert (len(issued.access_key_id), issued.access_key_id[:4]) == (29, "STS.")
    assert len(issued.access_key_secret) == 44
    assert issued.security_token is not None
    assert (len(issued.security_token), issued.security_token[:4]) == (524, "CAIS")
    assert (len(key.access_key_id), len(key.access_key_secret), key.security_token) == (24, 30, None)
    for text in (issued.access_key_id, issued.access_key_secret, issued.security_token, key.access_key_id):
        assert "FAKE" in text
    assert issued.access_key_secret not in repr(issued)


def test_a_long_log_is_cut_at_its_beginning() -> None:
    log = RequestLog()
    for number in range(70):
        log.begin(RecordedRequest(WireRequest("GET", f"/{number}")))
    assert "10 earlier ones" in str(log)
    assert "/69" in str(log)


def test_a_log_of_weeks_forgets_its_oldest_fifth() -> None:
    log = RequestLog()
    for _ in range(MAX_ENTRIES + 1):
        log.begin(RecordedRequest(WireRequest("GET", "/")))
    assert (len(log), log[0].number, repr(log)) == (
        MAX_ENTRIES + 1 - MAX_ENTRIES // 5,
        MAX_ENTRIES // 5 + 1,
        f"<RequestLog of {len(log)} requests>",
    )


def test_the_reuse_of_a_token_is_asserted(cloud: FakeCloud, ask: Ask, token: Callable[..., Mapping[str, str]]) -> None:
    ask("/latest/meta-data/instance-id", headers=token())
    with pytest.raises(AssertionError, match="one token for several requests, got 1 for 1"):
        cloud.requests.assert_token_reused()
