"""Which role's credentials are asked for, and what the error says when it is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds._cache.fetch_context import FetchContext
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.errors import ConfigurationError, MetadataError, ProviderUnavailable, RoleNotAttached
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web", mode="normal") as cloud:
        yield cloud


def client_of(cloud: FakeCloud) -> MetadataClient:
    return MetadataClient(cloud.url, clock=cloud.clock, transport=HttpTransport(sleep=lambda _seconds: None))


def fetch(provider: EcsRamRoleProvider, cloud: FakeCloud) -> str | None:
    return provider.fetch(FetchContext.create(clock=cloud.clock)).identity


def test_a_pinned_role_is_asked_for_directly(cloud: FakeCloud) -> None:
    credentials = client_of(cloud).role_credentials("web")
    assert credentials.identity == "web"
    assert credentials.provider_name == "ecs_ram_role"
    cloud.assert_not_called("role")


def test_a_pinned_role_that_is_not_the_attached_one_names_both(cloud: FakeCloud) -> None:
    with pytest.raises(MetadataError, match=r"'db' is not attached to .* role is 'web'") as raised:
        client_of(cloud).role_credentials("db")
    assert (raised.value.step, raised.value.status, raised.value.unrecoverable) == ("role", 404, True)
    cloud.assert_called_once("role")


def test_a_pinned_role_names_itself_where_none_is_attached(cloud: FakeCloud) -> None:
    cloud.detach_role()
    with pytest.raises(RoleNotAttached, match="neither 'db' nor another"):
        client_of(cloud).role_credentials("db")


def test_a_pinned_role_that_is_attached_this_moment_is_asked_for_again(cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", 404, times=1)
    assert client_of(cloud).role_credentials("web").identity == "web"


def test_a_listed_role_without_credentials_is_an_error_and_not_absence(cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", 404)
    for ask in (client_of(cloud).attached_role_credentials, client_of(cloud).role_credentials):
        with pytest.raises(MetadataError, match=r"'web' is listed as attached, but .* answered 404"):
            ask("web")
    assert len(cloud.requests) <= 11


def test_the_attached_role_is_remembered_and_not_listed_again(cloud: FakeCloud) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    assert [fetch(provider, cloud) for _ in range(3)] == ["web"] * 3
    cloud.assert_called("role", 1)


def test_a_replaced_role_is_followed(cloud: FakeCloud) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    fetch(provider, cloud)
    cloud.replace_role("web-2")
    assert fetch(provider, cloud) == "web-2"


def test_a_role_that_is_replaced_between_listing_and_asking_is_followed(cloud: FakeCloud) -> None:
    cloud.faults.add("role", 200, body="gone", times=1)
    assert client_of(cloud).attached_role_credentials(None).identity == "web"


def test_a_detached_role_is_reported_and_a_role_attached_later_is_found(cloud: FakeCloud) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    fetch(provider, cloud)
    cloud.detach_role()
    with pytest.raises(RoleNotAttached, match="AttachInstanceRamRole"):
        fetch(provider, cloud)
    cloud.attach_role("db")
    assert fetch(provider, cloud) == "db"


def test_of_several_roles_the_first_is_used_with_a_warning_and_all_are_listed(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.attach_role("db", allow_second=True)
    with caplog.at_level(logging.WARNING):
        assert client_of(cloud).attached_role_credentials(None).identity == "web"
    assert "several roles" in caplog.text
    assert client_of(cloud).role_names() == ("web", "db")
    with pytest.raises(MetadataError, match=r"'other' is not attached to .* role is 'web', 'db'"):
        client_of(cloud).role_credentials("other")


def test_the_listed_arn_of_a_proxy_is_asked_for_as_one_path_segment(cloud: FakeCloud) -> None:
    cloud.faults.add("role", 200, body="acs:ram::1234567890123456:role/web")
    with pytest.raises(MetadataError):
        client_of(cloud).attached_role_credentials(None)
    assert cloud.requests.to("credentials")[0].path.endswith("/acs%3Aram%3A%3A1234567890123456%3Arole%2Fweb")


def test_a_name_is_encoded_as_one_path_segment(cloud: FakeCloud) -> None:
    cloud.replace_role("a b@c%d~e.f_g-h")
    assert client_of(cloud).attached_role_credentials(None).identity == "a b@c%d~e.f_g-h"
    assert cloud.requests.to("credentials")[-1].path.endswith("/a%20b%40c%25d~e.f_g-h")


def test_the_role_comes_from_the_argument_then_from_the_variable(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "from-variable")
    with pytest.raises(MetadataError, match="'from-variable'"):
        fetch(EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), cloud)
    assert fetch(EcsRamRoleProvider("web", endpoint=cloud.url, clock=cloud.clock), cloud) == "web"
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "")
    assert fetch(EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), cloud) == "web"


@pytest.mark.parametrize(
    "name", ["acs:ram::1:role/web", "../web", "a/b", "a?b", "a#b", "a\\b", "a\nb", ".", "..", "\x00"]
)
def test_an_invalid_pinned_name_is_refused_before_any_request(name: str) -> None:
    with pytest.raises(ConfigurationError, match="role_name must be the name of a RAM role"):
        EcsRamRoleProvider(name)


@pytest.mark.parametrize("value", ["true", "TRUE", " True "])
def test_the_variable_that_switches_metadata_off_opens_no_connection(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", value)
    with pytest.raises(ProviderUnavailable, match="ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        fetch(EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), cloud)
    cloud.assert_not_called()


@pytest.mark.parametrize("value", ["1", "yes", "false", ""])
def test_nothing_but_the_word_true_switches_metadata_off(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", value)
    assert fetch(EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), cloud) == "web"


def test_the_variable_against_the_normal_mode_requires_a_token(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")
    cloud.quirks.token_status = 404
    with pytest.raises(MetadataError, match="ALIBABA_CLOUD_IMDSV1_DISABLED"):
        fetch(EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), cloud)
    cloud.assert_not_called("role")


def test_the_life_is_reckoned_against_the_servers_date_and_age(cloud: FakeCloud) -> None:
    cloud.faults.add("credentials", "date", seconds=-7200)
    cloud.faults.add("credentials", "age", seconds=3600)
    context = FetchContext.create(clock=cloud.clock)
    EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).fetch(context)
    assert context.server_time is not None
    assert context.server_time[0] == pytest.approx(cloud.clock.time() - 3600, abs=1)


@pytest.mark.parametrize("value", ["", "yesterday", "Tue, 99 Foo 2026 99:99:99 GMT", "9" * 3000])
def test_a_date_that_makes_no_sense_is_ignored(cloud: FakeCloud, value: str) -> None:
    cloud.faults.add("credentials", "date", value=value)
    context = FetchContext.create(clock=cloud.clock)
    EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).fetch(context)
    assert context.server_time is None


@pytest.mark.parametrize("days", [-3, 3, 7300], ids=["behind", "ahead", "years"])
def test_a_date_that_fits_the_expiration_is_believed_however_wrong_the_local_clock_is(
    cloud: FakeCloud, days: int
) -> None:
    class WrongClock:
        monotonic = cloud.clock.monotonic

        def time(self) -> float:
            return cloud.clock.time() + days * 86400

    assert MetadataClient(cloud.url, clock=WrongClock()).role_credentials("web").identity == "web"


def test_a_role_that_is_replaced_at_each_request_ends_in_an_error(cloud: FakeCloud) -> None:
    for name in ("first", "second"):
        cloud.faults.add("role", 200, body=name, times=1)
    cloud.faults.add("credentials", 404, times=None)
    with pytest.raises(MetadataError, match="second"):
        EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert len(cloud.requests.to("role")) == 2
