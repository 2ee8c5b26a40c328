"""Compiles a Go program that uses the libraries of Debian, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "go"
LIBRARIES = Path("/usr/share/gocode")  # where Debian puts the sources of libraries
OSS = LIBRARIES / "src" / "github.com" / "aliyun" / "aliyun-oss-go-sdk"


def go_program(source: str, folder: Path) -> str:
    """Compile a file of `tests/testing/go` into a folder. Skips the test where Go or the library is not installed."""
    if shutil.which("go") is None or not OSS.is_dir():
        pytest.skip("Go is not installed: apt-get install golang-go golang-github-aliyun-aliyun-oss-go-sdk-dev")
    go = {"GO111MODULE": "off", "GOPATH": str(LIBRARIES), "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    command = ["go", "build", "-o", str(folder / "program"), str(SOURCES / source)]
    done = subprocess.run(command, env={**os.environ, **go}, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return str(folder / "program")
