"""Files that are pipes or devices have no end, and a disk may be full: neither hangs, and nothing old is lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import OidcRoleArnProvider, RamRoleError, StaticProvider
from ramrole_creds._files import write_whole_file
from ramrole_creds.recorder import Recorder
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if not Path("/dev/full").exists():
    pytest.skip("needs the devices of Linux", allow_module_level=True)

ROOM_BYTES = 64
TIME_LIMIT_SECONDS = 30


def small_files() -> None:
    """As on a full disk: the kernel refuses every byte beyond the room."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web") as cloud:
        yield cloud


def run(cloud: FakeCloud, *arguments: str, full: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    # A child whose coverage is measured writes files too, which the full disk would hit.
    inherited = {name: value for name, value in os.environ.items() if not (full and name.startswith("COVERAGE_"))}
    return subprocess.run(
        [sys.executable, "-m", "ramrole_creds.cli", *arguments],
        env={**inherited, "RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=small_files if full else None,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["export"],
        ["export", "--format", "json"],
        ["whoami"],
        ["explain"],
        ["doctor", "--offline"],
        ["export", "--help"],
    ],
    ids=" ".join,
)
def test_an_output_that_cannot_be_written_is_an_error_in_a_line(cloud: FakeCloud, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(cloud, *arguments, full=False, stdout=full)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "Error: The output cannot be written: No space left on device. Check the disk that it goes to."
    )
    assert line.endswith(" (docs: troubleshooting.html#ramrole-creds)")


def a_recording(folder: Path) -> Path:
    path = folder / "recording.jsonl"
    provider = StaticProvider("LTAI5tFake", "secret")
    recorder = Recorder(provider)
    provider.refresh()
    recorder.dump(path)
    return path


WRITERS: dict[str, Callable[[Path, Path], list[str]]] = {
    "replay --svg": lambda recording, target: ["replay", str(recording), "--svg", str(target)],
    "conformance --json": lambda _, target: [
        *("conformance", "--once", "--only", "protocol/normal", "--json", str(target), "--"),
        *(sys.executable, "-c", 'print(\'{"error": "x"}\')'),
    ],
    "conformance --junit": lambda _, target: [
        *("conformance", "--once", "--only", "protocol/normal", "--junit", str(target), "--"),
        *(sys.executable, "-c", 'print(\'{"error": "x"}\')'),
    ],
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_is_an_error_in_a_line(
    writer: str, cloud: FakeCloud, tmp_path: Path
) -> None:
    recording, target = a_recording(tmp_path), tmp_path / "out"
    target.write_text("old")
    done = run(cloud, *WRITERS[writer](recording, target), stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert f"Error: {target} cannot be written: File too large" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "recording.jsonl"]


def test_an_env_file_that_cannot_be_written_leaves_nothing_behind(cloud: FakeCloud, tmp_path: Path) -> None:
    target = tmp_path / "env"
    done = run(cloud, "serve", "--port", "0", "--env-file", str(target), stdout=subprocess.PIPE)
    assert f"Error: {target} cannot be written: File too large" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_as_a_whole_with_its_mode_and_no_link_is_followed(tmp_path: Path) -> None:
    other, target = tmp_path / "other", tmp_path / "target"
    other.write_text("of somebody else")
    target.symlink_to(other)
    write_whole_file(target, "new")
    assert other.read_text() == "of somebody else"
    assert target.read_text() == "new"
    assert not target.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_text_that_cannot_be_written_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole_file(target, "\udc80")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole_file(pipe, "new")
    reader.join(10)
    assert read == ["new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.fixture(params=["pipe", "/dev/zero", "folder"])
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What no reader of files comes to the end of."""
    path = tmp_path / "endless"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to(request.param)
    return path


def test_the_doctor_looks_at_a_file_that_is_none(endless: Path, cloud: FakeCloud) -> None:
    config = endless.parent / ".aliyun" / "config.json"
    config.parent.mkdir()
    config.symlink_to(endless)
    done = subprocess.run(
        [sys.executable, "-m", "ramrole_creds.cli", "doctor", "--offline"],
        env={**os.environ, "RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url, "HOME": str(endless.parent)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
    )
    assert "not a regular file" in " ".join(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.parametrize("option", ["--config"])
def test_serve_reads_no_configuration_without_an_end(option: str, endless: Path, cloud: FakeCloud) -> None:
    done = run(cloud, "serve", "--port", "0", option, str(endless), full=False, stdout=subprocess.PIPE)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "regular file" in " ".join(done.stderr.split()) or "is a directory" in done.stderr


def test_a_script_of_faults_without_an_end_is_refused(endless: Path, cloud: FakeCloud) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        cloud.faults.load(endless)


def test_a_token_file_without_an_end_is_refused(endless: Path) -> None:
    provider = OidcRoleArnProvider("acs:ram::1:role/web", "acs:ram::1:oidc-provider/p", token_file=endless)
    with pytest.raises(RamRoleError, match="not a regular file"):
        provider.get_credentials(timeout=10)


def test_a_path_that_cannot_exist_is_reported() -> None:
    provider = OidcRoleArnProvider("acs:ram::1:role/web", "acs:ram::1:oidc-provider/p", token_file="/run/\0token")
    with pytest.raises(RamRoleError, match="the path is not valid"):
        provider.get_credentials(timeout=10)


def test_a_recording_without_an_end_is_refused(cloud: FakeCloud) -> None:
    done = run(cloud, "replay", "/dev/zero", full=False, stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert "is longer than" in " ".join(done.stderr.split())


def test_a_recording_may_come_through_a_pipe(cloud: FakeCloud, tmp_path: Path) -> None:
    recording = a_recording(tmp_path)
    done = run(
        cloud, "replay", "/dev/stdin", "--json", full=False, stdout=subprocess.PIPE, input=recording.read_text()
    )  # fmt: skip
    assert json.loads(done.stdout) == [], done.stderr


def test_a_file_whose_folder_is_missing_is_named_and_not_the_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        Recorder(StaticProvider("LTAI5tFake", "secret")).dump(tmp_path / "nowhere" / "recording.jsonl")
    assert missing.value.filename == str(tmp_path / "nowhere" / "recording.jsonl")
