"""The other verbs: who am I here, why, and what a missing extra looks like."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ramrole_creds import __version__
from ramrole_creds.cli.app import app

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud


def invoke(*arguments: str) -> tuple[int, str]:
    """Status and output, both streams together."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.output


def test_every_verb_is_listed_with_a_sentence() -> None:
    status, output = invoke("--help")
    assert status == 0
    for verb in ("demo", "doctor", "explain", "fake-cloud", "whoami"):
        assert f"\n  {verb} " in output


def test_the_version_is_that_of_the_package() -> None:
    assert __version__ in invoke("--version")[1]


def test_whoami_names_source_role_and_expiry(ramrole_cloud: FakeCloud) -> None:
    status, output = invoke("whoami")
    assert status == 0
    assert "default/ecs_ram_role" in output
    assert "web" in output
    ramrole_cloud.requests.assert_called_once("credentials")


@pytest.mark.usefixtures("ramrole_cloud")
def test_whoami_gives_json_to_scripts() -> None:
    status, output = invoke("whoami", "--json")
    assert status == 0
    facts = json.loads(output)
    assert facts["source"] == "default/ecs_ram_role"
    assert facts["identity"] == "web"
    assert set(facts) == {"source", "identity", "access_key_id", "expiration"}


@pytest.mark.usefixtures("ramrole_cloud")
def test_whoami_refuses_another_role_than_the_expected_one() -> None:
    assert invoke("whoami", "--expect-role", "web")[0] == 0
    status, output = invoke("whoami", "--expect-role", "db")
    assert status == 1
    assert "db" in output
    assert "web" in output


@pytest.mark.usefixtures("no_metadata")
def test_whoami_says_line_by_line_why_there_is_nothing() -> None:
    status, output = invoke("whoami")
    assert status == 1
    assert "env" in output
    assert "ecs_ram_role" in output


def test_explain_tells_the_order_of_sources_and_asks_nobody(ramrole_cloud: FakeCloud) -> None:
    status, output = invoke("explain")
    assert status == 0
    assert [line.split(":")[0] for line in output.splitlines()] == [
        f"{number}. {name}"
        for number, name in enumerate(
            ["env", "oidc_role_arn", "cli_profile", "profile", "ecs_ram_role", "credential_uri"], 1
        )
    ]
    ramrole_cloud.requests.assert_not_called()


@pytest.mark.usefixtures("ramrole_cloud")
def test_the_doctor_finds_the_role() -> None:
    status, output = invoke("doctor")
    assert status == 0
    assert "ok: role attached: web" in output
    assert output.splitlines()[-1] == "A program would find credentials here."


@pytest.mark.usefixtures("no_metadata")
def test_the_doctor_names_what_is_set_but_never_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tHidden")
    status, output = invoke("doctor")
    assert status == 1
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID is set" in output
    assert "LTAI5tHidden" not in output
    assert output.splitlines()[-1] == "A program would find no credentials here."


def test_the_doctor_asks_no_metadata_service_where_that_is_forbidden(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    status, output = invoke("doctor")
    assert status == 1
    assert "not asked: ALIBABA_CLOUD_ECS_METADATA_DISABLED=true" in output
    ramrole_cloud.requests.assert_not_called()


@pytest.mark.usefixtures("no_metadata")
def test_the_doctor_looks_where_the_variables_point_and_tells_those_that_nobody_here_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", "/no/such/config.json")
    monkeypatch.setenv("ALICLOUD_ACCESS_KEY_ID", "LTAI5tHidden")
    monkeypatch.setenv("ALICLOUD_REGION_ID", "cn-hangzhou")
    _, output = invoke("doctor")
    assert "/no/such/config.json: not there, named by ALIBABA_CLOUD_CONFIG_FILE" in output
    assert "ALICLOUD_ACCESS_KEY_ID is set: other programs read it" in output
    assert "ALICLOUD_REGION_ID is set: other" not in output
    assert "LTAI5tHidden" not in output


@pytest.mark.usefixtures("no_metadata")
def test_the_doctor_survives_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "nonsense")
    status, output = invoke("doctor")
    assert status == 1
    assert "FAILED: RAMROLE_CREDS_METADATA_ENDPOINT must be the address of a metadata service" in output
    assert output.splitlines()[-1] == "A program would find no credentials here."


def test_without_the_extra_the_command_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['click'] = None; sys.argv = ['ramrole-creds', 'demo']; "
        "from ramrole_creds.cli.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.strip() == "ramrole-creds: click is not installed. Run: pip install 'ramrole-creds[cli]'"
