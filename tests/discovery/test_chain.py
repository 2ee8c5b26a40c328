from __future__ import annotations

import logging
import pickle
import sys
import time
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FetchContext,
    FetchError,
    FunctionProvider,
    IdentityMismatch,
    MetadataUnreachable,
    NoCredentialsError,
    OidcRoleArnProvider,
    ProfileError,
    ProviderChain,
    ProviderUnavailable,
    RamRoleArnProvider,
    RamRoleError,
    StaticProvider,
    StsError,
    default_provider,
    provider_from_url,
)
from ramrole_creds.events import Event, IdentityChanged
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from pathlib import Path

    from tests.providers.conftest import Files

ACCOUNT = "1234567890123456"
OFFICIAL_ORDER = ["env", "oidc_role_arn", "cli_profile", "profile", "ecs_ram_role", "credential_uri"]


def chain(cloud: FakeCloud, **more: Any) -> ProviderChain:
    return default_provider(endpoint=cloud.url, sts_endpoint=cloud.url, clock=cloud.clock, **more)


def set_keys(patch: pytest.MonkeyPatch, key_id: str = "LTAIenv", secret: str = "s") -> None:
    patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key_id)
    patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret)


# Each source in each condition, and what it does to the chain.
SOURCES: dict[str, dict[str, str]] = {
    "env": {"absent": "passed", "there": "env", "broken": "stops"},
    "cli": {"absent": "passed", "there": "cli_profile/static_ak", "broken": "stops"},
    "ini": {"absent": "passed", "there": "profile/static_ak", "broken": "stops"},
    "metadata": {"absent": "passed", "there": "ecs_ram_role", "broken": "stops", "no role": "passed"},
}


