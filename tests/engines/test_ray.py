"""Ray: tasks and actors in worker processes outlive two rotations."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray
import requests

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing.masking import leaked_marker
from tests.engines import work
from tests.engines.conftest import Figures, assert_no_secret_below, assert_one_fetch_per_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud

TASKS = 4
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ray on this machine, with two workers at most."""
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    variables = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    context = ray.init(
        num_cpus=2, include_dashboard=True, dashboard_host="127.0.0.1", _node_ip_address="127.0.0.1",
        runtime_env={"env_vars": variables}, log_to_driver=False,
    )  # fmt: skip
    yield context
    ray.shutdown()


def test_tasks_and_actors_outlive_rotations_and_leak_nothing(cloud: FakeCloud, session: Any, figures: Figures) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url)
    task = ray.remote(work.work)

    class Keeper:
        """An actor that is given a provider once."""

        def __init__(self, given: EcsRamRoleProvider) -> None:
            self._given = given

        def work(self, url: str) -> work.Report:
            """Work with the provider that is kept."""
            return work.work(self._given, url)

    provider.get_credentials()
    assert leaked_marker(ray.cloudpickle.dumps(provider).decode("latin-1")) is None
    reports = ray.get([task.remote(provider, cloud.url) for _ in range(TASKS)], timeout=120)
    actor = ray.remote(Keeper).remote(provider)
    reports += ray.get([actor.work.remote(cloud.url)], timeout=120)

    processes = assert_one_fetch_per_process(cloud, reports, beside=1)
    by_process: dict[int, int] = {}
    for report in reports:
        by_process[report["process"]] = by_process.get(report["process"], 0) + 1
    assert max(by_process.values()) >= 2, "at least one worker ran two tasks"
    assert_no_secret_below([Path(session.address_info["session_dir"]) / "logs"])
    page = requests.get(f"http://{session.dashboard_url}/api/v0/tasks?detail=1", timeout=10)
    assert page.status_code == 200
    assert leaked_marker(page.text) is None
    searched = ["logs of the session", "the dashboard's list of tasks", "pickled arguments"]
    figures.record("ray", metadata.version("ray"), processes, cloud, searched)
