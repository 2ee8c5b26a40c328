"""A profile that several processes change: nothing is lost, and a reader sees a whole file."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import FetchError, ProfileError, ProviderUnavailable
from ramrole_creds.providers.profiles import _file_lock as module
from ramrole_creds.providers.profiles._file_lock import LockSystem, PosixLocks, WindowsLocks, file_lock
from ramrole_creds.providers.profiles._file_replacement import atomic_replace
from ramrole_creds.providers.profiles.cli_config import CliProfile, add_profile, update_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.providers.conftest import Files

if sys.platform != "linux":
    pytest.skip("stands in for Windows with locks of Linux", allow_module_level=True)

SYSTEMS: list[type[LockSystem]] = [PosixLocks, WindowsLocks]
CHANGES = 25
# Adds 1 to a profile's number, over and over; for Windows with what stands in for its module.
PROGRAM = f"""
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import standin_msvcrt
sys.modules["msvcrt"] = standin_msvcrt
from ramrole_creds.providers.profiles import _file_lock as file_lock
from ramrole_creds.providers.profiles import cli_config

def add(profile):
    return {{"number": profile.fields["number"] + 1}}

for _ in range({CHANGES}):
    locks = getattr(file_lock, sys.argv[2])()
    cli_config.update_profile(Path(sys.argv[1]), "default", add, time_limit=60, locks=locks)
