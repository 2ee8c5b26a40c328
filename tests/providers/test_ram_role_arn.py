from __future__ import annotations

import json
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    ConfigurationError,
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FetchContext,
    FetchError,
    FunctionProvider,
    ProviderUnavailable,
    RamRoleArnProvider,
    StaticProvider,
    StsError,
)

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

READ_ONLY = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}


def instance(cloud: FakeCloud) -> EcsRamRoleProvider:
    return EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)


def assumed(cloud: FakeCloud, name: str = "app", **more: object) -> RamRoleArnProvider:
    arn = cloud.add_role(name).arn
    source = more.pop("source", None) or instance(cloud)
    return RamRoleArnProvider(source, arn, endpoint=cloud.url, clock=cloud.clock, **more)  # type: ignore[arg-type]


def test_a_role_is_assumed_and_named_as_the_official_sdks_do(cloud: FakeCloud) -> None:
    credentials = assumed(cloud).get_credentials()
    assert credentials.provider_name == "ram_role_arn/ecs_ram_role"
    assert credentials.identity == cloud.role("app").arn
    assert cloud.is_valid(credentials.access_key_id, credentials.security_token)


def test_roles_chain_and_the_source_is_fetched_once_for_all(cloud: FakeCloud) -> None:
    first = assumed(cloud, "first")
    last = assumed(cloud, "last", source=first)
    other = assumed(cloud, "other", source=first)
    assert last.get_credentials().provider_name == "ram_role_arn/ram_role_arn/ecs_ram_role"
    other.get_credentials()
    cloud.assert_called_once("credentials")
    assert len(cloud.requests.to("AssumeRole")) == 3


def test_the_session_renews_in_the_background_before_it_expires(cloud: FakeCloud) -> None:
    provider = assumed(cloud)
    first = provider.get_credentials()
    cloud.clock.advance(minutes=50)
    second = provider.get_credentials()
    assert second.access_key_id != first.access_key_id
    assert len(cloud.requests.to("AssumeRole")) == 2


def test_the_default_session_name_is_meaningful_and_unique(cloud: FakeCloud) -> None:
    assumed(cloud, "one").get_credentials()
    assumed(cloud, "two").get_credentials()
    names = [dict(request.request.form)["RoleSessionName"] for request in cloud.requests.to("AssumeRole")]
    assert len(set(names)) == 2
    for name in names:
        assert name.startswith("ramrole-creds-")
        assert str(os.getpid()) in name
        assert len(name) <= 64


def test_a_template_names_host_pod_and_process(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "web-" + "x" * 80 + "-7d9f")
    assumed(cloud, session_name="{pod}@{process}").get_credentials()
    name = dict(cloud.assert_called_once("AssumeRole").request.form)["RoleSessionName"]
    assert name.endswith(f"-7d9f@{os.getpid()}")
    assert len(name) <= 64


