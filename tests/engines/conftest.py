"""Engines that run tasks in other processes: one fake cloud in real time, with credentials that live a few seconds.

Each engine is tested in an environment of its own (`tox run -e engine-celery`, for instance) and is left out elsewhere.
"""

from __future__ import annotations

import os
import runpy
import socket
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.work import ROTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.engines.work import Report

# The import names that each file needs. `workers` needs several and takes minutes: it runs in its own environment only.
NEEDS = {"airflow": "airflow", "celery": "celery", "pyspark": "pyspark", "ray": "ray", "workers": ""}
LIFE_SECONDS = 6.0
# ENGINE_TESTS, where it is set, names the file that must run: a missing engine fails instead of going unseen.
REQUIRED = os.environ.get("ENGINE_TESTS", "").split()
collect_ignore = [
    f"test_{name}.py"
    for name, module in NEEDS.items()
    if name not in REQUIRED and (not module or find_spec(module) is None)
]
_figures: dict[str, dict[str, Any]] = {}


class Figures:
    """What the tests of an engine measured, for the manual's table."""

    def record(self, engine: str, version: str, processes: int, cloud: FakeCloud, searched: list[str]) -> None:
        """Add up the figures of an engine's tests.

        Args:
            engine: its name in the table.
            version: its version.
            processes: how many worker processes there were.
            cloud: counts the fetches.
            searched: where the test looked for secrets.
        """
        known = _figures.setdefault(engine, {"processes": 0, "sets": 0, "fetches": 0, "searched": []})
        known["version"] = version
        known["rotations"] = ROTATIONS
        known["processes"] += processes
        known["sets"] += processes * len(cloud.credential_store.issued("web"))
        known["fetches"] += len(cloud.requests.to("credentials"))
        known["searched"] = list(dict.fromkeys([*known["searched"], *searched]))


@pytest.fixture
def figures() -> Figures:
    """Takes the figures of a test as its last step, so that a test that fails leaves none."""
    return Figures()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Record the figures for the manual's table, where that is asked for and everything passed."""
    if exitstatus == 0 and _figures and os.environ.get("RECORD_RESULTS"):
        table = runpy.run_path(str(session.config.rootpath / "docs" / "integrations_table.py"))
        table["record"]({}, _figures)


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A cloud whose credentials rotate every few seconds."""
    with FakeCloud(clock=SYSTEM_CLOCK, credential_lifetime=LIFE_SECONDS) as cloud:
        yield cloud


def assert_no_secret_below(folders: Iterable[Path]) -> None:
    """No file below these folders holds a secret or a token of the fake cloud; at least one file was read."""
    read = 0
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                read += 1
                leak = leaked_marker(path.read_bytes().decode("latin-1"))
                assert leak is None, f"{path}: {leak}"
    assert read


def assert_one_fetch_per_process(cloud: FakeCloud, reports: list[Report], *, beside: int = 0) -> int:
    """Every task went over the rotations unrefused, and each process fetched once for each set of credentials.

    A fetch may return the credentials that are held still, since the service issues the next ones late in their life.
    So each process has one more for each set.

    Args:
        cloud: the cloud of the test.
        reports: what the tasks did.
        beside: how many other processes fetch.

    Returns:
        How many processes there were.
    """
    assert all(len(report["keys"]) == ROTATIONS + 1 and report["refused"] == 0 for report in reports)
    processes = {report["process"] for report in reports}
    fetches = cloud.requests.to("credentials")
    generations = len(cloud.credential_store.issued("web"))
    assert len(processes) <= len(fetches) <= 2 * generations * (len(processes) + beside)
    return len(processes)


def wait_for_port(port: int) -> None:
    """Return when something listens on this port of loopback."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