print(len(standin_msvcrt.held))
"""


@pytest.fixture(autouse=True)
def msvcrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What stands in for the module of Windows; nothing may be left locked in it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import standin_msvcrt  # type: ignore[import-not-found,unused-ignore]  # beside this file

    monkeypatch.setitem(sys.modules, "msvcrt", standin_msvcrt)
    yield standin_msvcrt
    assert not standin_msvcrt.held


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
def test_processes_that_change_a_profile_at_once_lose_no_change(files: Files, system: type[LockSystem]) -> None:
    path = files.write_cli({"mode": "AK", "number": 0}, {"name": "other", "kept": "\u00e4"})
    command = [sys.executable, "-c", PROGRAM, str(path), system.__name__, str(Path(__file__).parent)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["0"] * 3
    first, second = json.loads(path.read_text())["profiles"]
    assert first["number"] == 3 * CHANGES
    assert second == {"name": "other", "kept": "\u00e4"}
    assert sorted(one.name for one in path.parent.iterdir()) == ["config.json", "config.json.lock"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lock_held_too_long_is_reported_after_our_time_limit(folder: Path, system: type[LockSystem]) -> None:
    lock = folder / "x.lock"
    with file_lock(lock, 1.0, locks=system()):
        before = time.monotonic()
        with (
            pytest.raises(FetchError, match=r"Another process has held .*x\.lock"),
            file_lock(lock, 0.1, locks=system()),
        ):
            pass
        assert time.monotonic() - before < 5  # a waiting lock of Windows would take ten
    with file_lock(lock, 0.0, locks=system()):
        pass


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lock_is_given_back_when_the_block_raises_and_when_its_process_is_killed(
    folder: Path, system: type[LockSystem]
) -> None:
    lock = folder / "x.lock"
    with pytest.raises(KeyError), file_lock(lock, 1.0, locks=system()):
        raise KeyError
    program = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "import standin_msvcrt; sys.modules['msvcrt'] = standin_msvcrt\n"
        "from ramrole_creds.providers.profiles import _file_lock as file_lock\n"
        "with file_lock.file_lock(Path(sys.argv[1]), 5, locks=getattr(file_lock, sys.argv[2])()):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(lock), system.__name__, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FetchError), file_lock(lock, 0.0, locks=system()):
            pass
        process.kill()
    with file_lock(lock, 5.0, locks=system()):
        pass


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_waiter_gets_the_lock_when_it_is_released(folder: Path, system: type[LockSystem]) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with file_lock(folder / "x.lock", 30.0, locks=system()):
            order.append("second")

    with file_lock(folder / "x.lock", 1.0, locks=system()):
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait(10)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_file_system_without_locks_is_reported_at_once(folder: Path) -> None:
    class NoLocks(PosixLocks):
        def try_lock(self, descriptor: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

    refused = pytest.raises(ProfileError, match=r"cannot be locked \(No locks available\)")
    with refused, file_lock(folder / "x.lock", 60.0, locks=NoLocks()):
        pass


def test_windows_locks_are_what_windows_gets() -> None:
    assert isinstance(module.SYSTEM_LOCKS, WindowsLocks if os.name == "nt" else PosixLocks)


def test_a_file_that_readers_have_open_is_replaced_on_windows_as_soon_as_they_let_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder / "config.json"
    target.write_text("old")
    busy = [PermissionError(errno.EACCES, "Access is denied")] * 3
    replace = os.replace

    def replace_later(source: str, to: Path) -> None:
        if busy:
            raise busy.pop()
        replace(source, to)

    monkeypatch.setattr(os, "replace", replace_later)
    with atomic_replace(target, windows=True) as put:
        put(b"new")
    assert target.read_text() == "new"
    assert [one.name for one in folder.iterdir()] == ["config.json"]


def test_what_cannot_be_written_keeps_the_old_file_and_leaves_no_secret_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder / "config.json"
    target.write_text("old")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    refused = pytest.raises(ProfileError, match=r"cannot be written \(Permission denied\)")
    with refused, atomic_replace(target, windows=False) as put:
        put(b"new")
    assert target.read_text() == "old"
    assert [one.name for one in folder.iterdir()] == ["config.json"]


def test_a_folder_that_takes_no_file_is_reported_before_a_token_is_used_up(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_cli({"mode": "AK"})

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def change(_: CliProfile) -> Mapping[str, object]:
        raise AssertionError

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(ProfileError, match=r"cannot be changed.*Read-only file system"):
        update_profile(path, "default", change, time_limit=1.0)


def test_a_disk_without_room_is_noticed_before_a_token_is_used_up(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_cli({"mode": "AK"})
    content = path.read_bytes()

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def change(_: CliProfile) -> Mapping[str, object]:
        raise AssertionError

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ProfileError, match=r"cannot be changed.*No space left on device"):
        update_profile(path, "default", change, time_limit=1.0)
    assert path.read_bytes() == content
    assert sorted(one.name for one in path.parent.iterdir()) == ["config.json", "config.json.lock"]


def test_new_files_that_a_killed_process_left_behind_are_removed_and_no_others(files: Files) -> None:
    path = files.write_cli({"mode": "AK"})
    program = (
        "import os, sys; from pathlib import Path\n"
        "from ramrole_creds.providers.profiles._file_replacement import atomic_replace\n"
        "with atomic_replace(Path(sys.argv[1])): os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    (left,) = [one for one in path.parent.iterdir() if one != path]
    swap = path.with_name(".config.json.swp")
    swap.touch()
    update_profile(path, "default", lambda _: {"note": "x"}, time_limit=1.0)
    assert not left.exists()
    assert swap.exists()


def test_a_link_in_place_of_the_lock_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (folder / "x.lock").symlink_to(elsewhere)
    refused = pytest.raises(ProfileError, match="it is a symbolic link")
    with refused, file_lock(folder / "x.lock", 1.0):
        pass
    assert not elsewhere.exists()


def test_the_new_file_is_private_while_it_is_written_and_keeps_its_owner(folder: Path) -> None:
    target = folder / "config.json"
    target.write_text("old")
    target.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(target, 12345, 12345)
    before = target.stat()
    with atomic_replace(target) as put:
        (other,) = [one for one in folder.iterdir() if one != target]
        assert other.stat().st_mode & 0o777 == 0o600
        put(b"new")
    after = target.stat()
    assert (after.st_uid, after.st_gid, after.st_mode & 0o777) == (before.st_uid, before.st_gid, 0o600)


def test_a_profile_is_added_to_a_file_that_need_not_exist(files: Files) -> None:
    fields = {"name": "ramrole", "mode": "External", "process_command": "tool"}
    for _ in range(2):
        add_profile(files.cli, fields, time_limit=1.0)
    assert json.loads(files.cli.read_text()) == {"current": "ramrole", "profiles": [fields]}
    assert files.cli.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProfileError, match="exists already"):
        add_profile(files.cli, {**fields, "mode": "AK"}, time_limit=1.0)
    files.write_cli({"mode": "AK", "kept": [1]})
    add_profile(files.cli, fields, time_limit=1.0)
    document = json.loads(files.cli.read_text())
    assert (document["current"], len(document["profiles"])) == ("default", 2)


def test_a_profile_that_is_no_longer_in_the_file_is_not_changed(files: Files) -> None:
    path = files.write_cli({"name": "other", "mode": "AK"})
    before = path.read_bytes()
    with pytest.raises(ProfileError, match="no longer has a profile 'default'"):
        update_profile(path, "default", lambda _: {"mode": "AK"}, time_limit=1.0)
    assert path.read_bytes() == before


def test_a_profile_is_not_added_below_a_file(files: Files) -> None:
    path = files.write_cli({"mode": "AK"}) / "config.json"
    with pytest.raises(ProfileError, match="this user may not write to"):
        add_profile(path, {"name": "ramrole"}, time_limit=1.0)


def test_a_missing_file_gets_no_lock_file(folder: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        update_profile(folder / "config.json", "default", lambda _: {}, time_limit=1.0)
    assert list(folder.iterdir()) == []


def test_where_files_have_no_owner_to_keep_they_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fchown", raising=False)
    (tmp_path / "config.json").write_text("old")
    with atomic_replace(tmp_path / "config.json") as put:
        put(b"new")
    assert (tmp_path / "config.json").read_text() == "new"
