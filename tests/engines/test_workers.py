"""Processes without an engine: workers of gunicorn and uvicorn, multiprocessing, and Dask, over two rotations."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from distributed import Client, LocalCluster

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_no_secret_below, assert_one_fetch_per_process, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.engines.work import Report

HERE = Path(__file__).parent
WORKERS = 2
TASKS = 4
WAIT_SECONDS = 90
SERVERS = {
    "gunicorn": ["gunicorn", "--workers", str(WORKERS), "--timeout", "90", "worker_app:application"],
    "gunicorn-preload": [
        "gunicorn",
        "--workers",
        str(WORKERS),
        "--timeout",
        "90",
        "--preload",
        "worker_app:application",
    ],
    "uvicorn": ["uvicorn", "--workers", str(WORKERS), "worker_app:asgi"],
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def address(cloud: FakeCloud, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server with two workers; its output is written to a file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, *arguments = SERVERS[request.param]
    listen = ["--bind", f"127.0.0.1:{port}"] if server == "gunicorn" else ["--port", str(port)]
    level = ["--log-level", "debug"]
    environment = {
        **os.environ,
        "CLOUD_URL": cloud.url,
        "WARM": "yes" if "--preload" in arguments else "",
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", server, *listen, *level, *arguments]
    with (
        (tmp_path / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=HERE, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)


@pytest.mark.parametrize("address", SERVERS, indirect=True)
def test_workers_of_a_web_server_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud, address: str, tmp_path: Path, request: pytest.FixtureRequest, figures: Figures
) -> None:
    server = request.node.callspec.params["address"]
    reports: list[Report] = []
    ends = time.monotonic() + WAIT_SECONDS
    while len({report["process"] for report in reports}) < WORKERS:
        assert time.monotonic() < ends, "one worker answered every request"
        with ThreadPoolExecutor(TASKS) as pool:
            reports += pool.map(lambda _: requests.get(address, timeout=WAIT_SECONDS).json(), range(TASKS))

    # A warm preload fetches in the parent, whose snapshot the workers have.
    processes = assert_one_fetch_per_process(cloud, reports, beside=1 if "preload" in server else 0)
    assert_no_secret_below([tmp_path])
    name = server.partition("-")[0]
    figures.record(name, metadata.version(name), processes, cloud, ["server log"])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_tasks_of_a_process_pool_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud, method: str, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    import work  # type: ignore[import-not-found,unused-ignore]

    provider = EcsRamRoleProvider(endpoint=cloud.url)
    provider.get_credentials()
    assert leaked_marker(pickle.dumps((work.work, provider, cloud.url)).decode("latin-1")) is None
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(method)) as pool:
        reports = [future.result() for future in [pool.submit(work.work, provider, cloud.url) for _ in range(TASKS)]]

    processes = assert_one_fetch_per_process(cloud, reports, beside=1)
    figures.record("multiprocessing", sys.version.split()[0], processes, cloud, ["pickled tasks"])


def test_tasks_of_dask_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    monkeypatch.syspath_prepend(str(HERE))
    import work  # type: ignore[import-not-found,unused-ignore]

    provider: Any = EcsRamRoleProvider(endpoint=cloud.url)
    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0",
            host="127.0.0.1", local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        tasks = [client.submit(work.work, provider, cloud.url, key=f"task-{number}") for number in range(TASKS)]
        reports = client.gather(tasks)
        logs = [*client.get_worker_logs().values(), client.get_scheduler_logs()]
        (tmp_path / "dask.log").write_text(repr(logs), encoding="utf-8")
        page = requests.get(cluster.dashboard_link.removesuffix("/status") + "/info/main/workers.html", timeout=10)
        assert page.status_code == 200
        (tmp_path / "page.html").write_text(page.text, encoding="utf-8")

    processes = assert_one_fetch_per_process(cloud, reports)
    assert_no_secret_below([tmp_path])
    figures.record("dask", metadata.version("distributed"), processes, cloud, ["logs of scheduler and workers", "page"])
