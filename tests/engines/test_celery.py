"""Celery with a real broker: worker processes and worker threads outlive two rotations."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kombu.exceptions import EncodeError

from ramrole_creds import EcsRamRoleProvider, Signer, StaticProvider, signing
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_no_secret_below, assert_outlived, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches

HERE = Path(__file__).parent
TASKS = 4
WAIT_SECONDS = 90


@pytest.mark.may_leak  # oss2 prints the token at DEBUG
def test_the_task_of_the_page_uploads_with_the_provider_of_its_module(ramrole_cloud: FakeCloud) -> None:
    pytest.importorskip("oss2", reason="the extra oss2")
    page = (HERE.parents[1] / "docs" / "many-machines.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "tasks", "endpoint": ramrole_cloud.url}
    exec(compile(example, "docs/many-machines.md", "exec", dont_inherit=True), names)
    names["upload"]("name")
    assert [one.status for one in ramrole_cloud.requests.to("oss")] == [200]
    assert names["upload"].name == "tasks.upload"


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


@pytest.fixture
def tasks(cloud: FakeCloud, fetches: Fetches, broker: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the application, as the sender of tasks imports it."""
    monkeypatch.setenv("CLOUD_URL", cloud.url)
    monkeypatch.setenv("METADATA_URL", fetches.url)
    monkeypatch.setenv("BROKER_URL", broker)
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("celery_tasks", "work"):
        sys.modules.pop(name, None)
    import celery_tasks  # type: ignore[import-not-found,unused-ignore]

    return celery_tasks


@contextlib.contextmanager
def worker_of(pool: str, log: Path, *options: str) -> Iterator[None]:
    """A worker process of Celery."""
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--pool", pool, "--concurrency", "2"]
    environment = os.environ | {"C_FORCE_ROOT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command += ["--loglevel", "DEBUG", "--without-gossip", "--without-mingle", *options]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=HERE, env=environment, stdout=output, stderr=output) as worker,
    ):
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(WAIT_SECONDS)


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "eventlet", "solo"])
@pytest.mark.parametrize("sent", [False, True], ids=["module", "argument"])
def test_tasks_outlive_rotations_with_one_fetch_per_process(
    fetches: Fetches, tasks: Any, tmp_path: Path, figures: Figures, pool: str, sent: bool
) -> None:
    with worker_of(pool, tmp_path / "worker.log"):
        task = tasks.with_sent_provider if sent else tasks.with_module_provider
        arguments = (EcsRamRoleProvider(endpoint=fetches.url),) if sent else ()
        results = [task.apply_async(arguments) for _ in range(TASKS)]
        reports = [result.get(timeout=WAIT_SECONDS) for result in results]

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports)
    assert len(workers) == (2 if pool == "prefork" else 1)
    assert_no_secret_below([tmp_path])
    searched = ["messages and results (the broker's log of commands)", "worker log"]
    figures.record("celery", metadata.version("celery"), workers, fetches, searched)


@pytest.mark.parametrize("serializer", ["json", "pickle", "yaml", "msgpack"])
@pytest.mark.parametrize("kind", ["credentials", "static provider", "signer of credentials"])
def test_a_secret_is_refused_as_an_argument(
    fetches: Fetches, tasks: Any, tmp_path: Path, serializer: str, kind: str
) -> None:
    held = EcsRamRoleProvider(endpoint=fetches.url).get_credentials()
    given = {
        "credentials": held,
        "static provider": StaticProvider(held.access_key_id, held.access_key_secret, held.security_token),
        "signer of credentials": Signer.fixed(held, signing.ACS3()),
    }[kind]

    with pytest.raises(EncodeError) as raised:
        tasks.with_argument.apply_async((given,), serializer=serializer)

    assert leaked_marker(str(raised.value)) is None
    if serializer == "pickle":
        assert "Pickle" in str(raised.value)
    if serializer == "json" and kind != "signer of credentials":
        assert "at module level" in str(raised.value)
    assert_no_secret_below([tmp_path])


def test_a_provider_as_json_says_what_to_send_instead(fetches: Fetches, tasks: Any) -> None:
    with pytest.raises(EncodeError, match=r"at module level, or send its URL .* provider_from_url\(\)"):
        tasks.with_argument.delay(EcsRamRoleProvider(endpoint=fetches.url))


def test_credentials_are_refused_as_a_result(tasks: Any, tmp_path: Path) -> None:
    with worker_of("threads", tmp_path / "worker.log"), pytest.raises(Exception, match="cannot be sent as JSON"):
        tasks.returns_credentials.delay().get(timeout=WAIT_SECONDS)
    assert_no_secret_below([tmp_path])


def test_replaced_workers_outlive_rotations_with_one_fetch_each(
    fetches: Fetches, tasks: Any, tmp_path: Path, figures: Figures
) -> None:
    with worker_of("prefork", tmp_path / "worker.log", "--max-tasks-per-child", "1"):
        results = [tasks.with_module_provider.delay() for _ in range(TASKS)]
        reports = [result.get(timeout=WAIT_SECONDS) for result in results]

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports)
    assert len(workers) == TASKS
    assert_no_secret_below([tmp_path])
    figures.record("celery", metadata.version("celery"), workers, fetches, ["worker log"])