@pytest.mark.parametrize(
    "name", ["a", "with space", "x" * 65, "{user}", "{", "ümlaut", "{host!r}", "{host:>80}", "a{{b}}"]
)
def test_a_session_name_that_sts_would_refuse_is_refused_at_once(cloud: FakeCloud, name: str) -> None:
    with pytest.raises(ConfigurationError):
        assumed(cloud, session_name=name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": 899},
        {"duration": float("nan")},
        {"duration": 43201},
        {"session_policy": "not json"},
        {"session_policy": {"no": "statement"}},
        {"session_policy": 7},
        {"session_policy": {"Version": "1", "Statement": ["x" * 3000]}},
        {"policy": READ_ONLY},
    ],
)
def test_arguments_that_sts_would_refuse_are_refused_at_once(cloud: FakeCloud, wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        assumed(cloud, "app", **wrong)


def test_a_name_that_would_be_too_long_loses_of_host_and_pod_only(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POD_NAME", "deployment-with-a-rather-long-name-7d9f8b6c5d-x2x4z")
    assumed(cloud, session_name="{pod}-{host}-{process}-{unique}").get_credentials()
    name = dict(cloud.assert_called_once("AssumeRole").request.form)["RoleSessionName"]
    assert len(name) <= 64
    assert f"-{os.getpid()}-" in name
    assert "x2x4z-" in name  # the end of a pod's name is what distinguishes it


def test_a_name_that_no_shorter_host_makes_short_enough_is_cut(cloud: FakeCloud) -> None:
    assumed(cloud, session_name="a" * 60 + "-{process}-{unique}").get_credentials()
    name = dict(cloud.assert_called_once("AssumeRole").request.form)["RoleSessionName"]
    assert name == ("a" * 60 + f"-{os.getpid()}-")[:64].ljust(64, name[-1])


@pytest.mark.parametrize("external_id", ["x", "two words", "x" * 1225, 7])
def test_an_external_id_that_sts_would_refuse_is_refused_at_once(cloud: FakeCloud, external_id: object) -> None:
    with pytest.raises(ConfigurationError, match="external id"):
        assumed(cloud, external_id=external_id)


def test_a_scoped_session_may_do_less_and_cannot_be_widened(cloud: FakeCloud) -> None:
    provider = assumed(cloud)
    scoped = provider.scoped(READ_ONLY)
    issued = cloud.credential_store.lookup(scoped.get_credentials().access_key_id)
    whole = cloud.credential_store.lookup(provider.get_credentials().access_key_id)
    assert issued is not None
    assert whole is not None
    assert issued.allows("oss:GetObject", "x")
    assert not issued.allows("oss:PutObject", "x")
    assert whole.allows("oss:PutObject", "x")
    with pytest.raises(ConfigurationError, match="already"):
        scoped.scoped(READ_ONLY)


def test_a_source_whose_credentials_sts_refuses_is_refreshed_once_and_asked_again(cloud: FakeCloud) -> None:
    source = instance(cloud)
    provider = assumed(cloud, source=source)
    cloud.credential_store.revoke(source.get_credentials().access_key_id)
    cloud.rotate()
    assert provider.get_credentials().identity == cloud.role("app").arn
    assert len(cloud.requests.to("AssumeRole")) == 2


def test_a_source_that_has_only_the_refused_keys_is_not_asked_in_a_circle(cloud: FakeCloud) -> None:
    provider = assumed(cloud, source=StaticProvider("LTAI5tNoSuchKey", "no-such-key"))
    with pytest.raises(StsError) as raised:
        provider.get_credentials()
    assert raised.value.code == "InvalidAccessKeyId.NotFound"
    cloud.assert_called_once("AssumeRole")


def test_an_unavailable_source_costs_no_call_of_sts(cloud: FakeCloud) -> None:
    provider = assumed(cloud, source=EnvironmentProvider())
    with pytest.raises(ProviderUnavailable):
        provider.get_credentials()
    cloud.assert_not_called("AssumeRole")


def test_a_permission_that_is_missing_is_not_asked_for_again_at_once(cloud: FakeCloud) -> None:
    cloud.set_policies("web", ())
    provider = assumed(cloud)
    for _ in range(5):
        with pytest.raises(StsError, match="the role's trust policy names it"):
            provider.get_credentials()
    cloud.assert_called_once("AssumeRole")


def test_external_id_and_source_identity_reach_sts(cloud: FakeCloud) -> None:
    assumed(cloud, external_id="partner-7", source_identity="alice", duration=900).get_credentials()
    form = dict(cloud.assert_called_once("AssumeRole").request.form)
    assert (form["ExternalId"], form["SourceIdentity"], form["DurationSeconds"]) == ("partner-7", "alice", "900")


def test_a_provider_over_static_keys_refuses_to_be_pickled_and_one_over_a_role_does_not() -> None:
    arn = "acs:ram::1:role/app"
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(RamRoleArnProvider(StaticProvider("LTAI", "keep-me"), arn))
    provider = RamRoleArnProvider(EcsRamRoleProvider(), arn, session_name="me")
    assert pickle.loads(pickle.dumps(provider)) is provider


def test_a_fetch_of_the_whole_is_bounded_though_the_source_hangs(cloud: FakeCloud) -> None:
    from threading import Event

    let_go = Event()

    def hang() -> Credentials:
        let_go.wait(10)
        return Credentials("LTAI", "s")

    provider = assumed(cloud, source=FunctionProvider(hang))
    with pytest.raises(FetchError, match="took longer"):
        provider.fetch(FetchContext.create(0.1))
    let_go.set()


def test_a_scoped_provider_differs_in_its_policy_only(cloud: FakeCloud) -> None:
    provider = RamRoleArnProvider(
        EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock),
        cloud.add_role("app").arn,
        session_name="me",
        duration=1800,
        external_id="partner-7",
        source_identity="alice",
        endpoint=cloud.url,
        clock=cloud.clock,
    )
    provider.scoped(READ_ONLY).get_credentials()
    sent = dict(cloud.assert_called_once("AssumeRole").request.form)
    assert (sent["RoleSessionName"], sent["DurationSeconds"]) == ("me", "1800")
    assert (sent["ExternalId"], sent["SourceIdentity"]) == ("partner-7", "alice")
    assert (sent["RoleArn"], json.loads(sent["Policy"])) == (cloud.role("app").arn, READ_ONLY)


def test_roles_that_are_chained_without_an_end_are_a_configuration_error(cloud: FakeCloud) -> None:
    key, arn = cloud.access_key(), cloud.add_role("app").arn
    provider: CredentialProvider = StaticProvider(key.access_key_id, key.access_key_secret)
    for _ in range(32):
        provider = RamRoleArnProvider(provider, arn, endpoint=cloud.url, clock=cloud.clock)
    assert provider.get_credentials().access_key_id.startswith("STS.")
    with pytest.raises(ConfigurationError, match="can have at most 32 roles"):
        RamRoleArnProvider(provider, arn)
