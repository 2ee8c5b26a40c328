"""Keys in environment variables, and variables that other tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FetchError,
    OidcRoleArnProvider,
    ProviderUnavailable,
    default_provider,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files

KEYS = {"access_key_id": "LTAI5tExample", "access_key_secret": "s"}


@pytest.fixture(autouse=True)
def _no_variable_was_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ramrole_creds.providers.variables._warned", set())


def test_the_variables_are_read_at_each_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFirst")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")
    provider = EnvironmentProvider()
    assert provider.get_credentials().access_key_id == "LTAI5tFirst"
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tSecond")
    assert provider.refresh().access_key_id == "LTAI5tSecond"


@pytest.mark.parametrize("missing", ["ID", "SECRET"])
def test_one_half_of_a_pair_is_an_error_that_names_the_other(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in {"ID", "SECRET"} - {missing}:
        monkeypatch.setenv(f"ALIBABA_CLOUD_ACCESS_KEY_{name}", "LTAI5tExample")
    with pytest.raises(FetchError, match=f"but ALIBABA_CLOUD_ACCESS_KEY_{missing} is not"):
        EnvironmentProvider().get_credentials()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ("ALIBABACLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("ALIBABA_CLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("OSS_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        ("ALIYUN_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ],
)
def test_keys_of_other_tools_are_not_used_but_named(monkeypatch: pytest.MonkeyPatch, name: str, ours: str) -> None:
    monkeypatch.setenv(name, "hunter2")
    says = f"{name} is set, but this library does not read it: rename it to {ours}."
    with pytest.raises(ProviderUnavailable) as raised:
        EnvironmentProvider().get_credentials()
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert says in EnvironmentProvider().explain()
    assert says in default_provider().explain()


def test_other_variables_of_other_tools_are_named_too(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABACLOUD_OIDC_TOKEN_FILE", "/t")
    monkeypatch.setenv("ALICLOUD_CREDENTIALS_URI", "http://localhost/")
    monkeypatch.setenv("ALIBABACLOUD_PROFILE", "prod")
    monkeypatch.setenv("ALICLOUD_SHARED_CREDENTIALS_FILE", "/c")
    assert "rename it to ALIBABA_CLOUD_OIDC_TOKEN_FILE" in OidcRoleArnProvider().explain()
    assert "rename it to ALIBABA_CLOUD_CREDENTIALS_URI" in CredentialsUriProvider().explain()
    assert "rename it to ALIBABA_CLOUD_CONFIG_FILE" in CliProfileProvider().explain()
    files.write_cli({"mode": "AK", **KEYS})
    assert CliProfileProvider().explain().endswith("rename it to ALIBABA_CLOUD_PROFILE")
    assert "rename it" not in CliProfileProvider("default").explain()
    files.write_cli({"name": "other", "mode": "AK", **KEYS}, current=None)
    with pytest.raises(ProviderUnavailable, match=r"has no profile 'default'.*rename it to ALIBABA_CLOUD_PROFILE"):
        CliProfileProvider().get_credentials()


@pytest.mark.parametrize("file", [".oss/credentials", ".ossutilconfig", ".aliyuncli/credentials"])
def test_files_of_other_tools_are_not_used_but_named(home: Path, file: str) -> None:
    path = home / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert f"{path} exists, but only" in default_provider().explain()


def test_a_misspelt_variable_of_this_library_is_warned_of_once(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECTED_ROLE", "web")
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", cloud.url)
    for _ in range(2):
        default_provider(clock=cloud.clock)
        EcsRamRoleProvider(clock=cloud.clock)
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "RAMROLE_CREDS_EXPECTED_ROLE is set, but has no effect: did you mean RAMROLE_CREDS_EXPECT_ROLE?" in (
        warning.getMessage()
    )


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("RAMROLE_CREDS_expect_role", "did you mean RAMROLE_CREDS_EXPECT_ROLE?"),
        ("ramrole_creds_expect_role", "did you mean RAMROLE_CREDS_EXPECT_ROLE?"),
        ("RAM_ROLE_CREDS_EXPECT_ROLE", "did you mean RAMROLE_CREDS_EXPECT_ROLE?"),
        ("RAMROLECREDS_EXPECT_ACCOUNT", "did you mean RAMROLE_CREDS_EXPECT_ACCOUNT?"),
        ("RAMROLE_CREDS_METADATA_END_POINT", "did you mean RAMROLE_CREDS_METADATA_ENDPOINT?"),
        ("RAMROLE_CREDS_FOO", "the variables are RAMROLE_CREDS_EXPECT_ACCOUNT, "),
    ],
)
def test_a_variable_is_compared_without_case_and_underscores(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, hint: str
) -> None:
    monkeypatch.setenv(variable, "x")
    default_provider()
    assert f"{variable} is set, but has no effect: {hint}" in caplog.text


def test_the_profile_of_another_tool_is_named_where_no_profile_file_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICLOUD_PROFILE", "prod")
    assert "ALICLOUD_PROFILE is set, but this library does not read it: rename it to ALIBABA_CLOUD_PROFILE." in (
        default_provider().explain()
    )


def test_every_variable_of_this_library_is_known(caplog: pytest.LogCaptureFixture) -> None:
    import re
    from pathlib import Path

    import ramrole_creds
    from ramrole_creds.providers.variables import OWN_VARIABLES, warn_of_misspelt_variables

    source = "".join(path.read_text("utf-8") for path in Path(ramrole_creds.__file__).parent.rglob("*.py"))
    assert set(re.findall(r'"(RAMROLE_CREDS_[A-Z0-9_]+)"', source)) - {"RAMROLE_CREDS_"} <= OWN_VARIABLES
    warn_of_misspelt_variables(OWN_VARIABLES)
    assert not caplog.records
