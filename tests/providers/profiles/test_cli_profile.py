"""Profiles of the aliyun CLI."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramrole_creds import (
    CliProfileProvider,
    FetchError,
    ProfileError,
    ProviderUnavailable,
    StsError,
    default_provider,
)
from ramrole_creds.providers.profiles.cli_config import find_profile, load_config
from ramrole_creds.providers.profiles.files import ProfilePath

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files


METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


def cli(cloud: FakeCloud, name: str | None = None, **more: Any) -> CliProfileProvider:
    return CliProfileProvider(name, endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock, **more)


def modes(cloud: FakeCloud, keys: dict[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    app = cloud.add_role("app").arn
    pod = cloud.add_role("pod", trust=cloud.oidc.trust()).arn
    printed = folder / "printed.json"
    printed.write_text(json.dumps({"mode": "AK", **keys}))
    command = shlex.join([sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(printed)])
    return {
        "static_ak": {"mode": "AK", **keys},
        "static_sts": {"mode": "StsToken", **keys, "sts_token": "a-token"},
        "ram_role_arn/static_ak": {
            "mode": "RamRoleArn",
            **keys,
            "ram_role_arn": app,
            "ram_session_name": "me",
            "expired_seconds": 900,
        },
        "ecs_ram_role": {"mode": "EcsRamRole", "ram_role_name": "web"},
        "ram_role_arn/ecs_ram_role": {"mode": "RamRoleArnWithRoleName", "ram_role_arn": app, "ram_session_name": "me"},
        "ram_role_arn/ram_role_arn/static_ak": {
            "mode": "ChainableRamRoleArn",
            "source_profile": "ram_role_arn/static_ak",
            "ram_role_arn": app,
            "ram_session_name": "me",
        },
        "oidc_role_arn": {
            "mode": "OIDC",
            "ram_role_arn": pod,
            "oidc_provider_arn": cloud.oidc.provider_arn,
            "oidc_token_file": str(cloud.oidc.write_token(folder / "token")),
            "ram_session_name": "from-the-file",
        },
        "external": {"mode": "External", "process_command": command},
        "credential_uri": {"mode": "CredentialsURI", "credentials_uri": cloud.url + METADATA_PATH},
    }


MODES = [
    "static_ak",
    "static_sts",
    "ram_role_arn/static_ak",
    "ecs_ram_role",
    "ram_role_arn/ecs_ram_role",
    "ram_role_arn/ram_role_arn/static_ak",
    "oidc_role_arn",
    "external",
    "credential_uri",
]


@pytest.mark.parametrize("name", MODES)
def test_every_mode_of_the_cli_gives_credentials(
    cloud: FakeCloud, keys: dict[str, str], files: Files, tmp_path: Path, name: str
) -> None:
    files.write_cli(*({**profile, "name": title} for title, profile in modes(cloud, keys, tmp_path).items()))
    provider = cli(cloud, name)
    assert provider.get_credentials().provider_name == f"cli_profile/{name}"
    assert "mode" in provider.explain()


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"mode": "AK", "access_key_id": "LTAI"}, "access_key_secret is missing"),
        ({"mode": "StsToken", "access_key_id": "LTAI", "access_key_secret": "s3cr3t"}, "sts_token is missing"),
        ({"mode": "RamRoleArn", "access_key_id": "a", "access_key_secret": "s3cr3t"}, "ram_role_arn is missing"),
        ({"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x"}, "source_profile is missing"),
        (
            {"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x", "source_profile": "nobody"},
            "no profile of the name",
        ),
        (
            {"mode": "ChainableRamRoleArn", "ram_role_arn": "acs:ram::1:role/x", "source_profile": "default"},
            r"leads back to itself \(default → default\)",
        ),
        ({"mode": "OIDC"}, "ram_role_arn, oidc_provider_arn and oidc_token_file are missing"),
        ({"mode": "External"}, "process_command is missing"),
        ({"mode": "External", "process_command": "'unbalanced"}, "cannot be split"),
        ({"mode": "CredentialsURI"}, "credentials_uri is missing"),
        ({"mode": "CredentialsURI", "credentials_uri": "http://example.com/s3cr3t"}, "plain http"),
        ({"mode": "CloudSSO"}, "missing"),
        ({"mode": "OAuth"}, "oauth_access_token is missing"),
        ({"mode": "RsaKeyPair", "private_key": "/x"}, "key_pair_name is missing"),
        ({"mode": "BearerToken", "bearer_token": "s3cr3t"}, "BearerTokenProvider"),
        ({"mode": "Anonymous"}, "Anonymous"),
        ({"mode": "Quantum"}, "not supported by this version"),
        ({"mode": 7}, "mode must be a text"),
        ({"mode": "AK", "access_key_id": 7, "access_key_secret": "s3cr3t"}, "access_key_id must be a text"),
        ({"mode": "AK", "access_key_id": "a", "access_key_secret": "s3cr3t with blank"}, "blank"),
        ({"mode": "CloudSSO", "sts_expiration": "9" * 5000}, "missing"),
        (
            {
                "mode": "RamRoleArn",
                "access_key_id": "a",
                "access_key_secret": "s3cr3t",
                "ram_role_arn": "acs:ram::1:role/x",
                "expired_seconds": "9" * 5000,
            },
            "expired_seconds must be a number",
        ),
        (
            {
                "mode": "RamRoleArn",
                "access_key_id": "a",
                "access_key_secret": "s3cr3t",
                "ram_role_arn": "s3cr3t",
                "expired_seconds": 1,
            },
            ": ram_role_arn must be",
        ),
        (
            {
                "mode": "RamRoleArn",
                "access_key_id": "a",
                "access_key_secret": "s3cr3t",
                "ram_role_arn": "acs:ram::1:role/x",
                "expired_seconds": 1,
            },
            ": expired_seconds must be a number of seconds from 900",
        ),
    ],
)
def test_an_error_of_a_profile_names_file_and_profile_and_shows_no_value(
    cloud: FakeCloud, files: Files, profile: dict[str, Any], says: str
) -> None:
    path = files.write_cli(profile)
    with pytest.raises(ProfileError, match=says) as raised:
        cli(cloud).get_credentials()
    assert str(path) in str(raised.value)
    assert "'default'" in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


def test_an_edited_profile_is_seen_at_the_next_fetch(cloud: FakeCloud, files: Files) -> None:
    provider = cli(cloud)
    files.write_cli({"mode": "AK", "access_key_id": "first", "access_key_secret": "s"})
    assert provider.get_credentials().access_key_id == "first"
    files.write_cli({"mode": "AK", "access_key_id": "second", "access_key_secret": "s"})
    assert provider.refresh().access_key_id == "second"


def test_the_profile_is_that_of_the_argument_then_the_variable_then_current(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_cli(
        *({"name": name, "mode": "AK", "access_key_id": name, "access_key_secret": "s"} for name in ("a", "b", "c")),
        current="c",
    )
    assert cli(cloud).get_credentials().access_key_id == "c"
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "b")
    assert cli(cloud).get_credentials().access_key_id == "b"
    assert cli(cloud, "a").get_credentials().access_key_id == "a"


FIRST_RUN = {"name": "default", "mode": "AK", "access_key_id": "", "access_key_secret": "", "region_id": "cn-hangzhou"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n", id="blank"),
        pytest.param("{}", id="nothing"),
        pytest.param("null", id="null"),
        pytest.param('{"current":"default","profiles":null}', id="no-list"),
        pytest.param('{"current":"default","profiles":[],"meta_path":""}', id="last-profile-deleted"),
        pytest.param('{"current":"gone","profiles":[],"meta_path":""}', id="current-deleted"),
        pytest.param(json.dumps({"current": "default", "profiles": [FIRST_RUN]}), id="first-run"),
        pytest.param(json.dumps({"current": "gone", "profiles": [FIRST_RUN]}), id="first-run-of-another"),
        pytest.param('{"current":"a","profiles":[{"name":"a","region_id":"cn-hangzhou"}]}', id="region-only"),
    ],
)
@pytest.mark.parametrize("named", [None, "prod"], ids=["current", "variable"])
def test_a_file_without_anything_about_credentials_is_skipped(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, content: str, named: str | None
) -> None:
    if named:
        monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", named)
    files.write_cli().write_text(content, encoding="utf-8")
    with pytest.raises(ProviderUnavailable, match="no credentials"):
        cli(cloud).get_credentials()
    chain = default_provider(endpoint=cloud.url, clock=cloud.clock)
    assert chain.get_credentials().provider_name == "default/ecs_ram_role"


def test_an_empty_current_profile_beside_a_complete_one_is_skipped(cloud: FakeCloud, files: Files) -> None:
    complete = {"name": "other", "mode": "AK", "access_key_id": "a", "access_key_secret": "hunter2"}
    files.write_cli(FIRST_RUN, complete)
    with pytest.raises(ProviderUnavailable, match=r"Profile 'default' in .* has no credentials"):
        cli(cloud).get_credentials()


def test_the_repr_of_a_profile_shows_its_name_and_no_secret(files: Files) -> None:
    path = files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "hunter2"})
    profile = find_profile(load_config(ProfilePath(path)), path, "default")
    assert repr(profile) == f"<CliProfile 'default' in {path}>"


def test_a_profile_that_an_argument_names_must_exist(cloud: FakeCloud, files: Files) -> None:
    files.write_cli()
    with pytest.raises(ProfileError, match="has no profile 'prod'; its profiles: none"):
        cli(cloud, "prod").get_credentials()


def test_a_chain_of_source_profiles_has_a_limit(cloud: FakeCloud, files: Files) -> None:
    role = {"mode": "ChainableRamRoleArn", "ram_role_arn": cloud.add_role("app").arn}
    profiles = [{**role, "name": f"p{number}", "source_profile": f"p{number + 1}"} for number in range(2000)]
    files.write_cli(*profiles)
    with pytest.raises(ProfileError, match="leads through more than 16 profiles"):
        cli(cloud, "p0").get_credentials()


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        pytest.param({"mode": "External", "process_command": "/no/such/tool"}, "/no/such/tool cannot be run", id="run"),
        pytest.param(
            {"mode": "External", "process_command": f"{sys.executable} -c 1/0"}, f"{sys.executable} ended", id="fail"
        ),
        pytest.param({"mode": "CredentialsURI", "credentials_uri": "http://127.0.0.1:9/"}, "did not answer", id="uri"),
    ],
)
def test_what_fails_in_the_source_of_a_profile_is_named_with_profile_and_file(
    cloud: FakeCloud, files: Files, profile: dict[str, Any], says: str
) -> None:
    path = files.write_cli(profile)
    for _ in range(2):
        with pytest.raises(FetchError, match=says) as raised:
            cli(cloud).get_credentials()
        assert str(raised.value).startswith(f"Profile 'default' in {path}: The ")
        assert not isinstance(raised.value, ProfileError)


def test_a_refusal_of_sts_keeps_its_code_and_names_profile_and_role(
    cloud: FakeCloud, files: Files, keys: dict[str, str]
) -> None:
    cloud.add_role("app", trust={"Version": "1", "Statement": []})
    files.write_cli({"mode": "RamRoleArn", **keys, "ram_role_arn": cloud.role("app").arn})
    with pytest.raises(StsError, match=r"^Profile 'default' in .*role/app") as raised:
        cli(cloud).get_credentials()
    assert raised.value.code
    assert raised.value.request_id


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "True"), ("ALIBABA_CLOUD_IGNORE_PROFILE", "TRUE")],
)
def test_profiles_can_be_switched_off(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    files.write_cli({"mode": "AK", "access_key_id": "a", "access_key_secret": "s"})
    monkeypatch.setenv(variable, value)
    with pytest.raises(ProviderUnavailable, match=variable):
        cli(cloud).get_credentials()


def test_commands_and_urls_of_profiles_can_be_forbidden(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "1")
    files.write_cli({"mode": "External", "process_command": "true"})
    with pytest.raises(ProfileError, match="ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"):
        cli(cloud).get_credentials()


def test_a_profile_whose_role_is_not_attached_is_an_error(cloud: FakeCloud, files: Files) -> None:
    files.write_cli({"mode": "EcsRamRole"})
    cloud.detach_role()
    with pytest.raises(ProfileError, match="No RAM role is attached"):
        cli(cloud).get_credentials()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "line 1"),
        (b"[]", "not hold a JSON object"),
        (b'{"profiles": 3}', "profiles"),
        (b'{"profiles": [3]}', "profiles"),
        (b'{"current": "gone", "profiles": [{"name": "here", "mode": "AK", "access_key_id": "a"}]}', "gone"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b"\xff{}", "UTF-8"),
        (b"[" * 100_000, "JSON"),
        (b" " * 1_100_000, "longer than"),
    ],
    ids=["half", "list", "number", "numbers", "gone", "utf-16", "latin-1", "deep", "long"],
)
def test_an_unusable_file_is_named(cloud: FakeCloud, files: Files, content: bytes, says: str) -> None:
    path = files.write_cli()
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=says) as raised:
        cli(cloud).get_credentials()
    assert str(path) in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)

FIELDS = st.sampled_from(
    [
        *("mode", "access_key_id", "access_key_secret", "sts_token", "ram_role_arn", "expired_seconds", "policy"),
        *("source_profile", "ram_session_name", "sts_region", "sts_expiration", "credentials_uri", "enable_vpc"),
    ]
)

MODE_WORDS = st.sampled_from(["AK", "StsToken", "RamRoleArn", "ChainableRamRoleArn", "OIDC", "OAuth", "CloudSSO", ""])

PROFILES = st.dictionaries(FIELDS, JSON | st.text(max_size=10), max_size=6) | st.fixed_dictionaries(
    {"mode": MODE_WORDS, "access_key_id": st.text(max_size=5), "access_key_secret": st.text(max_size=5)}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profile=PROFILES)
def test_no_profile_ends_in_anything_but_a_typed_error_that_names_the_file(files: Files, profile: Any) -> None:
    path = files.write_cli({**profile, "name": "default"})
    text = CliProfileProvider().explain()  # opens, never fetches
    assert text
    assert load_config(ProfilePath(path))
