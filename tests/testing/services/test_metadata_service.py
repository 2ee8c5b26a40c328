"""The fake metadata service answers as the real one does, byte for byte where the bytes are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramrole_creds.testing import FakeCloud, RoleAlreadyAttached, VirtualClock, WireRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing import IssuedCredentials
    from tests.testing.conftest import Answer

    Ask = Callable[..., Answer]
    Token = Callable[..., Mapping[str, str]]

ROLES = "/latest/meta-data/ram/security-credentials/"
TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"

NOT_FOUND_PAGE = """\
<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>404 - Not Found</title>
 </head>
 <body>
  <h1>404 - Not Found</h1>
 </body>
</html>
"""


def test_role_listing_is_the_bare_name_without_a_newline(ask: Ask) -> None:
    answer = ask(ROLES)
    assert (answer.status, answer.body) == (200, b"web")


@pytest.mark.parametrize("directory", ["ram", "Ram"])
@pytest.mark.parametrize("version", ["latest", "2016-01-01"])
def test_credential_document_is_printed_as_documented(ask: Ask, version: str, directory: str) -> None:
    text = ask(f"/{version}/meta-data/{directory}/security-credentials/web").text
    assert re.fullmatch(
        r"""\{
  "AccessKeyId" : "STS\.NTFAKE[A-Za-z0-9]{19}",
  "AccessKeySecret" : "9kFAKESECRET[A-Za-z0-9]{32}",
  "Expiration" : "2027-01-15T14:00:00Z",
  "SecurityToken" : "CAISFAKETOKEN[A-Za-z0-9+/]+={1,2}",
  "LastUpdated" : "2027-01-15T08:00:00Z",
  "Code" : "Success"
\}""",
        text,
    ), "the document differs from the documented form"


@pytest.mark.parametrize("path", ["/latest/meta-data/nothing", ROLES + "wrong", "/latest/user-data", "/elsewhere"])
def test_unknown_things_get_the_404_page_of_the_real_service(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert (answer.status, answer.reason, answer.text) == (404, "Not Found", NOT_FOUND_PAGE)
    assert answer.headers["Content-Type"] == "text/html"


def test_without_a_role_listing_and_directory_entry_are_gone(ask: Ask, cloud: FakeCloud) -> None:
    assert "ram/" in ask("/latest/meta-data/").text.split("\n")
    cloud.detach_role()
    assert ask(ROLES).status == 404
    assert "ram/" not in ask("/latest/meta-data/").text.split("\n")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "2016-01-01\nlatest"),
        ("/latest/meta-data/region-id", "cn-hangzhou"),
        ("/latest/meta-data/instance/instance-type", "ecs.g7.large"),
        ("/latest/meta-data/ram", "security-credentials/"),
        ("/latest/meta-data/dns-conf/", "nameservers"),
        ("/latest/meta-data/dns-conf/nameservers", "100.100.2.136\n100.100.2.138"),
        ("/latest/maintenance/active-system-events", "[]"),
    ],
)
def test_items_and_directories(ask: Ask, path: str, expected: str) -> None:
    assert ask(path).text == expected


def test_directories_answer_with_and_without_a_slash(ask: Ask) -> None:
    assert ask("/latest/meta-data").text == ask("/latest/meta-data/").text


def test_identity_document_has_the_documented_keys_in_order(ask: Ask) -> None:
    document = ask("/latest/dynamic/instance-identity/document")
    assert list(document.json) == [
        "zone-id",
        "serial-number",
        "instance-id",
        "region-id",
        "private-ipv4",
        "owner-account-id",
        "mac",
        "image-id",
        "instance-type",
    ]
    assert "\n" not in document.text


def test_items_can_be_set_while_running(ask: Ask, cloud: FakeCloud) -> None:
    cloud.items["instance/spot/termination-time"] = "2027-01-15T09:00:00Z"
    cloud.set_user_data("#!/bin/sh\n")
    assert ask("/latest/meta-data/instance/spot/").text == "termination-time"
    assert ask("/latest/user-data").body == b"#!/bin/sh\n"


class TestToken:
    @pytest.mark.parametrize("ttl", [None, "", "0", "21601", "-1", "1.5", "6h", "٣", "1000000"])
    def test_a_missing_or_wrong_ttl_is_refused(self, ask: Ask, ttl: str | None) -> None:
        headers = {} if ttl is None else {TTL: ttl.encode().decode("latin-1")}
        answer = ask("/latest/api/token", "PUT", headers)
        assert (answer.status, answer.reason) == (400, "Missing or Invalid Parameters")
        assert "<h1>400 - " in answer.text

    @pytest.mark.parametrize("ttl", ["1", "21600"])
    def test_the_limits_are_allowed(self, token: Token, ttl: str) -> None:
        assert token(ttl)

    def test_a_proxy_is_refused(self, ask: Ask) -> None:
        assert ask("/latest/api/token", "PUT", {TTL: "60", "X-Forwarded-For": "10.0.0.1"}).status == 403

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_other_methods_are_not_allowed(self, ask: Ask, method: str) -> None:
        assert ask("/latest/api/token", method, {TTL: "60"}).status == 405

    def test_lives_for_its_ttl_and_not_a_second_longer(self, ask: Ask, token: Token, cloud: FakeCloud) -> None:
        header = token("60")
        cloud.clock.advance(59)
        assert ask(ROLES, headers=header).status == 200
        cloud.clock.advance(1)
        assert ask(ROLES, headers=header).status == 401

    def test_a_wrong_one_is_refused_in_normal_mode_too(self, ask: Ask) -> None:
        answer = ask(ROLES, headers={"x-aliyun-ecs-metadata-token": "wrong"})
        assert (answer.status, answer.reason) == (401, "Unauthorized")

    def test_several_are_valid_at_once(self, ask: Ask, token: Token) -> None:
        first, second = token(), token()
        assert first != second
        assert [ask(ROLES, headers=one).status for one in (first, second)] == [200, 200]


def test_hardened_mode_wants_a_token_and_can_be_switched_while_running(
    ask: Ask, token: Token, cloud: FakeCloud
) -> None:
    assert ask(ROLES).status == 200
    cloud.mode = "hardened"
    refused = ask(ROLES)
    assert refused.status == 403
    assert "403 - Forbidden" in refused.text
    assert ask(ROLES, headers=token()).status == 200
    cloud.mode = "normal"
    assert ask(ROLES).status == 200


def test_a_disabled_endpoint_answers_403_until_it_is_enabled(ask: Ask, cloud: FakeCloud) -> None:
    cloud.disable_endpoint()
    assert [ask(ROLES).status, ask("/latest/api/token", "PUT", {TTL: "60"}).status] == [403, 403]
    cloud.enable_endpoint()
    assert ask(ROLES).status == 200


def test_a_disabled_endpoint_may_also_refuse_connections(ask: Ask, cloud: FakeCloud) -> None:
    cloud.disable_endpoint("refuse")
    with pytest.raises(ConnectionRefusedError):
        ask(ROLES)
    cloud.enable_endpoint()
    assert ask(ROLES).status == 200


class TestRotation:
    def test_repeats_until_half_an_hour_before_the_end_then_overlaps(self, ask: Ask, cloud: FakeCloud) -> None:
        first = ask(ROLES + "web").json
        cloud.clock.advance(hours=5, minutes=30, seconds=-1)
        assert ask(ROLES + "web").json == first
        cloud.clock.advance(1)
        second = ask(ROLES + "web").json
        assert second["AccessKeyId"] != first["AccessKeyId"]
        assert second["Expiration"] == "2027-01-15T19:30:00Z"
        assert cloud.is_valid(first["AccessKeyId"], first["SecurityToken"])
        assert cloud.is_valid(second["AccessKeyId"], second["SecurityToken"])
        cloud.clock.advance(minutes=30)
        assert not cloud.is_valid(first["AccessKeyId"], first["SecurityToken"])

    @settings(max_examples=30)
    @given(lifetime=st.integers(2, 43200))
    def test_any_life_renews_at_half_of_it_or_half_an_hour_before_its_end(self, lifetime: int) -> None:
        clock = VirtualClock(1_800_000_000)
        cloud = FakeCloud(clock=clock, credential_lifetime=lifetime)

        def read() -> IssuedCredentials | None:
            return cloud.instance.credentials("web", clock.time())

        first = read()
        assert first is not None
        overlap = min(1800.0, lifetime / 2)
        clock.advance(lifetime - overlap - 0.25)
        assert read() is first
        clock.advance(0.25)
        second = read()
        assert second is not None
        assert second.access_key_id != first.access_key_id
        assert not first.is_expired(clock.time())

    def test_a_life_under_two_seconds_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="at least 2 seconds"):
            FakeCloud(credential_lifetime=1)

    def test_new_ones_can_be_asked_for_without_time_passing(self, ask: Ask, cloud: FakeCloud) -> None:
        first = ask(ROLES + "web").json
        cloud.rotate()
        assert ask(ROLES + "web").json["AccessKeyId"] != first["AccessKeyId"]
        assert cloud.is_valid(first["AccessKeyId"], first["SecurityToken"])


class TestRole:
    def test_replacing_leaves_a_gap_then_lists_the_other(self, ask: Ask, cloud: FakeCloud) -> None:
        cloud.replace_role("api", gap=60)
        assert ask(ROLES).status == 404
        cloud.clock.advance(60)
        assert ask(ROLES).text == "api"
        assert ask(ROLES + "web").status == 404

    def test_attaching_shows_after_the_propagation_delay(self, ask: Ask, cloud: FakeCloud) -> None:
        cloud.detach_role()
        cloud.propagation_delay = 90
        cloud.attach_role("late")
        cloud.clock.advance(89)
        assert ask(ROLES).status == 404
        cloud.clock.advance(1)
        assert ask(ROLES).text == "late"

    def test_detaching_leaves_issued_credentials_valid(self, ask: Ask, cloud: FakeCloud) -> None:
        issued = ask(ROLES + "web").json
        cloud.detach_role()
        assert ask(ROLES).status == 404
        assert cloud.is_valid(issued["AccessKeyId"], issued["SecurityToken"])

    def test_deleting_kills_issued_credentials_at_once(self, ask: Ask, cloud: FakeCloud) -> None:
        issued = ask(ROLES + "web").json
        cloud.delete_role("web")
        assert not cloud.is_valid(issued["AccessKeyId"], issued["SecurityToken"])
        assert ask(ROLES).status == 404

    def test_an_instance_has_one_role(self, cloud: FakeCloud) -> None:
        with pytest.raises(RoleAlreadyAttached, match="replace_role"):
            cloud.attach_role("second")

    def test_a_second_one_can_be_forced_for_hostile_tests(self, ask: Ask, cloud: FakeCloud) -> None:
        cloud.attach_role("second", allow_second=True)
        assert ask(ROLES).text == "web\nsecond"

    def test_a_name_with_blanks_and_an_at_sign_is_found_percent_encoded(self, ask: Ask, cloud: FakeCloud) -> None:
        cloud.replace_role("my role@corp")
        assert ask(ROLES).text == "my role@corp"
        assert ask(ROLES + "my%20role%40corp").status == 200


class TestQuirks:
    def test_each_changes_what_it_says(self, ask: Ask, token: Token, cloud: FakeCloud) -> None:
        cloud.quirks.listing_newline = True
        cloud.quirks.compact_json = True
        cloud.quirks.token_ttl_echo = True
        cloud.quirks.server = "ECSws"
        cloud.quirks.content_type = None
        assert ask(ROLES).text == "web\n"
        assert ask(ROLES + "web").text.startswith('{"AccessKeyId":"STS.')
        answer = ask("/latest/api/token", "PUT", {TTL: "60"})
        assert answer.headers[TTL] == "60"
        assert answer.headers["Server"] == "ECSws"
        assert "Content-Type" not in answer.headers
        cloud.quirks.only_latest_token = True
        old, new = token(), token()
        assert [ask(ROLES, headers=one).status for one in (old, new)] == [401, 200]

    def test_a_private_cloud_has_no_token_service(self, ask: Ask, cloud: FakeCloud) -> None:
        cloud.quirks.token_status = 404
        assert ask("/latest/api/token", "PUT", {TTL: "60"}).status == 404
        assert ask(ROLES).status == 200


def test_the_date_is_that_of_the_virtual_clock(ask: Ask, cloud: FakeCloud) -> None:
    cloud.clock.advance(days=1)
    assert ask("/").headers["Date"] == "Sat, 16 Jan 2027 08:00:00 GMT"


def test_head_is_answered_like_get_without_the_body(ask: Ask) -> None:
    answer = ask("/latest/meta-data/region-id", "HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "11")


def test_a_host_header_of_somebody_else_is_refused(ask: Ask) -> None:
    assert ask(ROLES, headers={"Host": "rebound.example.com"}).status == 403
    assert ask(ROLES, headers={"Host": "100.100.100.200"}).status == 200


def test_values_are_reproducible_from_the_seed() -> None:
    clock = VirtualClock(0)
    pair = [FakeCloud(clock=clock, seed="same").instance.credentials("web", 0) for _ in range(2)]
    other = FakeCloud(clock=clock, seed="other").instance.credentials("web", 0)
    assert pair[0] is not None
    assert pair[1] is not None
    assert other is not None
    assert pair[0].security_token == pair[1].security_token != other.security_token


@given(st.text(max_size=40))
def test_no_path_makes_the_service_stumble(path: str) -> None:
    cloud = FakeCloud(clock=VirtualClock(0), seed=0)
    target = "/latest/meta-data/" + path.encode("utf-8", "surrogatepass").decode("latin-1")
    assert cloud.metadata.handle(WireRequest("GET", target)).status in {200, 404}
