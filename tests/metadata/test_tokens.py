"""The session token of the hardened mode: requested once, kept, renewed, left out only without a token service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import ConfigurationError, MetadataError, RamRoleError
from ramrole_creds.metadata import MetadataClient, TokenMode
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

SIX_HOURS = 21600
TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="hardened") as cloud:
        yield cloud


def client_of(cloud: FakeCloud, mode: TokenMode = "prefer", read_timeout: float = 2.0) -> MetadataClient:
    transport = HttpTransport(read_timeout=read_timeout, sleep=lambda _seconds: None)
    return MetadataClient(cloud.url, mode, clock=cloud.clock, transport=transport)


def test_a_token_is_asked_for_as_documented(cloud: FakeCloud) -> None:
    client_of(cloud).get("region-id")
    put = cloud.assert_called_once("token", method="PUT")
    assert put.path == "/latest/api/token"
    assert put.header(TTL_HEADER) == str(SIX_HOURS)
    assert [value for name, value in put.request.headers if name.lower() == "content-length"] == ["0"]
    assert put.header("Expect") is None


def test_one_token_serves_every_request_while_it_lives(cloud: FakeCloud) -> None:
    client = client_of(cloud)
    for _ in range(3):
        client.attached_role_credentials(None)
        cloud.clock.advance(hours=1)
    cloud.requests.assert_token_reused()
    cloud.requests.assert_no_tokenless_metadata()


def test_a_token_is_renewed_shortly_before_its_end(cloud: FakeCloud) -> None:
    client = client_of(cloud)
    client.get("region-id")
    cloud.clock.advance(SIX_HOURS - 31)
    client.get("region-id")
    cloud.assert_called("token", 1)
    cloud.clock.advance(2)
    client.get("region-id")
    cloud.assert_called("token", 2)
    cloud.assert_called("item", 3, status=200)


def test_a_shorter_life_that_the_service_grants_is_believed(cloud: FakeCloud) -> None:
    cloud.faults.add("token", "header", name=TTL_HEADER, value="60")
    client = client_of(cloud)
    client.get("region-id")
    cloud.clock.advance(53)
    client.get("region-id")
    cloud.assert_called("token", 1)
    cloud.clock.advance(2)
    client.get("region-id")
    cloud.assert_called("token", 2)


@pytest.mark.parametrize("granted", ["", "0", "-60", "abc", "60.5", "21601", "9" * 5000, "\uff16\uff10", "1_0"])
def test_a_granted_life_that_makes_no_sense_is_ignored(cloud: FakeCloud, granted: str) -> None:
    cloud.faults.add("token", "header", name=TTL_HEADER, value=granted.encode().decode("latin-1"))
    client = client_of(cloud)
    client.get("region-id")
    cloud.clock.advance(hours=5)
    client.get("region-id")
    cloud.assert_called("token", 1)


def test_a_revoked_token_is_replaced_once(cloud: FakeCloud) -> None:
    client = client_of(cloud)
    client.get("region-id")
    cloud.metadata.forget_tokens()
    assert client.get("region-id") == cloud.items["region-id"]
    cloud.assert_called("token", 2)
    assert [entry.status for entry in cloud.requests.to("item")] == [200, 401, 200]


def test_where_each_new_token_ends_the_one_before_two_clients_get_along(cloud: FakeCloud) -> None:
    cloud.quirks.only_latest_token = True
    one, other = client_of(cloud), client_of(cloud)
    for client in (one, other, one, other):
        client.attached_role_credentials(None)


def test_a_wall_clock_that_jumps_does_not_age_a_token(cloud: FakeCloud) -> None:
    client = client_of(cloud)
    client.get("region-id")
    cloud.clock.step_wall(8 * 3600)
    client.get("region-id")
    cloud.clock.step_wall(-16 * 3600)
    client.get("region-id")
    cloud.assert_called("token", 1)


def test_threads_share_the_token(cloud: FakeCloud) -> None:
    client = client_of(cloud)
    client.get("region-id")
    cloud.metadata.forget_tokens()
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: client.attached_role_credentials("web"), range(64)))
    assert len({one.access_key_id for one in results}) == 1
    assert len(cloud.requests.to("token")) <= 1 + 16


@pytest.mark.parametrize("fault", ["hang", "reset", "close"])
def test_a_service_that_issued_a_token_is_not_asked_without_one(cloud: FakeCloud, fault: str) -> None:
    client = client_of(cloud, read_timeout=0.1)
    client.get("region-id")
    cloud.metadata.forget_tokens()
    cloud.faults.add("token", fault)
    with pytest.raises(MetadataError, match=r"PUT .*/latest/api/token"):
        client.get("region-id")
    cloud.faults.clear()
    assert client.get("region-id") == "cn-hangzhou"
    cloud.requests.assert_no_tokenless_metadata()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_service_without_tokens_is_remembered_for_hours(cloud: FakeCloud, status: int) -> None:
    cloud.mode = "normal"
    cloud.quirks.token_status = status
    client = client_of(cloud)
    for _ in range(5):
        client.attached_role_credentials(None)
        cloud.clock.advance(hours=1)
    cloud.assert_called("token", 1)
    cloud.clock.advance(hours=1)
    client.attached_role_credentials(None)
    cloud.assert_called("token", 2)


def test_the_time_out_of_an_unanswered_token_call_is_paid_once(cloud: FakeCloud) -> None:
    cloud.mode = "normal"
    cloud.faults.add("token", "hang")
    client = client_of(cloud, read_timeout=0.1)
    for _ in range(3):
        client.attached_role_credentials(None)
    cloud.assert_called("token", 1)


@pytest.mark.parametrize("refusal", [401, 403])
def test_an_instance_that_was_hardened_meanwhile_is_asked_for_a_token_again(cloud: FakeCloud, refusal: int) -> None:
    cloud.mode = "normal"
    cloud.quirks.token_status = 404
    cloud.quirks.tokenless_status = refusal
    client = client_of(cloud)
    client.attached_role_credentials(None)
    cloud.mode, cloud.quirks.token_status = "hardened", None
    cloud.requests.clear()
    client.attached_role_credentials("web")
    client.attached_role_credentials("web")
    assert [entry.step for entry in cloud.requests] == ["credentials", "token", "credentials", "credentials"]


@pytest.mark.parametrize("what", [400, 401, 429, 500, 503, "garbage", "garbage-body", "redirect", "oversize"])
def test_no_other_failure_leads_to_a_request_without_a_token(cloud: FakeCloud, what: int | str) -> None:
    cloud.mode = "normal"
    cloud.faults.add("token", what)
    with pytest.raises(MetadataError) as raised:
        client_of(cloud).attached_role_credentials(None)
    assert raised.value.step == "token"
    cloud.assert_not_called("role")
    cloud.assert_not_called("credentials")


@pytest.mark.parametrize("what", [400, 403, 404, 405, 501, 503, "reset", "close", "hang", "garbage", "redirect"])
def test_where_a_token_is_required_nothing_is_ever_asked_without(cloud: FakeCloud, what: int | str) -> None:
    cloud.faults.add("token", what)
    client = client_of(cloud, "require", read_timeout=0.1)
    for _ in range(2):
        with pytest.raises(RamRoleError):
            client.attached_role_credentials(None)
    cloud.requests.assert_no_tokenless_metadata()
    cloud.assert_not_called("role")


@pytest.mark.parametrize(("mode", "quirk"), [("require", None), ("prefer", 403)])
def test_a_token_that_gets_lost_on_the_way_back_has_the_hop_limit_for_a_cause_too(
    cloud: FakeCloud, mode: TokenMode, quirk: int | None
) -> None:
    cloud.faults.add("token", "hang")
    cloud.quirks.tokenless_status = quirk or cloud.quirks.tokenless_status
    with pytest.raises(MetadataError, match="HttpPutResponseHopLimit"):
        client_of(cloud, mode, read_timeout=0.1).attached_role_credentials(None)


def test_without_tokens_means_without(cloud: FakeCloud) -> None:
    cloud.mode = "normal"
    client_of(cloud, "off").attached_role_credentials(None)
    cloud.assert_not_called("token")


def test_a_hardened_instance_explains_a_refusal_without_a_token(cloud: FakeCloud) -> None:
    with pytest.raises(MetadataError, match="requires the hardened mode: do not set token_mode='off'") as raised:
        client_of(cloud, "off").attached_role_credentials(None)
    assert raised.value.unrecoverable
    cloud.assert_not_called("token")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="token_mode"):
        MetadataClient(token_mode="always")  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "1"])
def test_timeouts_that_make_no_sense_are_refused(seconds: object) -> None:
    with pytest.raises(ConfigurationError, match="connect_timeout"):
        MetadataClient(connect_timeout=seconds)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="read_timeout"):
        MetadataClient(read_timeout=seconds)  # type: ignore[arg-type]


def test_a_service_that_refuses_every_new_token_is_left_alone_for_a_growing_time(cloud: FakeCloud) -> None:
    cloud.faults.add("item", 401)
    client = client_of(cloud)
    for _ in range(50):
        with pytest.raises(
            MetadataError, match=r"401.*rejects the token that it issued a moment ago.*next request is sent in 1 s"
        ) as raised:
            client.get("region-id")
        assert raised.value.retry_after == 1.0
    assert cloud.requests.counts() == {"token": 2, "item": 2}
    cloud.clock.advance(1)
    for pause in ("2", "4", "8"):
        with pytest.raises(MetadataError, match=f"in {pause} s"):
            client.get("region-id")
        cloud.clock.advance(float(pause))
    cloud.assert_called("token", 8)
    cloud.faults.clear()
    client.get("region-id")
    client.get("region-id")
    cloud.assert_called("token", 9)


@pytest.mark.parametrize(("value", "waits"), [("1", 0), ("2", 1), ("", 2), ("5", 4)])
def test_the_number_of_attempts_comes_from_the_environment(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, value: str, waits: int
) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ATTEMPTS", value)
    cloud.faults.add("item", 503, retry_after=0)
    with pytest.raises(MetadataError) as raised:
        MetadataClient(cloud.url, "off", clock=cloud.clock).get("region-id")
    assert raised.value.attempts == waits + 1


def test_the_timeout_comes_from_the_argument_then_from_the_environment(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.faults.add("metadata", "hang")
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ATTEMPTS", "1")
    for variable, argument in (("0.1", None), ("30", 0.1)):
        monkeypatch.setenv("RAMROLE_CREDS_METADATA_TIMEOUT", variable)
        with pytest.raises(RamRoleError) as raised:
            MetadataClient(cloud.url, "off", read_timeout=argument, clock=cloud.clock).get("region-id")
        assert getattr(raised.value, "elapsed", 30.0) < 5


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEOUT", "0"), ("TIMEOUT", "-1"), ("TIMEOUT", "nan"), ("TIMEOUT", "1s"), ("ATTEMPTS", "0"), ("ATTEMPTS", "99")],
)
def test_a_variable_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RAMROLE_CREDS_METADATA_{name}", value)
    with pytest.raises(ConfigurationError, match=f"RAMROLE_CREDS_METADATA_{name} must be a number"):
        MetadataClient()
