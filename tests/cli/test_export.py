"""`ramrole-creds export` and `exec`: credentials for other programs, and never on a terminal by accident."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import CliProfileProvider, IniProfileProvider, ProcessProvider
from ramrole_creds.cli.handing_over import cli_profile
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock
from tests.cli.invoke import run

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "ramrole_creds.cli"]
ID, SECRET, TOKEN = (f"ALIBABA_CLOUD_{name}" for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"))

pytestmark = pytest.mark.may_leak  # handing secrets over is what is tested


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A fake cloud whose time passes, for child processes."""
    with FakeCloud(clock=TickingClock(), credential_lifetime=7200) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


def issued(cloud: FakeCloud, access_key_id: str) -> tuple[str, str | None]:
    """Secret and token that the cloud issued with an id."""
    found = cloud.credential_store.lookup(access_key_id)
    assert found is not None
    return found.access_key_secret, found.security_token


def check(cloud: FakeCloud, variables: dict[str, str]) -> None:
    assert issued(cloud, variables[ID]) == (variables[SECRET], variables[TOKEN])


def test_a_shell_evaluates_the_lines_for_the_environment(cloud: FakeCloud) -> None:
    script = f'eval "$({shlex.join(COMMAND)} export)" && env'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    check(cloud, dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("ALIBABA_CLOUD_")))


def test_dotenv_has_a_line_for_each_variable(cloud: FakeCloud) -> None:
    lines = run("export", "--format", "dotenv").output.splitlines()
    check(cloud, {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)})


def test_powershell_sets_its_variables(cloud: FakeCloud) -> None:
    lines = run("export", "--format", "powershell").output.splitlines()
    pairs = (line.removeprefix("$env:").split(" = ", 1) for line in lines)
    check(cloud, {name: value.strip("'") for name, value in pairs})


def test_json_is_the_document_of_a_credentials_uri(cloud: FakeCloud) -> None:
    document = json.loads(run("export", "--format", "json").output)
    assert issued(cloud, document["AccessKeyId"]) == (document["AccessKeySecret"], document["SecurityToken"])
    assert document["Expiration"].endswith("Z")


@pytest.mark.usefixtures("cloud")
def test_process_is_what_an_external_profile_reads() -> None:
    with ProcessProvider([*COMMAND, "export", "--format", "process"]) as provider:
        credentials = provider.get_credentials()
    assert credentials.security_token is not None
    assert credentials.expiration is not None


@pytest.mark.usefixtures("cloud")
def test_ini_is_what_the_sdks_read(tmp_path: Path) -> None:
    file = tmp_path / "credentials.ini"
    file.touch(mode=0o600)
    file.write_text(run("export", "--format", "ini").output, encoding="utf-8")
    with IniProfileProvider(path=file) as provider:
        assert provider.get_credentials().security_token is not None


@pytest.mark.usefixtures("no_metadata")
@pytest.mark.parametrize("style", ["env", "dotenv", "powershell", "json", "process", "ini"])
def test_a_long_term_key_has_no_token_in_any_format(monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    monkeypatch.setenv(ID, "LTAI5tKey")
    monkeypatch.setenv(SECRET, "quo'te")
    output = run("export", "--format", style).output
    assert "LTAI5tKey" in output
    assert "STS" not in output.replace("StsToken", "")
    if style == "env":
        assert f"unset {TOKEN}" in output


def test_on_a_terminal_secrets_need_a_yes(cloud: FakeCloud) -> None:
    pty = pytest.importorskip("pty", reason="terminals of Unix")

    def printed(*options: str) -> tuple[int, str]:
        parent, child = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, "export", *options], stdout=child, stderr=subprocess.PIPE, text=True
        ) as process:
            os.close(child)
            _, err = process.communicate(timeout=30)
            try:
                out = os.read(parent, 100000).decode()
            except OSError:  # nothing was written
                out = ""
            os.close(parent)
            return process.returncode, out + err

    status, text = printed()
    assert status == 2
    assert "standard output is a terminal" in text
    assert "STS." not in text
    cloud.requests.assert_not_called("credentials")
    status, text = printed("--yes")
    assert status == 0
    assert "STS." in text


def test_a_profile_of_the_cli_calls_back_and_holds_no_secret(cloud: FakeCloud, tmp_path: Path) -> None:
    assert run("export", "--format", "aliyun-cli", "--write", "role").exit_code == 0
    file = tmp_path / ".aliyun" / "config.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "STS." not in file.read_text(encoding="utf-8")
    with CliProfileProvider("role") as provider:
        assert provider.get_credentials().security_token is not None
    cloud.requests.assert_called_once("credentials")
    assert run("export", "--format", "aliyun-cli", "--write", "role").exit_code == 0  # once more changes nothing
    assert len(json.loads(file.read_text(encoding="utf-8"))["profiles"]) == 1


def test_a_profile_that_is_there_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".aliyun" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"current": "role", "profiles": [{"name": "role", "mode": "AK"}], "x": 1}))
    result = run("export", "--format", "aliyun-cli", "--write", "role")
    assert result.exit_code == 1
    assert "Choose another name" in result.output
    assert run("export", "--format", "aliyun-cli", "--write", "other").exit_code == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (document["current"], document["x"]) == ("role", 1)
    assert [one["name"] for one in document["profiles"]] == ["role", "other"]


def test_without_write_the_profile_is_printed() -> None:
    profile = json.loads(run("export", "--format", "aliyun-cli").output)
    assert profile == cli_profile("ramrole")
    assert run("export", "--write", "x").exit_code == 2


@pytest.mark.usefixtures("no_metadata")
def test_without_credentials_the_reason_is_on_standard_error() -> None:
    result = run("export")
    assert result.exit_code == 1
    assert "No credentials found" in result.output
    assert "Run `ramrole-creds doctor`" in result.output


def child_environment(*options: str) -> subprocess.CompletedProcess[str]:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    command = [*COMMAND, "exec", *options, "--", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_exec_gives_the_child_one_snapshot(cloud: FakeCloud) -> None:
    check(cloud, json.loads(child_environment("--valid-for", "900").stdout))
    cloud.requests.assert_called_once("credentials")


@pytest.mark.usefixtures("cloud")
def test_exec_refuses_where_the_life_left_is_shorter() -> None:
    done = child_environment("--valid-for", "100000")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "100000" in done.stderr


@pytest.mark.usefixtures("cloud")
def test_exec_ends_with_the_status_of_the_command() -> None:
    def status(*command: str) -> int:
        return subprocess.run([*COMMAND, "exec", "--", *command], capture_output=True, check=False).returncode

    assert status(sys.executable, "-c", "raise SystemExit(7)") == 7
    assert status("no-such-program") == 127
    assert status(str(Path(__file__))) == 126
    assert status(sys.executable, "--version") == 0  # options of the command are not ours


@pytest.mark.skipif(os.name != "posix", reason="exec")
@pytest.mark.usefixtures("cloud")
def test_exec_leaves_no_parent_behind() -> None:
    code = "import os; print(os.getpid())"
    with subprocess.Popen([*COMMAND, "exec", "--", sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=60)
    assert int(out) == process.pid
