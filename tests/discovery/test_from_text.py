from __future__ import annotations

import json
import shlex
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from ramrole_creds import (
    CliProfileProvider,
    ConfigurationError,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    EnvironmentProvider,
    IniProfileProvider,
    OidcRoleArnProvider,
    ProcessProvider,
    ProviderChain,
    ProviderUnavailable,
    PushProvider,
    RamRoleArnProvider,
    RsaKeyPairProvider,
    StaticProvider,
    default_region,
    provider_from_config,
    provider_from_url,
)
from ramrole_creds._discovery.from_config import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files

KEYS = {"access_key_id": "a", "access_key_secret": "b"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("env://", EnvironmentProvider),
        ("ecs-ram-role://", EcsRamRoleProvider),
        ("ecs-ram-role://web?token_mode=require&connect_timeout=0.5", EcsRamRoleProvider),
        ("ecs_ram_role://web", EcsRamRoleProvider),
        ("oidc-role-arn://?role_arn=acs:ram::1:role/x&token_file=/t&oidc_provider_arn=p", OidcRoleArnProvider),
        ("cli-profile://prod?path=/etc/config.json", CliProfileProvider),
        ("profile://prod", IniProfileProvider),
        ("credential-uri://?uri=http://localhost:7002/api/v1/credentials/0", CredentialsUriProvider),
        ("ram-role-arn://acs:ram::1:role/x?source=ecs-ram-role://&duration=900&vpc=true", RamRoleArnProvider),
        ("rsa-key-pair://id?private_key_file=/key.pem", RsaKeyPairProvider),
        ("external:///usr/bin/tool%20--json", ProcessProvider),
        ("push://", PushProvider),
        ("chain://?link=env://&link=ecs-ram-role://web%3Ftoken_mode%3Drequire", ProviderChain),
        ("default://?only=env,ecs_ram_role&expect_role=web&policy.advisory_window=600", ProviderChain),
    ],
)
def test_every_provider_has_a_url(url: str, kind: type) -> None:
    assert type(provider_from_url(url)) is kind


def test_the_command_of_a_url_keeps_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = json.dumps({"access_key_id": "a", "access_key_secret": "b"})
    monkeypatch.chdir(tmp_path)
    command = shlex.join([sys.executable, "-c", f"print({document!r})"])
    url = f"external://{quote(command)}"
    assert provider_from_url(url).get_credentials().access_key_id == "a"


@pytest.mark.parametrize(
    "url",
    [
        *("", "env", "://x", "nobody://", "static://LTAI:hunter2@x", "ecs-ram-role://hunter2@x", "env://?x=hunter2"),
        *("env://?access_key_secret=hunter2", "ecs-ram-role://?security_token=hunter2", "push://?password=hunter2"),
        *("oauth://?refresh_token=hunter2", "static-ak://hunter2", "bearer://hunter2", "env://main"),
        *("ram-role-arn://", "ecs-ram-role://web?connect_timeout=soon", "default://?link=env://", "chain://"),
        *("ram-role-arn://acs:ram::1:role/x?source=nobody://", "default://?policy.retry_max=-1", "[://"),
        *("ecs-ram-role://[web", "ecs-ram-role://web?token_mode"),
        "credential-uri://?uri=http://me:hunter2@localhost/x",
        "credential-uri://http://me:hunter2@localhost/x",
    ],
)
def test_an_invalid_url_or_one_with_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider_from_url(url)
    assert "hunter2" not in str(raised.value)


def test_an_unknown_scheme_is_refused_with_a_list_of_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'esc-ram-role'.* default, chain, env, .*ecs-ram-role, ") as raised:
        provider_from_url("esc-ram-role://web")
    assert "_role" not in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"type": "access_key", "access_key_id": "a", "access_key_secret": "b"}, "static_ak"),
        ({"type": "sts", "access_key_id": "a", "access_key_secret": "b", "security_token": "t"}, "static_sts"),
        ({"type": "ecs_ram_role", "role_name": "web", "timeout": 5000, "connect_timeout": 100}, "ecs_ram_role"),
        (
            {"type": "ram_role_arn", "access_key_id": "a", "access_key_secret": "b", "role_arn": "acs:ram::1:role/x"},
            "ram_role_arn/static_ak",
        ),
        (
            {
                "type": "oidc_role_arn",
                "role_arn": "acs:ram::1:role/x",
                "oidc_provider_arn": "p",
                "oidc_token_file_path": "/t",
                "role_session_expiration": 900,
            },
            "oidc_role_arn",
        ),
        ({"type": "rsa_key_pair", "public_key_id": "a", "private_key_file": "/k"}, "rsa_key_pair"),
        ({"type": "credentials_uri", "credentials_uri": "http://localhost/x"}, "credential_uri"),
        ({"type": "default"}, "default"),
        ({}, "default"),
    ],
)
def test_every_type_of_the_official_configuration_becomes_a_provider(fields: dict[str, Any], name: str) -> None:
    assert provider_from_config(fields).get_provider_name() == name
    official = type("Config", (), {**dict.fromkeys(FIELDS), **fields})()
    assert provider_from_config(official).get_provider_name() == name


