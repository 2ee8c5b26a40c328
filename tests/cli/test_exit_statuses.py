"""The exit statuses that the page of the command documents: after Ctrl-C, and for a command line that is not valid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ramrole_creds.cli.app import COMMANDS, app
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ramrole_creds.cli"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A fake cloud whose time passes, for child processes."""
    with FakeCloud(clock=TickingClock()) as running:
        for name, value in {**running.environment(), "ALIBABA_CLOUD_STS_ENDPOINT": running.url}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


@posix_only
@pytest.mark.parametrize("arguments", [["watch"], ["watch", "--json"], ["serve"], ["fake-cloud"]], ids=" ".join)
def test_a_command_that_runs_until_it_is_stopped_ends_with_0_after_ctrl_c(
    cloud: FakeCloud, arguments: list[str]
) -> None:
    if arguments == ["serve"]:
        pytest.importorskip("uvicorn", reason="the extra serve")
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "it ended before it was ready"
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=30)[1]
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert cloud.url


@posix_only
@pytest.mark.parametrize(
    "arguments",
    [["whoami"], ["doctor"], ["export"], ["exec", "--", "true"], ["role", "list", "--region", "cn-hangzhou"]],
    ids=" ".join,
)
def test_any_other_command_ends_with_130_after_ctrl_c(cloud: FakeCloud, arguments: list[str]) -> None:
    cloud.faults.add("token", "hang")
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True) as process:
        deadline = time.monotonic() + 30
        while not cloud.requests and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)  # a real process
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (128 + signal.SIGINT, "", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["watch", "--only", "nobody"], "No provider has the name 'nobody'"),
        (["serve", "--map", "nobody=self"], "does not name clients"),
        (["whoami", "--verify"], "GetCallerIdentity"),
    ],
    ids=["watch", "serve", "whoami"],
)
def test_a_value_that_the_command_itself_checks_ends_with_1(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    if arguments[0] == "serve":
        pytest.importorskip("uvicorn", reason="the extra serve")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tUnknownUnknown")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert text in result.output
    assert cloud.url


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_unknown_option_ends_with_2(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--no-such-option"])
    assert result.exit_code == 2
    assert "Usage: " in result.output


@posix_only
@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", ["exec", "run"])
def test_options_after_the_name_of_the_command_are_those_of_the_command(name: str) -> None:
    if name == "run":
        pytest.importorskip("uvicorn", reason="the extra serve")
    done = subprocess.run(
        [*COMMAND, name, "--only", "ecs_ram_role", "echo", "--only", "x", "-h", "--", "y"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "--only x -h -- y\n"), done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec"],
        ["run"],
        ["replay"],
        ["conformance"],
        ["role", "attach", "web"],
        ["role", "describe", "--region", "cn-hangzhou"],
        ["export", "--write", "web"],
        ["serve", "--port", "70000"],
        ["conformance", "--only", "nothing", "--", "true"],
    ],
    ids=" ".join,
)
def test_a_missing_argument_or_a_wrong_value_ends_with_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.output