@pytest.mark.parametrize("conditions", list(product(*SOURCES.values())), ids="-".join)
def test_the_first_source_that_is_here_wins_or_stops_the_chain(
    conditions: tuple[str, ...], files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    condition = dict(zip(SOURCES, conditions, strict=True))
    if condition["env"] != "absent":
        set_keys(monkeypatch)
    if condition["env"] == "broken":
        monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    keys = {"access_key_id": "LTAI"} | ({"access_key_secret": "s"} if condition["cli"] == "there" else {})
    if condition["cli"] != "absent":
        files.write_cli({"mode": "AK", **keys})
    if condition["ini"] != "absent":
        secret = "access_key_secret = s\n" if condition["ini"] == "there" else ""
        files.write_ini(f"[default]\naccess_key_id = LTAI\n{secret}")
    effects = [effect for name in SOURCES if (effect := SOURCES[name][condition[name]]) != "passed"]
    expected = effects[0] if effects else "none"
    with FakeCloud(role=None if condition["metadata"] == "no role" else "web") as cloud:
        if condition["metadata"] == "broken":
            cloud.faults.add("metadata", 403)
        endpoint = "http://127.0.0.1:9" if condition["metadata"] == "absent" else cloud.url
        provider = default_provider(endpoint=endpoint, clock=cloud.clock)
        if expected == "none":
            with pytest.raises(NoCredentialsError):
                provider.get_credentials()
        elif expected == "stops":
            with pytest.raises(FetchError):
                provider.get_credentials()
        else:
            assert provider.get_credentials().provider_name == f"default/{expected}"


class Sources:
    """Arranges one source of each kind, there or broken."""

    def __init__(self, cloud: FakeCloud, files: Files, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.cloud, self.files, self.folder, self.patch = cloud, files, folder, patch

    def env(self, broken: bool) -> None:
        set_keys(self.patch)
        if broken:
            self.patch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")

    def oidc_role_arn(self, broken: bool) -> None:
        oidc = self.cloud.oidc
        self.patch.setenv("ALIBABA_CLOUD_ROLE_ARN", self.cloud.add_role("pod", trust=oidc.trust()).arn)
        self.patch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", oidc.provider_arn)
        token = self.folder / "missing" if broken else oidc.write_token(self.folder / "token")
        self.patch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(token))

    def cli_profile(self, broken: bool) -> None:
        self.files.write_cli({"mode": "AK", "access_key_id": "LTAI"} | ({} if broken else {"access_key_secret": "s"}))

    def profile(self, broken: bool) -> None:
        self.files.write_ini("[default]\naccess_key_id = LTAI\n" + ("" if broken else "access_key_secret = s\n"))

    def ecs_ram_role(self, broken: bool) -> None:
        if broken:
            self.cloud.faults.add("role", 403)

    def credential_uri(self, broken: bool) -> None:
        url = f"{self.cloud.url}/latest/meta-data/ram/security-credentials/web"
        self.patch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/" if broken else url)


@pytest.mark.parametrize("broken", [False, True], ids=["there", "broken"])
@pytest.mark.parametrize("first", OFFICIAL_ORDER)
def test_each_source_comes_before_all_that_stand_after_it(
    cloud: FakeCloud, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, broken: bool
) -> None:
    sources = Sources(cloud, files, tmp_path, monkeypatch)
    for name in OFFICIAL_ORDER[OFFICIAL_ORDER.index(first) :]:
        getattr(sources, name)(broken and name == first)
    endpoint = "http://127.0.0.1:9" if first == "credential_uri" else cloud.url
    provider = default_provider(endpoint=endpoint, sts_endpoint=cloud.url, clock=cloud.clock)
    if broken:
        with pytest.raises(FetchError):
            provider.get_credentials()
    else:
        assert provider.get_credentials().provider_name.split("/")[1] == first


def test_without_any_source_each_provider_gives_a_reason_within_three_seconds() -> None:
    before = time.monotonic()
    with pytest.raises(NoCredentialsError) as raised:
        default_provider().get_credentials()
    assert time.monotonic() - before < 3
    *lines, last = str(raised.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == OFFICIAL_ORDER
    assert last == "Run `ramrole-creds doctor`. (docs: troubleshooting.html#nocredentialserror)"
    for line, looked_for in zip(
        lines,
        ["ACCESS_KEY_ID", "OIDC_TOKEN_FILE", "config.json", "credentials.ini", "127.0.0.1:9", "CREDENTIALS_URI"],
        strict=True,
    ):
        assert looked_for in line


def test_oidc_that_sts_refuses_stops_the_chain_before_the_role_of_the_node(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", cloud.add_role("pod", trust=cloud.oidc.trust("somebody:else")).arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", cloud.oidc.provider_arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(cloud.oidc.write_token(tmp_path / "token")))
    with pytest.raises(StsError):
        chain(cloud).get_credentials()
    cloud.assert_not_called("metadata")
    assert chain(cloud, on_error="continue").get_credentials().provider_name == "default/ecs_ram_role"


def test_an_uri_that_is_set_and_not_asked_is_warned_of_once(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/")
    provider = chain(cloud)
    with caplog.at_level(logging.WARNING):
        provider.get_credentials()
        provider.refresh()
    assert sum("is set and not used" in record.getMessage() for record in caplog.records) == 1


def test_a_chain_stays_with_what_it_found(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = chain(cloud)
    assert provider.get_credentials().provider_name == "default/ecs_ram_role"
    set_keys(monkeypatch)
    assert provider.refresh().provider_name == "default/ecs_ram_role"


def test_a_service_that_does_not_answer_is_an_error_and_no_change_of_identity(cloud: FakeCloud) -> None:
    provider = ProviderChain(
        EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), StaticProvider("LTAI", "s"), clock=cloud.clock
    )
    provider.get_credentials()
    cloud.disable_endpoint("refuse")
    with pytest.raises(FetchError) as raised:
        provider.refresh()
    assert not isinstance(raised.value, (ProviderUnavailable, MetadataUnreachable))
    cloud.enable_endpoint()
    assert provider.refresh().identity == "web"


def test_a_source_that_is_gone_makes_the_search_start_again_with_an_event(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []
    provider = ProviderChain(
        EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock),
        FunctionProvider(lambda: Credentials("LTAI", "s", identity="fallback", provider_name="vault")),
        clock=cloud.clock,
        on_event=events.append,
    )
    held = provider.get_credentials()
    cloud.detach_role()
    with caplog.at_level(logging.WARNING):
        assert provider.refresh(rejected=held).identity == "fallback"
    change = next(event for event in events if isinstance(event, IdentityChanged))
    assert (change.old_identity, change.new_identity) == ("web", "fallback")
    assert "is gone" in caplog.text


def test_keys_without_an_identity_are_named_by_their_id_when_the_role_replaces_them(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, "LTAI5tKeysOfTheEnvironment")
    events: list[Event] = []
    provider = chain(cloud, on_event=events.append)
    provider.get_credentials()
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    assert provider.refresh().identity == "web"
    change = next(event for event in events if isinstance(event, IdentityChanged))
    assert (change.old_identity, change.new_identity) == ("LTAI5tKe…ment", "web")
    assert "from LTAI5tKe…ment to web (source: from default/env to default/ecs_ram_role)" in caplog.text


def test_a_loss_is_logged_once_however_often_the_chain_is_asked(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    provider = chain(cloud)

    def lose_and_ask() -> int:
        caplog.clear()
        cloud.detach_role()
        for _ in range(60):
            cloud.clock.advance(seconds=60)
            with suppress(RamRoleError):
                provider.refresh()
        return len([record for record in caplog.records if record.levelname == "WARNING"])

    provider.get_credentials()
    assert lose_and_ask() <= 2  # of the chain, and of its cache
    cloud.attach_role("web")
    provider.refresh()
    assert 1 <= lose_and_ask() <= 2
    assert "is gone" in caplog.text


def test_a_chain_within_a_chain_that_has_lost_its_source_is_gone_too(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch)
    inner = ProviderChain(EnvironmentProvider(clock=cloud.clock), name="inner")
    outer = ProviderChain(inner, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock), clock=cloud.clock)
    assert outer.get_credentials().provider_name == "chain/inner/env"
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    assert outer.refresh().provider_name == "chain/ecs_ram_role"


def test_unset_variables_and_a_removed_file_are_gone(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch)
    path = files.write_cli({"mode": "AK", "access_key_id": "LTAIfile", "access_key_secret": "s"})
    provider = chain(cloud)
    first = provider.get_credentials()
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    second = provider.refresh(rejected=first)
    assert second.provider_name == "default/cli_profile/static_ak"
    path.unlink()
    assert provider.refresh(rejected=second).provider_name == "default/ecs_ram_role"


def test_the_profile_that_a_variable_names_may_be_in_either_file_and_not_in_none(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "prod")
    files.write_cli({"mode": "AK", "access_key_id": "LTAI", "access_key_secret": "s"})
    with pytest.raises(ProfileError, match="ALIBABA_CLOUD_PROFILE"):
        chain(cloud).get_credentials()
    files.write_ini("[prod]\naccess_key_id = LTAIini\naccess_key_secret = s\n")
    assert chain(cloud).get_credentials().access_key_id == "LTAIini"
    files.write_ini("[other]\naccess_key_id = LTAIini\naccess_key_secret = s\n")
    with pytest.raises(ProfileError, match="prod"):
        chain(cloud).get_credentials()


def test_keys_of_a_function_that_have_no_name_get_the_name_of_their_provider(cloud: FakeCloud) -> None:
    key = cloud.access_key(cloud.add_user("alice"))
    vault = FunctionProvider(lambda: Credentials(key.access_key_id, key.access_key_secret), name="vault")
    assert ProviderChain(vault).get_credentials().provider_name == "chain/vault"
    role = RamRoleArnProvider(vault, cloud.add_role("app").arn, endpoint=cloud.url, clock=cloud.clock)
    assert role.get_credentials().provider_name == "ram_role_arn/vault" == role.get_provider_name()


def test_only_narrows_and_keeps_the_order(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)
    assert chain(cloud, only=("ecs_ram_role",)).get_credentials().provider_name == "default/ecs_ram_role"
    assert chain(cloud, only=("ecs-ram-role",)).get_credentials().provider_name == "default/ecs_ram_role"
    assert chain(cloud, only=("ecs_ram_role", "env")).get_credentials().provider_name == "default/env"
    for wrong in (("nobody",), ()):
        with pytest.raises(ConfigurationError):
            chain(cloud, only=wrong)


@pytest.mark.parametrize(
    ("expected", "mismatch"),
    [
        ({"expect_role": "web"}, None),
        ({"expect_role": "WEB"}, None),
        ({"expect_account": ACCOUNT}, None),
        ({"expect_role": "web", "expect_account": ACCOUNT}, None),
        ({"expect_role": f"acs:ram::{ACCOUNT}:role/web"}, None),
        ({"expect_role": "app"}, "'web'.*'app'"),
        ({"expect_role": "acs:ram::42:role/web"}, f"{ACCOUNT}.*'42'"),
        ({"expect_account": "42"}, f"{ACCOUNT}.*'42'"),
    ],
)
def test_the_role_of_the_instance_is_used_where_it_is_the_expected_one(
    cloud: FakeCloud, expected: dict[str, str], mismatch: str | None
) -> None:
    provider = chain(cloud, **expected)
    if mismatch is None:
        assert provider.get_credentials().identity == "web"
        return
    with pytest.raises(IdentityMismatch, match=mismatch):
        provider.get_credentials()


@pytest.mark.parametrize(
    "expected", [{"expect_role": "acs:ram::42:user/web"}, {"expect_role": "acs:ram::42:role/x", "expect_account": "43"}]
)
def test_an_expectation_that_nothing_can_meet_is_refused_at_once(expected: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="expect_role"):
        default_provider(**expected)


@pytest.mark.parametrize("expected", [{"expect_account": int(ACCOUNT)}, {"expect_role": 5}, {"expect_role": b"web"}])
def test_an_expectation_that_is_not_text_is_refused_at_once(expected: dict[str, Any]) -> None:
    (name,) = expected
    with pytest.raises(ConfigurationError, match=f"{name} must be a text, in quotation marks"):
        default_provider(**expected)


def test_the_variables_guard_too_and_at_each_fetch(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ROLE", "web")
    provider = chain(cloud)
    held = provider.get_credentials()
    cloud.replace_role("intruder")
    with pytest.raises(IdentityMismatch, match=r"'intruder'.*'web'"):
        provider.refresh(rejected=held)
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ACCOUNT", "42")
    with pytest.raises(IdentityMismatch):
        chain(cloud).get_credentials()


def test_where_a_token_is_required_the_account_is_not_asked_for_without(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")
    cloud.faults.add("token", 404, skip=1)
    with pytest.raises(FetchError, match="Could not determine whose credentials"):
        chain(cloud, expect_account=ACCOUNT).get_credentials()
    cloud.requests.assert_no_tokenless_metadata()


def test_keys_that_do_not_say_whose_they_are_are_asked_about(
    cloud: FakeCloud, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, keys["access_key_id"], keys["access_key_secret"])
    provider = chain(cloud, expect_account=ACCOUNT)
    provider.get_credentials()
    provider.refresh()
    cloud.assert_called_once("GetCallerIdentity")
    with pytest.raises(IdentityMismatch, match=r"user/alice.*'web'"):
        chain(cloud, expect_role="web").get_credentials()


def test_keys_of_an_unknown_identity_are_not_used(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "LTAI5tNobody")
    with pytest.raises(FetchError, match="Could not determine whose credentials"):
        chain(cloud, expect_role="web").get_credentials()


def test_a_found_source_of_the_program_that_is_unreachable_is_not_replaced() -> None:
    answers = [Credentials("LTAIfound", "secret")]

    def ask() -> Credentials:
        if not answers:
            raise MetadataUnreachable("No answer.")
        return answers.pop()

    provider = ProviderChain(FunctionProvider(ask), StaticProvider("LTAIother", "secret"))
    assert provider.fetch(FetchContext.create(5.0)).access_key_id == "LTAIfound"
    with pytest.raises(FetchError, match="No answer"):
        provider.fetch(FetchContext.create(5.0))


def test_the_identity_of_each_new_key_is_checked_over_many_rotations(cloud: FakeCloud) -> None:
    provider = chain(cloud, expect_account=ACCOUNT)
    seen = set()
    for _ in range(20):
        seen.add(provider.get_credentials().access_key_id)
        cloud.clock.advance(hours=6)
    assert len(seen) == 20
    assert sum("owner-account-id" in one.request.target for one in cloud.requests) >= 20


def test_an_assumed_role_is_guarded_by_its_arn(cloud: FakeCloud, keys: dict[str, str], files: Files) -> None:
    files.write_cli({"mode": "RamRoleArn", **keys, "ram_role_arn": cloud.add_role("app").arn})
    assert chain(cloud, expect_role="app", expect_account=ACCOUNT).get_credentials().identity == cloud.role("app").arn
    cloud.assert_not_called("GetCallerIdentity")


def test_explain_has_a_line_for_each_provider_and_sends_no_request(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_keys(monkeypatch, secret="not-to-be-shown")
    files.write_cli(
        {
            "mode": "RamRoleArn",
            "access_key_id": "a",
            "access_key_secret": "not-to-be-shown",
            "ram_role_arn": "acs:ram::1:role/app",
        }
    )
    text = chain(cloud).explain()
    assert [line.split()[1].rstrip(":") for line in text.splitlines()] == OFFICIAL_ORDER
    assert "would use ALIBABA_CLOUD_ACCESS_KEY_ID" in text
    assert "would assume acs:ram::1:role/app" in text
    assert f"would ask {cloud.url}" in text
    assert "not-to-be-shown" not in text
    assert len(cloud.requests) == 0


@pytest.mark.parametrize(
    ("variables", "link"),
    [
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI5thalf"}, "env"),
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI5t", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not one"}, "env"),
        ({"ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack"}, "oidc_role_arn"),
        ({"ALIBABA_CLOUD_CONFIG_FILE": "/"}, "cli_profile"),
        ({"ALIBABA_CLOUD_CREDENTIALS_FILE": "/"}, "profile"),
        ({"ALIBABA_CLOUD_ECS_METADATA": "acs:ram::1:role/x"}, "ecs_ram_role"),
        ({"ALIBABA_CLOUD_CREDENTIALS_URI": "ftp://localhost/"}, "credential_uri"),
        ({"ALIBABA_CLOUD_SECURITY_TOKEN": "of nobody"}, None),
    ],
)
def test_explain_says_where_the_chain_would_stop(
    cloud: FakeCloud, variables: dict[str, str], link: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines = chain(cloud).explain().splitlines()
    assert [line.split()[1].rstrip(":") for line in lines if line.split()[2] == "broken:"] == ([link] if link else [])


def test_an_invalid_setting_affects_only_its_own_provider(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "no session name")
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "acs:ram::1:role/x")
    with pytest.raises(FetchError, match="role_name"):
        chain(cloud).get_credentials()
    set_keys(monkeypatch)
    assert chain(cloud).get_credentials().provider_name == "default/env"


def test_a_pickled_default_chain_has_no_secrets_and_becomes_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, secret="keep-me-here")
    provider = default_provider(expect_account=None)
    provider.get_credentials()
    content = pickle.dumps(provider)
    assert b"keep-me-here" not in content
    assert pickle.loads(content) is provider


def test_a_chain_with_a_guard_arrives_as_one_and_guarded(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", cloud.url)
    content = pickle.dumps(default_provider(expect_role="app"))
    arrived = pickle.loads(content)
    assert pickle.loads(content) is arrived
    with pytest.raises(IdentityMismatch, match=r"'web'.*'app'"):
        arrived.get_credentials()
    assert pickle.loads(pickle.dumps(default_provider(expect_role="web"))) is not arrived


def test_a_function_that_raises_is_named_by_its_class_only() -> None:
    def broken() -> Credentials:
        raise RuntimeError("vault said: hunter2")

    with pytest.raises(FetchError, match=r"'vault' raised RuntimeError") as raised:
        FunctionProvider(broken, name="vault").get_credentials()
    assert "hunter2" not in str(raised.value)
    nothing: Any = "not callable"
    with pytest.raises(ConfigurationError):
        FunctionProvider(nothing)


def test_a_pickled_chain_with_a_misconfigured_provider_becomes_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "acs:ram::1:role/x")
    content = pickle.dumps(default_provider())
    assert pickle.loads(content) is pickle.loads(content)


@pytest.mark.parametrize("wrong", [(), ("a string",), (EnvironmentProvider(), None)])
def test_a_chain_of_no_providers_is_a_configuration_error(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError):
        ProviderChain(*wrong)


SAMPLE_MODULE = """
from ramrole_creds import CredentialProvider, Credentials

class VaultProvider(CredentialProvider):
    name = "vault"

    def __init__(self, path="default", **options):
        super().__init__(**options)
        self.path = path

    def fetch(self, context):
        return Credentials("LTAIvault", "s", provider_name="vault", identity=self.path)
"""


@pytest.fixture
def sample_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a provider of its own, installed as pip would."""
    (tmp_path / "sample_vault.py").write_text(SAMPLE_MODULE)
    info = tmp_path / "sample_vault-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample-vault\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ramrole_creds.providers]\nsample-vault = sample_vault:VaultProvider\nbroken = no_such_module:X\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sample_vault", raising=False)


@pytest.mark.usefixtures("sample_package")
def test_a_package_adds_a_provider_by_an_entry_point(cloud: FakeCloud) -> None:
    assert provider_from_url("sample-vault://secret/app").get_credentials().identity == "secret/app"
    assert chain(cloud, only=("env", "sample-vault")).get_credentials().provider_name == "default/vault"
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        chain(cloud, only=("broken",))
    with pytest.raises(NoCredentialsError):
        default_provider(endpoint="http://127.0.0.1:9").get_credentials()  # what is installed changes no identity


@pytest.mark.usefixtures("sample_package")
def test_an_installed_provider_is_not_even_imported_where_nothing_names_it(cloud: FakeCloud) -> None:
    assert chain(cloud).get_credentials().identity == "web"
    assert "sample_vault" not in sys.modules


def test_a_function_that_returns_something_else_is_named_in_a_chain_too() -> None:
    nothing: Any = lambda: None  # noqa: E731
    with pytest.raises(FetchError, match="must return Credentials, not NoneType"):
        ProviderChain(FunctionProvider(nothing)).get_credentials()


def test_variables_that_only_the_cli_reads_are_named_and_change_no_identity(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALICLOUD_ACCESS_KEY_ID", "LTAIcli")
    monkeypatch.setenv("ALICLOUD_ACCESS_KEY_SECRET", "s")
    provider = chain(cloud)
    assert "ALICLOUD_ACCESS_KEY_ID is set, but this library does not read it" in provider.explain()
    assert provider.get_credentials().identity == "web"


def test_every_error_of_a_chain_is_one_of_ours(cloud: FakeCloud) -> None:
    cloud.faults.add("metadata", 500)
    with pytest.raises(RamRoleError):
        chain(cloud).get_credentials()


def test_explain_marks_where_the_chain_stops_and_what_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tHalf")
    absent, broken, there = OidcRoleArnProvider(), EnvironmentProvider(), StaticProvider("LTAI5tKey", "s")
    lines = ProviderChain(absent, broken, there, broken).explain().splitlines()
    marks = ["(not reached)" in line or "The chain stops here." in line for line in lines]
    assert marks == [False, True, True, True]
    assert lines[1].startswith("2. env: broken: ")
    assert lines[3].endswith("(not reached)")
    going_on = ProviderChain(broken, there, on_error="continue").explain()
    assert "stops here" not in going_on + ProviderChain(absent, there).explain()
