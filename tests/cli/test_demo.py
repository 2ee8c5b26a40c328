"""The demonstration passes, reads well in a pipe and on a terminal, and says so if a check fails."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ramrole_creds.cli.demonstration import run_demo
from ramrole_creds.cli.load_generator import LoadGenerator
from ramrole_creds.cli.screen import RichScreen
from ramrole_creds.testing import assert_no_secret_in

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_CPU_SECONDS = 15

pytestmark = pytest.mark.xdist_group("demo")  # one process plays it once


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], float]:
    """The command as a user starts it, its output piped, and its CPU seconds; the user's own set-up is broken."""
    home = tmp_path_factory.mktemp("home")
    (home / ".alibabacloud").mkdir()
    (home / ".alibabacloud" / "credentials").write_text("[default]\ntype = nonsense\n", encoding="utf-8")
    own = {"HOME": str(home), "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-half-a-pair", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "ramrole_creds.cli", "demo"]
    before = children_cpu_seconds()
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False, timeout=400)
    return done, children_cpu_seconds() - before


def children_cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def test_the_demo_holds_and_needs_less_than_fifteen_seconds_of_a_core(
    piped: tuple[subprocess.CompletedProcess[str], float],
) -> None:
    done, seconds = piped
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("Every check passed.")
    assert seconds < LIMIT_CPU_SECONDS


def test_the_demo_prints_plain_lines_into_a_pipe(piped: tuple[subprocess.CompletedProcess[str], float]) -> None:
    out = piped[0].stdout
    assert "\x1b" not in out
    assert re.search(r"ok: every call accepted: (\d+) of \1\n", out)
    assert re.search(
        r"ok: 3 rotations in \d\d:\d\d virtual hours: \d+ calls, all accepted, \d metadata requests\n", out
    )
    assert re.search(r"ok: the outage was met: [1-9]\d* fetches failed\n", out)
    assert re.search(r"ok: new credentials \d+ s before the old ones ended\n", out)
    assert re.search(r"\n   fetches  +x[x ]*N *\n", out)
    assert re.search(r"ok: with a policy that allows oss:GetObject alone, the next call is answered 403 [\w.]+\n", out)
    assert_no_secret_in(out)


def test_the_demo_uses_nothing_of_the_users_own(piped: tuple[subprocess.CompletedProcess[str], float]) -> None:
    out = piped[0].stdout
    assert "ok: they came from default/ecs_ram_role, role demo-role\n" in out
    assert "LTAI" not in out


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
    from ramrole_creds.cli import demonstration as module
    from ramrole_creds.cli.screen import PlainScreen

    monkeypatch.setattr(module, "CALL_HEADERS", {"x-acs-action": "NoSuchAction", "x-acs-version": "2015-04-01"})
    assert not run_demo(PlainScreen(), threads=2, seed=1)
    told = capsys.readouterr().out
    assert "FAILED: every call accepted: 0 of " in told
    assert "checks above failed" in told.splitlines()[-1]


def test_a_demo_whose_calls_stop_or_take_too_long_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ramrole_creds.cli import demonstration as module
    from ramrole_creds.cli.screen import PlainScreen

    monkeypatch.setattr(module, "ROUND_SECONDS", 0)
    monkeypatch.setattr(module, "LIMIT_SECONDS", -1)
    assert not run_demo(PlainScreen(), threads=2, seed=1)
    shown = capsys.readouterr().out
    assert "FAILED: the calls went on (2 threads)" in shown
    assert "FAILED: all of it within -1 s" in shown


def test_a_call_that_raises_counts_as_refused() -> None:
    def make_call() -> Callable[[], str]:
        def call() -> str:
            raise ValueError("no route")

        return call

    with LoadGenerator(make_call, threads=1) as callers:
        assert callers.wait_for_a_round(30)
    assert set(callers.refused) == {"ValueError: no route"}


def test_a_terminal_shows_what_is_waited_for() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, highlight=False, legacy_windows=False)
    with RichScreen(console).waiting("Calling the sources"):
        pass
    assert "Calling the sources" in output.getvalue()
