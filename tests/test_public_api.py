"""The check that compares the public API with that of the last release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(*arguments: str, where: Path) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True, env=os.environ | QUIET)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own with this package in it, tagged as released."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    git("init", "--quiet", where=tmp_path)
    git("add", ".", where=tmp_path)
    git("commit", "--quiet", "--message", "Release", where=tmp_path)
    git("tag", "v1", where=tmp_path)
    return tmp_path


def check(checkout: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(checkout / ".ci" / "check_api.py"), *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, env=os.environ | QUIET)
    return done.returncode, done.stdout + done.stderr


def change(checkout: Path, file: str, old: str, new: str) -> None:
    path = checkout / "src" / "ramrole_creds" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_released_api_passes(checkout: Path) -> None:
    change(checkout, "providers/_home.py", "def expand_path", "def expand")
    status, output = check(checkout)
    assert (status, output.strip()) == (0, "0 changes of the public API since v1 break users.")


def test_a_removed_name_and_a_removed_parameter_fail(checkout: Path) -> None:
    change(checkout, "__init__.pyi", "StaticProvider as StaticProvider", "StaticProvider as _StaticProvider")
    change(checkout, "sts/client.py", "def get_caller_identity(self", "def whoami(self")
    status, output = check(checkout, "v1")
    assert status == 1
    assert "StaticProvider: Public object was removed" in output
    assert "StsClient.get_caller_identity: Public object was removed" in output
    assert "2 changes of the public API since v1 break users." in output


def test_before_the_first_release_nothing_is_compared(checkout: Path) -> None:
    git("tag", "--delete", "v1", where=checkout)
    status, output = check(checkout)
    assert status == 0
    assert "No release has been tagged yet" in output
