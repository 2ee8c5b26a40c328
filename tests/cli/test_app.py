"""The command as a whole, `whoami` and `explain`, and what a missing extra looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ramrole_creds import __version__
from ramrole_creds.cli.app import COMMANDS, app
from ramrole_creds.cli.handing_over import execute

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud


def invoke(*arguments: str) -> tuple[int, str]:
    """Status and output, both streams together."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.output


def test_every_subcommand_is_listed_and_has_help_with_examples_and_exit_statuses() -> None:
    status, output = invoke("--help")
    assert status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in output
        status, text = invoke(name, "--help")
        assert status == 0
        assert f"ramrole-creds {name}" in text
        assert "Example" in text
        assert "Exit status" in text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_help_fits_into_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = {"role": ["create", "attach", "detach", "delete", "describe", "list", "audit"]}.get(name, [])
    for arguments in ([name], *([name, one] for one in names)):
        lines = invoke(*arguments, "--help")[1].splitlines()
        assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ramrole-creds ro", ["role"]),
        ("ramrole-creds role att", ["attach"]),
        ("ramrole-creds export --format po", ["powershell"]),
        ("ramrole-creds run --only e", ["env", "ecs_ram_role"]),
        ("ramrole-creds serve --so", ["--socket", "--socket-mode"]),
    ],
)
def test_the_shell_completes(monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]) -> None:
    from click.shell_completion import BashComplete

    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    completion = BashComplete(app, {}, "ramrole-creds", "_RAMROLE_CREDS_COMPLETE")
    assert [one.value for one in completion.get_completions(*completion.get_completion_args())] == expected


def test_an_unknown_subcommand_ends_with_a_usage_error() -> None:
    assert invoke("frobnicate")[0] == 2
    status, output = invoke("explan")
    assert status == 2
    assert "No such command 'explan'. Did you mean 'explain'?" in output


def test_the_version_is_that_of_the_package() -> None:
    assert __version__ in invoke("--version")[1]


def test_whoami_names_source_role_and_expiry(ramrole_cloud: FakeCloud) -> None:
    status, output = invoke("whoami")
    assert status == 0
    assert "default/ecs_ram_role" in output
    assert "web" in output
    ramrole_cloud.requests.assert_called_once("credentials")


@pytest.mark.usefixtures("ramrole_cloud")
def test_a_misspelt_guard_is_reported_once_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ROLL", "db")
    result = CliRunner().invoke(app, ["whoami", "--json"])
    assert json.loads(result.stdout)["identity"] == "web"
    assert result.stderr == (
        "Warning: The environment variable RAMROLE_CREDS_EXPECT_ROLL is set, but has no effect: "
        "did you mean RAMROLE_CREDS_EXPECT_ROLE?\n"
    )


@pytest.mark.usefixtures("no_metadata")
def test_whoami_says_that_a_long_term_key_never_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExampleExample")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    assert ["expiration", "never"] in [line.split() for line in invoke("whoami")[1].splitlines()]
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
    assert ["expiration", "unknown"] in [line.split() for line in invoke("whoami")[1].splitlines()]


@pytest.mark.usefixtures("ramrole_cloud")
def test_whoami_gives_json_to_scripts() -> None:
    status, output = invoke("whoami", "--json")
    assert status == 0
    facts = json.loads(output)
    assert facts["source"] == "default/ecs_ram_role"
    assert facts["identity"] == "web"
    assert set(facts) == {"source", "identity", "access_key_id", "expiration"}


@pytest.mark.usefixtures("no_metadata")
def test_explain_gives_json_to_scripts() -> None:
    status, output = invoke("explain", "--json")
    assert status == 0
    rows = json.loads(output)
    assert [row["source"] for row in rows][:2] == ["env", "oidc_role_arn"]
    assert len(rows) == 6
    assert all(row["would"] for row in rows)


def test_explain_marks_the_source_that_stops_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tHalf")
    lines = invoke("explain")[1].splitlines()
    assert lines[0].startswith("1. env: broken: ")
    assert lines[0].endswith(" The chain stops here.")
    assert all(line.endswith(" (not reached)") for line in lines[1:])
    assert [row["reached"] for row in json.loads(invoke("explain", "--json")[1])] == [True] + [False] * 5


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


def test_whoami_asks_sts_where_it_shall_verify(ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", ramrole_cloud.url)
    status, output = invoke("whoami", "--verify", "--json")
    assert status == 0
    assert json.loads(output)["arn"].startswith(f"acs:ram::{ramrole_cloud.account.account_id}:assumed-role/web/")
    ramrole_cloud.delete_role("web")
    ramrole_cloud.attach_role("other")
    ramrole_cloud.faults.add("sts", 403)
    assert invoke("whoami", "--verify")[0] == 1


def test_explain_lists_the_order_of_sources_and_sends_no_request(ramrole_cloud: FakeCloud) -> None:
    status, output = invoke("explain")
    assert status == 0
    assert [line.split(":")[0] for line in output.splitlines()] == [
        f"{number}. {name}"
        for number, name in enumerate(
            ["env", "oidc_role_arn", "cli_profile", "profile", "ecs_ram_role", "credential_uri"], 1
        )
    ]
    ramrole_cloud.requests.assert_not_called()


def test_without_the_extra_the_command_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['click'] = None; sys.argv = ['ramrole-creds', 'demo']; "
        "from ramrole_creds.cli.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.strip() == (
        "ramrole-creds: click is not installed. Install it: in a checkout of ramrole-creds, pip install '.[cli]'. "
        "(docs: troubleshooting.html#ramrole-creds)"
    )


def test_a_package_that_click_lacks_is_not_reported_as_click(tmp_path: Path) -> None:
    (tmp_path / "click").mkdir()
    (tmp_path / "click" / "__init__.py").write_text("import a_package_that_is_missing")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "ramrole_creds.cli", "--help"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'a_package_that_is_missing'"


def test_where_a_process_cannot_become_another_the_command_is_run_and_its_status_passed_on() -> None:
    code = "import os, sys; sys.exit(int(os.environ['STATUS']))"
    with pytest.raises(SystemExit) as ended:
        execute([sys.executable, "-c", code], {"STATUS": "3"}, posix=False)
    assert ended.value.code == 3


def test_a_setting_that_is_not_valid_ends_explain_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ROLE", "acs:ram::1:user/me")
    status, output = invoke("explain")
    assert status == 1
    assert output.startswith("Error: expect_role (RAMROLE_CREDS_EXPECT_ROLE) must be the name of a role or its ARN")
    assert "not 'acs:ram::1:user/me'." in output
