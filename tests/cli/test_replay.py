"""`ramrole-creds replay` on a good recording, a faulty one and another file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ramrole_creds.cli.commands.replay import MAX_RECORDING_BYTES, command
from tests.cachesim.scenario import Player
from tests.recorder.test_recorder import Source, held_too_long


def test_a_good_recording_ends_with_zero_and_draws(tmp_path: Path) -> None:
    source = Source()
    source.provider.get_credentials()
    source.recorder.dump(tmp_path / "good.jsonl")
    done = CliRunner().invoke(command, [str(tmp_path / "good.jsonl"), "--svg", str(tmp_path / "good.svg")])
    assert done.exit_code == 0, done.output
    assert "No rule is broken." in done.output
    assert (tmp_path / "good.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_broken_rule_ends_with_one_and_is_shrunk(tmp_path: Path) -> None:
    source = Source(held_too_long)
    source.clock.ahead = -8 * 3600.0
    for _ in range(4):
        source.provider.refresh()
        source.clock.true.advance(minutes=1)
    source.recorder.dump(tmp_path / "bad.jsonl")
    done = CliRunner().invoke(
        command,
        [
            str(tmp_path / "bad.jsonl"),
            "--shrink",
            str(tmp_path / "small.jsonl"),
            "--scenario",
            str(tmp_path / "case.json"),
            "--json",
        ],
    )
    assert done.exit_code == 1
    assert json.loads(done.output)[0]["rule"] == "credentials are held after they expired"
    assert len((tmp_path / "small.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    (case,) = json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))
    Player(case).play()


def test_another_file_is_reported_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello", encoding="utf-8")
    done = CliRunner().invoke(command, [str(tmp_path / "other.txt")])
    assert done.exit_code == 1
    assert "This is not a recording" in done.output


def test_a_file_that_is_not_text_is_reported_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    done = CliRunner().invoke(command, [str(tmp_path / "bytes")])
    assert done.exit_code == 1
    assert "it is not UTF-8 text" in done.output


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file of Linux that opens and cannot be read")
def test_a_file_that_cannot_be_read_is_reported_in_a_line() -> None:
    done = CliRunner().invoke(command, ["/proc/self/mem"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: /proc/self/mem cannot be read: ")


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "long.jsonl").open("wb") as file:
        file.truncate(MAX_RECORDING_BYTES + 1)
    done = CliRunner().invoke(command, [str(tmp_path / "long.jsonl")])
    assert done.exit_code == 1
    assert f"long.jsonl is longer than {MAX_RECORDING_BYTES} bytes, and is not read." in done.output
