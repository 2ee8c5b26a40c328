"""Go: a program with the official OSS library of Debian, unmodified, under `exec`, `serve` and `run`.

The library (1.4) has no credential protocol, so the program asks the credentials URI as the official Go client does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock
from tests.testing.go_program import go_program

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ramrole_creds.cli"]
pytestmark = pytest.mark.xdist_group("go")  # compiled once


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, compiled."""
    return go_program("oss_client.go", tmp_path_factory.mktemp("go"))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A cloud whose time passes, with a bucket."""
    with FakeCloud(clock=TickingClock()) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OSS_ENDPOINT", running.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


def check(cloud: FakeCloud, done: subprocess.CompletedProcess[str]) -> None:
    """The fake cloud accepted signature and token of each call, and fetched once."""
    assert done.returncode == 0, done.stderr
    key, _, text = done.stdout.strip().partition(" ")
    assert cloud.credential_store.lookup(key) is not None
    assert text == "hello from Go"
    calls = cloud.requests.to("oss")
    assert [call.status for call in calls] == [200, 200]
    cloud.requests.assert_called_once("credentials")


@pytest.mark.parametrize("subcommand", ["run", "exec"])
def test_a_go_program_stores_an_object_under(cloud: FakeCloud, program: str, subcommand: str) -> None:
    command = [*COMMAND, subcommand, "--", program]
    check(cloud, subprocess.run(command, capture_output=True, text=True, check=False, timeout=60))


def test_a_go_program_stores_an_object_with_the_uri_of_serve(cloud: FakeCloud, program: str) -> None:
    with subprocess.Popen([*COMMAND, "serve"], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        variables = {"ALIBABA_CLOUD_CREDENTIALS_URI": service.stdout.readline().strip()}
        environment = {**os.environ, **variables}
        done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False, timeout=60)
        service.terminate()
    check(cloud, done)
