"""Celery with a real broker: worker processes and worker threads outlive two rotations."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import EcsRamRoleProvider
from tests.engines.conftest import Figures, assert_no_secret_below, assert_one_fetch_per_process, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud

HERE = Path(__file__).parent
TASKS = 4
WAIT_SECONDS = 90


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis server that writes down every command it gets."""
    server = shutil.which("redis-server")
    assert server is not None, "install the Debian package redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "redis"
    folder.mkdir()
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes"]
    command += ["--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"]
    with (tmp_path / "redis.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
        process.terminate()


@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("sent", [False, True], ids=["module", "argument"])
def test_tasks_outlive_rotations_with_one_fetch_per_process(
    cloud: FakeCloud,
    broker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: Figures,
    pool: str,
    sent: bool,
) -> None:
    monkeypatch.setenv("CLOUD_URL", cloud.url)
    monkeypatch.setenv("BROKER_URL", broker)
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("celery_tasks", "work"):
        sys.modules.pop(name, None)
    import celery_tasks  # type: ignore[import-not-found,unused-ignore]

    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--pool", pool, "--concurrency", "2"]
    log = tmp_path / "worker.log"
    environment = os.environ | {"C_FORCE_ROOT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command += ["--loglevel", "DEBUG", "--without-gossip", "--without-mingle"]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=HERE, env=environment, stdout=output, stderr=output) as worker,
    ):
        try:
            reports = run_tasks(celery_tasks, EcsRamRoleProvider(endpoint=cloud.url) if sent else None)
        finally:
            worker.terminate()
            worker.wait(WAIT_SECONDS)

    processes = assert_one_fetch_per_process(cloud, reports, beside=1)
    assert processes == (2 if pool == "prefork" else 1)
    assert_no_secret_below([tmp_path])
    searched = ["messages and results (the broker's log of commands)", "worker log"]
    figures.record("celery", metadata.version("celery"), processes, cloud, searched)


def run_tasks(module: Any, sent: EcsRamRoleProvider | None) -> list[Any]:
    task = module.with_module_provider if sent is None else module.with_sent_provider
    arguments = () if sent is None else (sent,)
    results = [task.apply_async(arguments) for _ in range(TASKS)]
    return [result.get(timeout=WAIT_SECONDS) for result in results]
