"""Spark: executors in JVMs of their own start Python workers, whose tasks outlive two rotations."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
import pytest
import requests
from pyspark.sql import SparkSession

from ramrole_creds import EcsRamRoleProvider, Signer, signing
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.local_service import LocalService
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_no_secret_below, assert_outlived
from tests.engines.work import ROTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches

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
def service(fetches: Fetches) -> Iterator[LocalService]:
    """What `ramrole-creds serve` starts: it hands credentials to the JVMs of this machine."""
    with EcsRamRoleProvider(endpoint=fetches.url) as provider, LocalService(provider) as service:
        yield service


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """A function in Java that makes signed calls."""
    classes, jar = tmp_path / "classes", tmp_path / "rotation.jar"
    libraries = f"{Path(pyspark.__file__).parent}/jars/*"
    sources = [str(HERE / "Rotation.java"), str(HERE / "RotationUdf.java")]
    subprocess.run(["javac", "-cp", libraries, "-d", str(classes), *sources], check=True)
    subprocess.run(["jar", "--create", "--file", str(jar), "-C", str(classes), "."], check=True)
    return jar


@pytest.fixture
def spark(tmp_path: Path, service: LocalService, jar: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
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
        .config("spark.executorEnv.ALIBABA_CLOUD_CREDENTIALS_URI", service.uri)
        .config("spark.redaction.regex", "(?i)secret|password|token|access[.]?key|credentials")
        .config("spark.jars", str(jar))
        .config("spark.executor.extraJavaOptions", "-Djava.net.preferIPv4Stack=true")
        .config("spark.eventLog.enabled", "true")
        .config("spark.eventLog.dir", f"file://{tmp_path}/events")
        .config("spark.local.dir", str(tmp_path / "local"))
        .config("spark.python.worker.reuse", "true")
        .getOrCreate()
    )
    yield session
    session.stop()


def pages_of(spark: Any) -> list[str]:
    """What the driver shows to browsers and to programs."""
    context = spark.sparkContext
    shown = ("/jobs/", "/stages/", "/storage/", "/environment/", "/executors/", "/threadDump/")
    answered = ("environment", "allexecutors", "jobs", "stages")
    paths = [*shown, *(f"/api/v1/applications/{context.applicationId}/{name}" for name in answered)]
    answers = [requests.get(f"{context.uiWebUrl}{path}", timeout=30) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.text for answer in answers]


def test_tasks_in_two_executors_outlive_rotations_and_leak_nothing(
    cloud: FakeCloud, fetches: Fetches, spark: Any, tmp_path: Path, figures: Figures
) -> None:
    provider, url = EcsRamRoleProvider(endpoint=fetches.url), cloud.url

    def run(_: int) -> Any:
        import work

        return work.work(provider, url)

    reports = spark.sparkContext.parallelize(range(PARTITIONS), PARTITIONS).map(run).collect()

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports, beside=1)  # the service, which is in this process
    assert len(workers) >= EXECUTORS
    for page in pages_of(spark):
        assert leaked_marker(page) is None
    assert_no_secret_below([tmp_path])
    searched = ["event log", "logs and files of the executors", "pages and API of the driver"]
    figures.record("pyspark", metadata.version("pyspark"), workers, fetches, searched)


def test_broadcast_variables_and_closures_carry_providers_signers_and_clients(
    cloud: FakeCloud, fetches: Fetches, spark: Any
) -> None:
    url = cloud.url
    provider = EcsRamRoleProvider(endpoint=fetches.url)
    session = requests.Session()
    session.trust_env = False
    session.auth = RequestsAuth(Signer(provider, signing.ACS3()))
    handle = RefreshingClient(provider, operator.attrgetter("identity"))
    broadcast = spark.sparkContext.broadcast((provider, session, handle))

    def run(_: int) -> Any:
        import os

        sent_provider, sent_session, sent_handle = broadcast.value
        headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
        answers = [one.post(url, headers=headers, timeout=10).status_code for one in (sent_session, session)]
        return os.getpid(), handle(), sent_handle(), sent_provider is provider, answers

    reports = spark.sparkContext.parallelize(range(PARTITIONS), PARTITIONS).map(run).collect()

    assert {report[1:4] for report in reports} == {("web", "web", True)}
    assert all(report[4] == [200, 200] for report in reports)
    assert fetches.processes() - {os.getpid()} == {report[0] for report in reports}
    assert max(fetches.counts.values()) == 1


def test_credentials_are_refused_in_closures_broadcasts_and_results(cloud: FakeCloud, spark: Any) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url)
    held = provider.get_credentials()
    numbers = spark.sparkContext.parallelize(range(PARTITIONS), PARTITIONS)
    with pytest.raises(Exception, match="Pickle the provider instead"):
        numbers.map(lambda _: held.access_key_id).collect()
    with pytest.raises(Exception, match="Pickle the provider instead"):
        spark.sparkContext.broadcast(held)
    with pytest.raises(Exception, match="Pickle the provider instead"):
        numbers.map(lambda _: provider.get_credentials()).collect()


def test_code_in_the_jvm_of_executors_outlives_rotations_and_leaks_nothing(
    cloud: FakeCloud, fetches: Fetches, service: LocalService, spark: Any, tmp_path: Path, figures: Figures
) -> None:
    """The connectors for OSS in Java are not on the package index; Java's own HTTP client stands for them."""
    spark.udf.registerJavaFunction("rotate", "RotationUdf")
    frame = spark.range(0, PARTITIONS, 1, PARTITIONS).selectExpr(f"rotate('{cloud.url}') AS report")

    reports = [row.report.split() for row in frame.collect()]

    assert all(len(keys.split(",")) == ROTATIONS + 1 for _, keys in reports)
    workers = {int(process) for process, _ in reports}
    assert len(workers) == EXECUTORS
    fetches.assert_one_per_process_and_set([], beside=1)  # the service, which is in this process
    path = service.uri.rpartition("/")[2]
    for page in pages_of(spark):
        assert path not in page
        assert leaked_marker(page) is None
    assert_no_secret_below([tmp_path])
    searched = [
        "event log",
        "logs and files of the executors",
        "pages and API of the driver, for the service's URI too",
    ]
    figures.record("spark-jvm", metadata.version("pyspark"), workers, fetches, searched)


def test_a_program_in_java_outlives_rotations_under_run(cloud: FakeCloud) -> None:
    command = [sys.executable, "-m", "ramrole_creds.cli", "run", "--", "java", str(HERE / "Rotation.java"), cloud.url]
    environment = {
        **os.environ,
        "RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    done = subprocess.run(
        [*command, str(ROTATIONS + 1)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.split(",")) == ROTATIONS + 1
    assert leaked_marker(done.stdout + done.stderr) is None
