"""Spark: executors in JVMs of their own start Python workers, whose tasks outlive two rotations."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from pyspark.sql import SparkSession

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_no_secret_below, assert_one_fetch_per_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud

HERE = Path(__file__).parent
EXECUTORS = 2
PARTITIONS = 4

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A local cluster with two executors of one core each."""
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("SPARK_WORKER_DIR", str(tmp_path / "workers"))
    path = os.pathsep.join([str(HERE), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)
    (tmp_path / "events").mkdir()
    session = (
        SparkSession.builder.master(f"local-cluster[{EXECUTORS},1,1024]")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", path)
        .config("spark.executor.extraJavaOptions", "-Djava.net.preferIPv4Stack=true")
        .config("spark.eventLog.enabled", "true")
        .config("spark.eventLog.dir", f"file://{tmp_path}/events")
        .config("spark.local.dir", str(tmp_path / "local"))
        .config("spark.python.worker.reuse", "true")
        .getOrCreate()
    )
    yield session
    session.stop()


def test_tasks_in_two_executors_outlive_rotations_and_leak_nothing(
    cloud: FakeCloud, spark: Any, tmp_path: Path, figures: Figures
) -> None:
    provider, url = EcsRamRoleProvider(endpoint=cloud.url), cloud.url

    def run(_: int) -> Any:
        import work

        return work.work(provider, url)

    reports = spark.sparkContext.parallelize(range(PARTITIONS), PARTITIONS).map(run).collect()

    processes = assert_one_fetch_per_process(cloud, reports)
    assert processes >= EXECUTORS
    pages = [f"{spark.sparkContext.uiWebUrl}{path}" for path in ("/jobs/", "/environment/", "/executors/")]
    for page in pages:
        answer = requests.get(page, timeout=10)
        assert answer.status_code == 200
        assert leaked_marker(answer.text) is None
    assert_no_secret_below([tmp_path])
    searched = ["event log", "logs and files of the executors", "pages of the driver"]
    figures.record("pyspark", metadata.version("pyspark"), processes, cloud, searched)
