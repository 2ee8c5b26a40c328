"""Each field of profiles and configurations has its effect: on what STS is asked, or on where it is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    ConfigurationError,
    EcsRamRoleProvider,
    FetchError,
    IniProfileProvider,
    ProfileError,
    provider_from_config,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files

POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}'
KEYS = {"access_key_id": "LTAI5tof0the0profile", "access_key_secret": "s"}
ROLE = "acs:ram::1:role/x"
VPC_URL = "https://sts-vpc.cn-beijing.aliyuncs.com"
METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


def asked(cloud: FakeCloud, action: str, *names: str) -> list[str | None]:
    """What the one call of an action had for each parameter."""
    parameters = cloud.assert_called_once(action).request.parameters
    return [parameters.get(name) for name in names]


SESSION = ("RoleSessionName", "DurationSeconds", "Policy", "ExternalId")


def test_a_role_of_the_clis_profile_is_assumed_as_its_fields_say(
    cloud: FakeCloud, files: Files, keys: dict[str, str]
) -> None:
    fields = {"ram_session_name": "me", "expired_seconds": 1800, "policy": POLICY, "external_id": "partner-7"}
    files.write_cli({"mode": "RamRoleArn", **keys, "ram_role_arn": cloud.add_role("app").arn, **fields})
    CliProfileProvider(sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert asked(cloud, "AssumeRole", *SESSION) == ["me", "1800", POLICY, "partner-7"]


@pytest.mark.parametrize("variable", ["ALIBABA_CLOUD_EXTERNAL_ID", "ALIBABACLOUD_EXTERNAL_ID"])
def test_an_external_id_that_the_profile_lacks_is_that_of_the_environment(
    cloud: FakeCloud, files: Files, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "of-the-environment")
    profile = {"mode": "RamRoleArn", **keys, "ram_role_arn": cloud.add_role("app").arn}
    files.write_cli(profile, {**profile, "name": "own", "external_id": "of-the-profile"})
    for name in ("default", "own"):
        CliProfileProvider(name, sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    sent = [entry.request.parameters["ExternalId"] for entry in cloud.requests.to("AssumeRole")]
    assert sent == ["of-the-environment", "of-the-profile"]


def test_an_oidc_token_of_the_clis_profile_is_exchanged_as_its_fields_say(
    cloud: FakeCloud, files: Files, tmp_path: Path
) -> None:
    profile = {
        "mode": "OIDC",
        "ram_role_arn": cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
        "oidc_provider_arn": cloud.oidc.provider_arn,
        "oidc_token_file": str(cloud.oidc.write_token(tmp_path / "token")),
        "ram_session_name": "me",
        "expired_seconds": 1800,
        "policy": POLICY,
    }
    files.write_cli(profile)
    CliProfileProvider(sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert asked(cloud, "AssumeRoleWithOIDC", *SESSION[:3]) == ["me", "1800", POLICY]


CLI_STS = {
    "RamRoleArn": {**KEYS, "ram_role_arn": ROLE},
    "RamRoleArnWithRoleName": {"ram_role_arn": ROLE},
    "ChainableRamRoleArn": {"ram_role_arn": ROLE, "source_profile": "source"},
    "OIDC": {"ram_role_arn": ROLE, "oidc_provider_arn": "p", "oidc_token_file": "/t"},
}


@pytest.mark.parametrize("mode", CLI_STS)
@pytest.mark.parametrize("vpc", [True, "true"])
def test_the_clis_profile_names_the_sts(files: Files, mode: str, vpc: object) -> None:
    where = {"sts_region": "cn-beijing", "enable_vpc": vpc}
    files.write_cli({"mode": mode, **CLI_STS[mode], **where}, {"name": "source", "mode": "AK", **KEYS})
    assert VPC_URL in CliProfileProvider().explain()


def test_either_profile_names_the_sts_of_a_key_pair(files: Files) -> None:
    files.write_cli({"mode": "RsaKeyPair", "private_key": "/k", "key_pair_name": "id", "sts_region": "cn-beijing"})
    assert "https://sts.cn-beijing.aliyuncs.com" in CliProfileProvider().explain()
    files.write_ini("[default]\ntype=rsa_key_pair\npublic_key_id=id\nprivate_key_file=/k\nsts_region=cn-beijing\n")
    assert "https://sts.cn-beijing.aliyuncs.com" in IniProfileProvider().explain()


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        (KEYS, "AK"),
        ({**KEYS, "sts_token": "t"}, "StsToken"),
        ({**KEYS, "ram_role_arn": ROLE}, "RamRoleArn"),
        ({"private_key": "/k", "key_pair_name": "id"}, "RsaKeyPair"),
        ({"ram_role_name": "web"}, "EcsRamRole"),
        ({"process_command": "tool"}, "External"),
        ({"oidc_provider_arn": "p", "oidc_token_file": "/t", "ram_role_arn": ROLE}, "OIDC"),
    ],
)
def test_a_profile_without_a_mode_has_that_which_the_cli_guesses(
    files: Files, fields: dict[str, str], mode: str
) -> None:
    files.write_cli(fields)
    assert f"mode {mode}: would" in CliProfileProvider().explain()


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"cloud_sso_sign_in_url": "https://x/"}, "cloud_sso_account_id"), ({"bearer_token": "t"}, "BearerTokenProvider")],
)
def test_a_guessed_mode_is_refused_as_a_given_one(files: Files, fields: dict[str, str], says: str) -> None:
    files.write_cli(fields)
    with pytest.raises(ProfileError, match=says):
        CliProfileProvider().get_credentials()


def test_a_uri_that_the_clis_profile_lacks_is_that_of_the_environment(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_cli({"mode": "CredentialsURI"})
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", cloud.url + METADATA_PATH)
    assert CliProfileProvider(clock=cloud.clock).get_credentials().provider_name == "cli_profile/credential_uri"


@pytest.mark.parametrize(
    ("left", "used"),
    [(899, False), (901, True), pytest.param(9e11, False, id="after-year-9999")],
)
def test_a_session_that_the_cli_left_is_used_if_it_is_valid_long_enough(
    cloud: FakeCloud, files: Files, left: float, used: bool
) -> None:
    profile = {
        "mode": "CloudSSO",
        "cloud_sso_sign_in_url": "https://127.0.0.1:9/",
        "cloud_sso_account_id": "1",
        "cloud_sso_access_config": "ac",
        "access_token": "t",
        "sts_token": "t",
        "sts_expiration": int(cloud.clock.time()) + left,
    }
    files.write_cli({**profile, **KEYS})
    provider = CliProfileProvider(clock=cloud.clock)
    if used:
        assert provider.get_credentials().access_key_id == KEYS["access_key_id"]
    else:
        with pytest.raises(FetchError, match="could not be reached"):
            provider.get_credentials()


@pytest.mark.parametrize(
    "text", ["type=external\nprocess_command=x", "type=credentials_uri\ncredentials_uri=https://x/"]
)
def test_a_section_may_neither_run_a_command_nor_ask_a_uri_if_that_is_forbidden(
    files: Files, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "true")
    files.write_ini(f"[default]\n{text}\n")
    with pytest.raises(ProfileError, match="ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"):
        IniProfileProvider().get_credentials()
    files.write_cli({"mode": "CredentialsURI", "credentials_uri": "https://x/"})
    with pytest.raises(ProfileError, match="ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"):
        CliProfileProvider().get_credentials()


@pytest.mark.parametrize(
    "duration", ["role_session_expiration", "session_expiration", "duration_seconds", "expired_seconds"]
)
def test_a_role_of_a_section_is_assumed_as_its_keys_say(
    cloud: FakeCloud, files: Files, keys: dict[str, str], duration: str
) -> None:
    lines = [f"{name} = {value}" for name, value in keys.items()]
    lines += [f"role_arn = {cloud.add_role('app').arn}", "role_session_name = me", f"{duration} = 1800"]
    files.write_ini("\n".join(["[default]", "type = ram_role_arn", *lines, f"policy = {POLICY}", "external_id = p-7"]))
    IniProfileProvider(sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert asked(cloud, "AssumeRole", *SESSION) == ["me", "1800", POLICY, "p-7"]


def test_a_role_of_a_section_is_assumed_with_its_token_at_its_endpoint(cloud: FakeCloud, files: Files) -> None:
    source = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
    files.write_ini(
        f"[default]\ntype = ram_role_arn\naccess_key_id = {source.access_key_id}\n"
        f"access_key_secret = {source.access_key_secret}\nsecurity_token = {source.security_token}\n"
        f"role_arn = {cloud.add_role('app').arn}\nsts_endpoint = {cloud.url}\n"
    )
    assert IniProfileProvider(clock=cloud.clock).get_credentials().identity == cloud.role("app").arn


def test_an_oidc_token_of_a_section_is_exchanged_as_its_keys_say(
    cloud: FakeCloud, files: Files, tmp_path: Path
) -> None:
    files.write_ini(
        f"[default]\ntype = oidc_role_arn\nrole_arn = {cloud.add_role('pod', trust=cloud.oidc.trust()).arn}\n"
        f"oidc_provider_arn = {cloud.oidc.provider_arn}\nrole_session_name = me\nrole_session_expiration = 1800\n"
        f"oidc_token_file_path = {cloud.oidc.write_token(tmp_path / 'token')}\npolicy = {POLICY}\n"
    )
    IniProfileProvider(sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert asked(cloud, "AssumeRoleWithOIDC", *SESSION[:3]) == ["me", "1800", POLICY]


@pytest.mark.parametrize(
    "text",
    [
        f"type=ram_role_arn\naccess_key_id=a\naccess_key_secret=b\nrole_arn={ROLE}",
        f"type=oidc_role_arn\nrole_arn={ROLE}\noidc_provider_arn=p\noidc_token_file_path=/t",
    ],
)
@pytest.mark.parametrize("region", ["sts_region", "sts_region_id"])
def test_the_section_names_the_sts(files: Files, text: str, region: str) -> None:
    files.write_ini(f"[default]\n{text}\n{region} = cn-beijing\nenable_vpc = true\n")
    assert VPC_URL in IniProfileProvider().explain()


class TestOfficialConfiguration:
    def test_a_role_is_assumed_as_its_fields_say(self, cloud: FakeCloud, keys: dict[str, str]) -> None:
        fields: dict[str, Any] = {"role_session_expiration": 1800, "policy": POLICY, "external_id": "partner-7"}
        fields |= {"role_arn": cloud.add_role("app").arn, "role_session_name": "me", "sts_endpoint": cloud.url}
        provider_from_config({"type": "ram_role_arn", **keys, **fields}, clock=cloud.clock).get_credentials()
        assert asked(cloud, "AssumeRole", *SESSION) == ["me", "1800", POLICY, "partner-7"]

    def test_a_role_is_assumed_with_a_token(self, cloud: FakeCloud) -> None:
        source = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
        config = {
            "type": "ram_role_arn",
            "access_key_id": source.access_key_id,
            "access_key_secret": source.access_key_secret,
            "security_token": source.security_token,
            "role_arn": cloud.add_role("app").arn,
            "sts_endpoint": cloud.url,
            "duration_seconds": 900,
        }
        credentials = provider_from_config(config, clock=cloud.clock).get_credentials()
        assert credentials.provider_name == "ram_role_arn/static_sts"
        assert asked(cloud, "AssumeRole", "DurationSeconds") == ["900"]

    def test_an_oidc_token_is_exchanged_as_its_fields_say(self, cloud: FakeCloud, tmp_path: Path) -> None:
        config = {
            "type": "oidc_role_arn",
            "role_arn": cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
            "oidc_provider_arn": cloud.oidc.provider_arn,
            "oidc_token_file_path": str(cloud.oidc.write_token(tmp_path / "token")),
            "role_session_name": "me",
            "role_session_expiration": 1800,
            "policy": POLICY,
            "sts_endpoint": cloud.url,
        }
        provider_from_config(config, clock=cloud.clock).get_credentials()
        assert asked(cloud, "AssumeRoleWithOIDC", *SESSION[:3]) == ["me", "1800", POLICY]

    def test_no_request_without_a_token_is_sent_if_that_is_forbidden(
        self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", cloud.url)
        cloud.faults.add("token", 404)
        config = {"type": "ecs_ram_role", "role_name": "web", "disable_imds_v1": True}
        with pytest.raises(FetchError):
            provider_from_config(config, clock=cloud.clock).get_credentials()
        cloud.requests.assert_no_tokenless_metadata()
        cloud.faults.clear()
        del config["disable_imds_v1"]
        assert provider_from_config(config, clock=cloud.clock).get_credentials().identity == "web"

    def test_what_is_missing_is_to_be_added_to_the_configuration(self) -> None:
        """A Config is no profile."""
        with pytest.raises(ConfigurationError, match=r"role_arn is missing\. Add role_arn to the configuration\."):
            provider_from_config({"type": "ram_role_arn", **KEYS})

    def test_time_outs_are_milliseconds(self, cloud: FakeCloud) -> None:
        cloud.faults.add("credentials", "hang")
        config = {"type": "credentials_uri", "credentials_uri": cloud.url + METADATA_PATH, "timeout": 50}
        before = time.monotonic()
        with pytest.raises(FetchError, match="did not answer"):
            provider_from_config(config, clock=cloud.clock).get_credentials()
        assert time.monotonic() - before < 2  # the usual one is two seconds, tried three times

    def test_a_uri_and_keys_are_taken_as_they_are(self, cloud: FakeCloud) -> None:
        uri = {"type": "credentials_uri", "credentials_uri": cloud.url + METADATA_PATH}
        assert provider_from_config(uri, clock=cloud.clock).get_credentials().provider_name == "credential_uri"
        sts = {"type": "sts", **KEYS, "security_token": "t"}
        assert provider_from_config(sts).get_credentials().security_token == "t"
