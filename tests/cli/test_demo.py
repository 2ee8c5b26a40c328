"""The demonstration holds, reads well in a pipe and on a terminal, and says so when something did not hold."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console

from ramrole_creds.cli.demo import run_demo
from ramrole_creds.cli.screen import RichScreen
from ramrole_creds.testing import assert_no_secret_in

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LIMIT_SECONDS = 15


def demo(*, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a user starts it, its output piped."""
    environment = {**os.environ, "HOME": str(home), **variables}
    command = [sys.executable, "-m", "ramrole_creds.cli", "demo"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_demo_holds_within_fifteen_seconds_and_prints_plain_lines_into_a_pipe(tmp_path: Path) -> None:
    began = time.monotonic()
    done = demo(home=tmp_path)
    assert time.monotonic() - began < LIMIT_SECONDS
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("Everything held.")
    assert "\x1b" not in done.stdout
    assert "default/ecs_ram_role, role demo-role" in done.stdout
    assert re.search(r"ok: every call accepted: (\d+) of \1\n", done.stdout)
    assert re.search(r"ok: 3 rotations in \d\d:\d\d virtual hours", done.stdout)
    assert re.search(r"ok: \d+ metadata requests in \d+ fetches", done.stdout)
    assert re.search(r"ok: the outage was met: [1-9]\d* fetches failed", done.stdout)
    assert_no_secret_in(done.stdout)


def test_the_demo_uses_nothing_of_the_users_own_configuration(tmp_path: Path) -> None:
    (tmp_path / ".alibabacloud").mkdir()
    (tmp_path / ".alibabacloud" / "credentials").write_text("[default]\ntype = nonsense\n", encoding="utf-8")
    done = demo(home=tmp_path, ALIBABA_CLOUD_ACCESS_KEY_ID="LTAI-half-a-pair", HTTP_PROXY="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LTAI" not in done.stdout


def test_on_a_terminal_the_demo_draws_colours_and_a_bar() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, highlight=False, legacy_windows=False)
    assert run_demo(RichScreen(console), threads=2, seed=1)
    assert "\x1b[" in output.getvalue()
    assert "✓" in output.getvalue()
    assert "━" in output.getvalue()


def test_a_demo_whose_calls_are_refused_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ramrole_creds.cli import demo as module
    from ramrole_creds.cli.screen import PlainScreen

    monkeypatch.setattr(module, "CALL_HEADERS", {"x-acs-action": "NoSuchAction", "x-acs-version": "2015-04-01"})
    assert not run_demo(PlainScreen(), threads=2, seed=1)
    told = capsys.readouterr().out
    assert "FAILED: every call accepted: 0 of " in told
    assert "did not hold" in told.splitlines()[-1]
