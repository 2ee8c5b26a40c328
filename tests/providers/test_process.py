from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    ProcessError,
    ProcessProvider,
)
from ramrole_creds.providers import process as external
from ramrole_creds.providers.process import split_command


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def printing(**document: object) -> list[str]:
    return command(f"print({json.dumps(json.dumps(document))})")


class TestProcess:
    def test_both_shapes_are_understood(self) -> None:
        keys = {"access_key_id": "a", "access_key_secret": "b"}
        plain = ProcessProvider(printing(mode="AK", **keys)).get_credentials()
        assert (plain.provider_name, plain.security_token) == ("external", None)
        token = ProcessProvider(
            printing(mode="StsToken", **keys, sts_token="t", expiration="2099-01-01T08:00:00.5+08:00")
        ).get_credentials()
        assert token.expiration == datetime(2099, 1, 1, 0, 0, 0, 500000, timezone.utc)
        pascal = ProcessProvider(printing(AccessKeyId="a", AccessKeySecret="b", SecurityToken="t")).get_credentials()
        assert pascal.security_token == "t"

    @pytest.mark.parametrize(
        "document",
        [
            {"mode": "StsToken", "access_key_id": "a", "access_key_secret": "hunter2"},
            {"mode": "AK", "access_key_id": "a"},
            {"mode": "Other", "access_key_id": "a", "access_key_secret": "hunter2"},
            {"mode": "AK", "access_key_id": "a", "access_key_secret": "hunter2", "expiration": "tomorrow"},
            {},
        ],
    )
    def test_an_incomplete_document_is_told_without_its_values(self, document: dict[str, object]) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider(printing(**document)).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_what_a_failing_command_says_is_shown_without_secrets(self) -> None:
        code = "import sys; sys.exit('login needed; access_key_secret=hunter2 token: ' + 'x' * 40)"
        with pytest.raises(ProcessError, match=r"status 1 and wrote to standard error: login needed") as raised:
            ProcessProvider(command(code)).get_credentials()
        assert "hunter2" not in str(raised.value)
        assert "xxxx" not in str(raised.value)

    def test_arguments_are_not_shown(self) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider([*command("raise SystemExit(3)"), "--password", "hunter2"]).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_a_command_that_is_not_there_is_told(self) -> None:
        with pytest.raises(ProcessError, match="No such file"):
            ProcessProvider("/no/such/command").get_credentials()

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_command_and_children_are_ended_on_timeout(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        shell = f"sleep 60 & echo $! > {shlex.quote(str(pid_file))}; wait"
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider(["/bin/sh", "-c", shell], timeout=1.0).get_credentials()
        child = int(pid_file.read_text())
        deadline = time.monotonic() + 10
        while _runs(child) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert not _runs(child)

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_a_child_that_outlives_the_command_and_holds_its_output_is_ended_on_timeout(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider(
                ["/bin/sh", "-c", f"sleep 60 & echo $! > {shlex.quote(str(pid_file))}"], timeout=1.0
            ).get_credentials()
        child = int(pid_file.read_text())
        deadline = time.monotonic() + 10
        while _runs(child) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert not _runs(child)

    @pytest.mark.skipif(os.name != "posix", reason="stands in for Windows with a script")
    def test_on_windows_the_tree_of_processes_is_ended_by_what_windows_has_for_that(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = tmp_path / "told"
        killer = tmp_path / "taskkill"
        killer.write_text(f'#!/bin/sh\necho "$1 $2 $3" > {shlex.quote(str(told))}\nkill -9 "$4"\n')
        killer.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(external, "ON_WINDOWS", True)
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5).get_credentials()
        assert told.read_text() == "/F /T /PID\n"
        killer.unlink()  # where there is none, the command alone is ended
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5).get_credentials()

    def test_a_command_that_prints_without_end_is_ended_at_once(self) -> None:
        code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
        with pytest.raises(ProcessError, match="printed more than 65536 bytes"):
            ProcessProvider(command(code), timeout=30.0).get_credentials()

    def test_the_command_gets_no_input(self) -> None:
        code = "import sys, json; sys.stdin.read(); print(json.dumps({'access_key_id': 'a', 'access_key_secret': 'b'}))"
        assert ProcessProvider(command(code)).get_credentials().access_key_id == "a"

    @pytest.mark.parametrize(
        ("text", "windows", "arguments"),
        [
            (r"tool --name 'a b' c\ d", False, ["tool", "--name", "a b", "c d"]),
            ("tool \\\n --x", False, ["tool", "--x"]),
            (r'"C:\Program Files\tool.exe" --name a#b', True, [r"C:\Program Files\tool.exe", "--name", "a#b"]),
            ("tool $HOME; rm -rf /", False, ["tool", "$HOME;", "rm", "-rf", "/"]),
        ],
    )
    def test_a_text_is_split_and_no_shell_sees_it(self, text: str, windows: object, arguments: list[str]) -> None:
        assert split_command(text, windows=bool(windows)) == arguments

    @pytest.mark.parametrize("wrong", ["", "  ", "'open", [], [""], [1], 5, None, b"true"])
    def test_no_command_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError):
            ProcessProvider(wrong)

    @pytest.mark.parametrize("wrong", [0, -1, "60", True, float("nan")])
    def test_no_time_out_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="timeout"):
            ProcessProvider("true", timeout=wrong)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_provider_logs_what_it_fetched(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = {"access_key_id": "LTAIexample", "access_key_secret": "hunter2", "sts_token": "hunter3"}
        ProcessProvider(printing(**keys)).get_credentials()
    assert "hunter" not in caplog.text