def test_a_configuration_may_be_a_mapping_as_the_official_library_spells_it(cloud: FakeCloud) -> None:
    fields = {"type": "ecs_ram_role", "roleName": "web", "disableIMDSv1": True, "connectTimeout": 500}
    provider = provider_from_config(fields, clock=cloud.clock)
    assert "'web'" in getattr(provider, "explain", str)()


def test_a_configuration_finds_its_uri_where_the_official_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="credentials_uri is missing"):
        provider_from_config({"type": "credentials_uri"})
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://localhost/x")
    assert isinstance(provider_from_config({"type": "credentials_uri"}), CredentialsUriProvider)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"type": "ecs_ram_role", "rolename": "web"}, "no field 'rolename'"),
        ({"type": "ecs_ram_role", "role_name": 5}, "role_name of a configuration must be a text"),
        ({"type": "ecs_ram_role", "timeout": "5000"}, "timeout of a configuration must be a number"),
        ("ecs_ram_role", "not str"),
    ],
)
def test_a_field_that_would_be_misread_is_refused(config: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        provider_from_config(config)


@pytest.mark.parametrize("fields", [KEYS, {"role_name": "web"}, {"type": "", **KEYS}, {"credentials_uri": "x"}])
def test_a_configuration_that_names_a_source_but_no_type_is_refused(fields: dict[str, Any]) -> None:
    says = f"has {'.*'.join(name for name in fields if name != 'type')}, but no type"
    with pytest.raises(ConfigurationError, match=says):
        provider_from_config(fields)
    with pytest.raises(ConfigurationError, match=says):
        provider_from_config(type("Config", (), {**dict.fromkeys(FIELDS), **fields})())


def test_time_limits_alone_keep_the_default_chain() -> None:
    assert provider_from_config({"timeout": 5000, "connectTimeout": 1000}).get_provider_name() == "default"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        pytest.param(object, "object", id="object"),
        pytest.param(lambda: StaticProvider("a", "b"), "StaticProvider", id="provider"),
        pytest.param(lambda: SimpleNamespace(type="access_key", **KEYS), "SimpleNamespace", id="keys"),
    ],
)
def test_what_is_not_a_configuration_is_refused_and_named(make: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"not .*{named}"):
        provider_from_config(make())


def test_configurations_of_other_official_libraries_are_refused_and_named() -> None:
    models = pytest.importorskip("alibabacloud_tea_openapi.models", reason="the extra tea")
    with pytest.raises(ConfigurationError, match=r"not alibabacloud_tea_openapi\..*Config"):
        provider_from_config(models.Config(**KEYS))


def test_urls_within_urls_have_a_limit() -> None:
    assert provider_from_url("chain://?link=" * 16 + "env://").get_provider_name() == "chain"
    for prefix in ("chain://?link=", "ram-role-arn://acs:ram::1:role/x?source="):
        with pytest.raises(ConfigurationError, match="at most 16 levels of other URLs"):
            provider_from_url(prefix * 3000 + "env://")


def test_an_unknown_parameter_of_a_url_gets_the_nearest_name_and_all() -> None:
    with pytest.raises(ConfigurationError, match=r"no argument 'tokn_mode'\. Did you mean 'token_mode'") as raised:
        provider_from_url("ecs-ram-role://web?tokn_mode=require")
    assert "Its arguments: role_name, endpoint, token_mode" in str(raised.value)


def test_fields_without_effect_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    provider_from_config({"type": "ecs_ram_role", "proxy": "http://proxy:3128", "host": ""})
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "proxy of the configuration has no effect here"
    ]


@pytest.mark.parametrize(
    "fields", [{"type": "bearer"}, {"type": "new"}, {"type": "access_key"}, {"type": "sts", "access_key_id": "a"}]
)
def test_a_configuration_that_gives_no_keys_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        provider_from_config(fields)


def test_static_keys_of_a_configuration_are_served() -> None:
    provider = provider_from_config({"type": "access_key", "access_key_id": "a", "access_key_secret": "b"})
    assert isinstance(provider, StaticProvider)
    assert provider.get_credentials().access_key_id == "a"


def test_where_a_token_is_required_the_region_is_not_asked_for_without(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.faults.add("token", 404)
    monkeypatch.setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")
    with pytest.raises(ProviderUnavailable):
        default_region(endpoint=cloud.url)
    cloud.requests.assert_no_tokenless_metadata()


def test_the_region_is_that_of_argument_variable_profile_and_instance(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderUnavailable, match="ALIBABA_CLOUD_REGION_ID"):
        default_region()
    assert default_region(endpoint=cloud.url) == cloud.items["region-id"]
    files.write_ini("[default]\ntype = access_key\nregion_id = cn-from-ini\n")
    assert default_region() == "cn-from-ini"
    files.write_cli({"mode": "AK", "region_id": "cn-from-cli"})
    assert default_region() == "cn-from-cli"
    monkeypatch.setenv("REGION", "europe")  # some other program's variable
    assert default_region() == "cn-from-cli"
    monkeypatch.setenv("REGION_ID", "cn-from-variable")
    assert default_region() == "cn-from-variable"
    assert default_region("eu-central-1") == "eu-central-1"
    with pytest.raises(ConfigurationError):
        default_region("nowhere")
    monkeypatch.setenv("ALIBABA_CLOUD_REGION_ID", "nowhere")
    with pytest.raises(ConfigurationError, match="ALIBABA_CLOUD_REGION_ID"):
        default_region()
