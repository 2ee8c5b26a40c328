"""Defects of the official Python client, shown by one program: there without `run`, gone with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")
pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = [sys.executable, str(Path(__file__).with_name("official_client.py"))]
RUN = [sys.executable, "-m", "ramrole_creds.cli", "run", "--"]
SESSION_SECONDS = 900
LOCK_SECONDS = 5.0  # how long the official client waits for a lock
SLOW_SECONDS = 2.0
SHORT_SECONDS = 3


@pytest.fixture
def start_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], FakeCloud]]:
    """Start a cloud on real time whose sessions last so many seconds."""
    running: list[FakeCloud] = []

    def start(lifetime: float) -> FakeCloud:
        cloud = FakeCloud(clock=TickingClock(), credential_lifetime=lifetime)
        cloud.start()
        running.append(cloud)
        for name, value in cloud.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FAKE_CLOUD", cloud.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("LIFETIME", str(lifetime))
        return cloud

    yield start
    for cloud in running:
        cloud.stop()


def printed(defect: str, *, under_run: bool) -> str:
    """What the program prints."""
    command = [*(RUN if under_run else []), *PROGRAM, defect]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_thread_and_client_fetches_and_under_run_there_is_one_fetch(
    start_cloud: Callable[[float], FakeCloud],
) -> None:
    cloud = start_cloud(SESSION_SECONDS)
    assert printed("fetches", under_run=False) == "done"
    assert len(cloud.requests.to("credentials")) >= 24  # 8 threads, 3 clients each
    cloud.requests.clear()
    assert printed("fetches", under_run=True) == "done"
    cloud.requests.assert_called_once("credentials")


def test_a_session_of_15_minutes_is_fetched_at_each_call_and_once_under_run(
    start_cloud: Callable[[float], FakeCloud],
) -> None:
    cloud = start_cloud(SESSION_SECONDS)
    printed("held", under_run=False)
    assert len(cloud.requests.to("credentials")) >= 5  # the window is as long as the session
    cloud.requests.clear()
    assert printed("held", under_run=True) == "1"
    cloud.requests.assert_called_once("credentials")


def test_each_client_leaves_a_thread_behind_and_none_does_under_run(start_cloud: Callable[[float], FakeCloud]) -> None:
    start_cloud(SESSION_SECONDS)
    assert int(printed("threads", under_run=False)) > 20
    assert int(printed("threads", under_run=True)) <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_stalls_for_five_seconds_and_does_not_under_run(
    start_cloud: Callable[[float], FakeCloud],
) -> None:
    cloud = start_cloud(SESSION_SECONDS)
    cloud.faults.add("credentials", "latency", seconds=SLOW_SECONDS, times=1)
    assert float(printed("fork", under_run=False)) >= LOCK_SECONDS  # for a lock that nobody holds
    cloud.faults.add("credentials", "latency", seconds=SLOW_SECONDS, times=1)
    assert float(printed("fork", under_run=True)) < LOCK_SECONDS


@pytest.mark.parametrize(
    ("under_run", "said"),
    [(False, "expired credentials"), (True, "CredentialException")],
    ids=["without", "with"],
)
def test_expired_credentials_are_served_in_an_outage_and_are_an_error_under_run(
    start_cloud: Callable[[float], FakeCloud], under_run: bool, said: str
) -> None:
    cloud = start_cloud(SHORT_SECONDS)
    command = [*(RUN if under_run else []), *PROGRAM, "expired"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        cloud.faults.add("metadata", "outage")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{said}\n"
