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
from tests.engines.fetches import Fetches
from tests.engines.work import ROTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.engines.work import Report

# The import names that each file needs. `pools` and `workers` need several and take minutes: they run in their own
# environment only.
NEEDS = {
    "airflow": "airflow",
    "celery": "celery",
    "pools": "",
    "pyspark": "pyspark",
    "ray": "ray",
    "torch": "torch",
    "workers": "",
}
LIFE_SECONDS = 6.0
# ENGINE_TESTS, where it is set, names the file that must run: a missing engine fails instead of going unseen.
REQUIRED = os.environ.get("ENGINE_TESTS", "").split()
collect_ignore = [
    f"test_{name}.py"
    for name, module in NEEDS.items()
    if name not in REQUIRED and (not module or find_spec(module) is None)
]
_figures: list[tuple[str, dict[str, Any]]] = []


class Figures:
    """What the tests of an engine measured, for the manual's tables."""

    def record(self, engine: str, version: str, workers: set[int], fetches: Fetches, searched: list[str]) -> None:
        """Add up the figures of an engine's tests.

        Args:
            engine: its name in the tables.
            version: its version.
            workers: the processes that had a task.
            fetches: what each process fetched.
            searched: where the test looked for secrets.
        """
        figures = {
            "version": version,
            "rotations": ROTATIONS,
            "workers": len(workers),
            "fetches": sum(fetches.counts.values()),
            "most": max(fetches.counts.values()),
            "searched": searched,
        }
        _figures.append((engine, figures))


def summed(figures: list[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The figures of each engine over all of its tests."""
    found: dict[str, dict[str, Any]] = {}
    for engine, one in figures:
        known = found.setdefault(engine, {**one, "workers": 0, "fetches": 0, "most": 0, "searched": []})
        for name in ("workers", "fetches"):
            known[name] += one[name]
        known["most"] = max(known["most"], one["most"])
        known["searched"] = sorted({*known["searched"], *one["searched"]})
    return found


@pytest.fixture
def figures() -> Figures:
    """Takes the figures of a test as its last step, so that a test that fails leaves none."""
    return Figures()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the figures of a worker of pytest-xdist."""
    _figures.extend(node.workeroutput.get("figures", []))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Record the figures for the manual's table, where that is asked for and everything passed."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = _figures
    elif exitstatus == 0 and _figures and os.environ.get("RECORD_RESULTS"):
        table = runpy.run_path(str(session.config.rootpath / "docs" / "integrations_table.py"))
        table["record"]({}, summed(_figures))


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A cloud whose credentials rotate every few seconds."""
    with FakeCloud(clock=SYSTEM_CLOCK, credential_lifetime=LIFE_SECONDS) as cloud:
        yield cloud


@pytest.fixture
def fetches(cloud: FakeCloud) -> Iterator[Fetches]:
    """The metadata service of the cloud, behind a relay that counts the fetches of each process."""
    with Fetches(cloud.port) as fetches:
        yield fetches


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


def assert_outlived(reports: list[Report]) -> None:
    """Every task went over the rotations, none of its calls was refused, and it says whose credentials it used."""
    assert reports
    assert {(report["identity"], report["source"]) for report in reports} == {("web", "ecs_ram_role")}
    assert all(len(report["keys"]) > ROTATIONS and report["refused"] == 0 for report in reports), reports


def wait_for_port(port: int) -> None:
    """Return when something listens on this port of loopback."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
