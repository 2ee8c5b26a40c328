"""Workers of gunicorn, uvicorn and uWSGI, replaced and reloaded ones too, and of Dask, over two rotations."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from distributed import Client, LocalCluster

from ramrole_creds import EcsRamRoleProvider
from tests.engines.conftest import Figures, assert_no_secret_below, assert_outlived, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches
    from tests.engines.work import Report

HERE = Path(__file__).parent
WORKERS = 2
TASKS = 4
WAIT_SECONDS = 90
GUNICORN = ["gunicorn", "--workers", str(WORKERS), "--timeout", "90", "worker_app:application"]
UVICORN = ["uvicorn", "worker_app:asgi"]
UWSGI = ["uwsgi", "--master", "--die-on-term", "--processes", str(WORKERS), "--module", "worker_app:application"]
SERVERS = {
    "gunicorn": GUNICORN,
    "gunicorn-threads": [*GUNICORN, "--threads", "2"],
    "gunicorn-preload": [*GUNICORN, "--preload"],
    "gunicorn-preload-max-requests": [*GUNICORN, "--preload", "--max-requests", "1"],
    "gunicorn-max-requests": [*GUNICORN, "--max-requests", "1"],
    "gunicorn-reload": [*GUNICORN, "--reload", "--reload-extra-file", "{touched}"],
    "uvicorn": [*UVICORN, "--workers", str(WORKERS)],
    "uvicorn-max-requests": [*UVICORN, "--workers", str(WORKERS), "--limit-max-requests", "2"],
    "uvicorn-reload": [*UVICORN, "--reload", "--reload-dir", "{folder}"],
    # Without its option for threads, uWSGI gives threads no time between two requests.
    "uwsgi-preload": UWSGI,
    "uwsgi": [*UWSGI, "--lazy-apps"],
    "uwsgi-threads": [*UWSGI, "--lazy-apps", "--enable-threads", "--threads", "2"],
    "uwsgi-max-requests": [*UWSGI, "--lazy-apps", "--max-requests", "1", "--min-worker-lifetime", "0"],
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def address(cloud: FakeCloud, fetches: Fetches, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server with workers; its output is written to a file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "reloaded"
    folder.mkdir()
    touched = folder / "touched.py"
    touched.touch()
    server, *arguments = [one.format(folder=folder, touched=touched) for one in SERVERS[request.param]]
    host = f"127.0.0.1:{port}"
    options = {
        "gunicorn": ["--bind", host, "--log-level", "debug"],
        "uvicorn": ["--port", str(port), "--log-level", "debug"],
        "uwsgi": ["--http-socket", host],
    }
    program = [str(Path(sys.executable).with_name(server))] if server == "uwsgi" else [sys.executable, "-m", server]
    environment = {
        **os.environ,
        "CLOUD_URL": cloud.url,
        "METADATA_URL": fetches.url,
        "WARM": "yes" if "preload" in request.param else "",
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
        "PYTHONWARNINGS": "ignore",
    }
    command = [*program, *options[server], *arguments]
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
    fetches: Fetches, address: str, tmp_path: Path, request: pytest.FixtureRequest, figures: Figures
) -> None:
    server = request.node.callspec.params["address"]
    reloaded = server.endswith("-reload")
    replaced = "max-requests" in server or reloaded
    reports: list[Report] = []
    ends = time.monotonic() + WAIT_SECONDS
    while len({report["process"] for report in reports}) < WORKERS + replaced:
        assert time.monotonic() < ends, "no other worker answered"
        with ThreadPoolExecutor(TASKS) as pool:
            reports += pool.map(lambda _: answer_of(address), range(TASKS))
        if reloaded:
            reload(tmp_path / "reloaded" / "touched.py", address, {report["process"] for report in reports})

    assert_outlived(reports)
    # A warm preload fetches in the parent, whose snapshot the workers have. A replaced worker may have had no request.
    others = len(fetches.processes()) if replaced else 1 if "preload" in server else 0
    workers = fetches.assert_one_per_process_and_set(reports, beside=others)
    assert_no_secret_below([tmp_path])
    name = server.partition("-")[0]
    version = metadata.version("pyuwsgi" if name == "uwsgi" else name)
    figures.record(name, version, workers, fetches, ["server log"])


def answer_of(address: str) -> Report:
    """What a worker did. A worker that is being replaced may reset a connection before it reads the request."""
    for _ in range(TASKS):
        with contextlib.suppress(requests.ConnectionError):
            answer: Report = requests.get(address, timeout=WAIT_SECONDS).json()
            return answer
        time.sleep(0.5)
    raise TimeoutError("no worker answered")


def reload(touched: Path, address: str, known: set[int]) -> None:
    """Change a file that the server watches, and wait for new workers."""
    touched.write_text(f"# {time.time()}", encoding="utf-8")
    ends = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(requests.RequestException):
            if int(requests.get(f"{address}process", timeout=5).text) not in known:
                return
        time.sleep(0.2)
    raise TimeoutError("the server did not reload")


def test_tasks_of_dask_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud, fetches: Fetches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    monkeypatch.syspath_prepend(str(HERE))
    import work  # type: ignore[import-not-found,unused-ignore]

    provider: Any = EcsRamRoleProvider(endpoint=fetches.url)
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

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports)
    assert_no_secret_below([tmp_path])
    searched = ["logs of scheduler and workers", "page"]
    figures.record("dask", metadata.version("distributed"), workers, fetches, searched)
