"""Real servers that fork their workers: what the master fetched, no worker asks for again."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these servers need a platform that splits processes")
MAX_SECONDS = 30.0
WORKERS = 3
CALLERS = 8
HAS_GEVENT = importlib.util.find_spec("gevent") is not None
needs_uwsgi = pytest.mark.skipif(
    importlib.util.find_spec("pyuwsgi") is None, reason="pyuwsgi has no build for this interpreter"
)

APP = """
import os, time
from ramrole_creds import EcsRamRoleProvider

provider = EcsRamRoleProvider(endpoint=os.environ["FAKE_METADATA"])
if os.environ.get("FAKE_WARM"):
    provider.get_credentials()
    time.sleep(0.1)  # whoever splits in C must not do so while a thread asks for the interpreter's lock

def app(environ, start_response):
    key = provider.get_credentials().access_key_id
    time.sleep(0.01)  # busy for a moment, so that the other workers get their share
    body = f"{os.getpid()} {os.getppid()} {key}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(clock=SYSTEM_CLOCK) as cloud:
        yield cloud


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Bound here and handed down, so that requests wait in its queue until a worker is there to take them."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener


@contextlib.contextmanager
def serving(
    command: list[str], folder: Path, cloud: FakeCloud, listener: socket.socket, *, warm: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """The server as a user starts it, in a session of its own, of which nothing is left afterwards."""
    (folder / "fakeapp.py").write_text(APP, encoding="utf-8")
    environment = {
        **os.environ,
        "FAKE_METADATA": cloud.metadata_endpoint,
        "FAKE_WARM": "yes" if warm else "",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(MAX_SECONDS)


def gunicorn(
    folder: Path, cloud: FakeCloud, listener: socket.socket, *options: str, warm: bool
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", f"--bind=fd://{listener.fileno()}"]
    command += [f"--workers={WORKERS}", "--worker-tmp-dir=.", "--graceful-timeout=1", *options, "fakeapp:app"]
    return serving(command, folder, cloud, listener, warm=warm)


def uwsgi(
    folder: Path, cloud: FakeCloud, listener: socket.socket, *options: str, warm: bool
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    program = str(Path(sys.executable).with_name("uwsgi"))
    command = [program, f"--http-socket=fd://{listener.fileno()}", "--master", f"--processes={WORKERS}", *options]
    return serving([*command, "--module=fakeapp:app"], folder, cloud, listener, warm=warm)


def ask(listener: socket.socket) -> tuple[int, int, str]:
    """The ids of the worker that answered and of its parent, and the key that it holds."""
    with socket.create_connection(listener.getsockname(), timeout=MAX_SECONDS) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: fake\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 200"), answer
    worker, parent, key = answer.rpartition("\r\n")[2].split()
    return int(worker), int(parent), key


def ask_all_workers(server: subprocess.Popen[bytes], listener: socket.socket) -> list[str]:
    """The keys in the answers, as many as it took until every worker had answered."""
    keys: list[str] = []
    workers: set[int] = set()
    end = time.monotonic() + MAX_SECONDS
    with ThreadPoolExecutor(CALLERS) as pool:
        while len(workers) < WORKERS and time.monotonic() < end:
            assert server.poll() is None, "the server ended"
            for worker, parent, key in pool.map(lambda _: ask(listener), range(2 * CALLERS)):
                assert parent == server.pid
                workers.add(worker)
                keys.append(key)
    assert len(workers) == WORKERS
    return keys


def fetches(cloud: FakeCloud) -> int:
    return sum(request.step == "credentials" for request in cloud.requests)


KINDS = [
    pytest.param(["--worker-class=sync"], id="sync"),
    pytest.param(["--worker-class=gthread", "--threads=4"], id="gthread"),
    pytest.param(
        ["--worker-class=gevent"],
        id="gevent",
        marks=pytest.mark.skipif(not HAS_GEVENT, reason="gevent has no build for this interpreter"),
    ),
]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_of_a_warm_gunicorn_master_ask_for_nothing(
    kind: list[str], tmp_path: Path, cloud: FakeCloud, listener: socket.socket
) -> None:
    with gunicorn(tmp_path, cloud, listener, "--preload", *kind, warm=True) as server:
        keys = ask_all_workers(server, listener)
    assert len(set(keys)) == 1
    assert fetches(cloud) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_gunicorn_worker_fetches_once_where_none_is_forked_warm(
    kind: list[str], tmp_path: Path, cloud: FakeCloud, listener: socket.socket
) -> None:
    with gunicorn(tmp_path, cloud, listener, *kind, warm=False) as server:
        keys = ask_all_workers(server, listener)
    assert len(set(keys)) == 1
    assert fetches(cloud) == WORKERS


@pytest.mark.parametrize("kind", KINDS)
def test_gunicorn_workers_forked_from_a_cold_master_fetch_once_each(
    kind: list[str], tmp_path: Path, cloud: FakeCloud, listener: socket.socket
) -> None:
    with gunicorn(tmp_path, cloud, listener, "--preload", *kind, warm=False) as server:
        keys = ask_all_workers(server, listener)
    assert len(set(keys)) == 1
    assert fetches(cloud) == WORKERS


@needs_uwsgi
@pytest.mark.parametrize("options", [[], ["--py-call-uwsgi-fork-hooks"]], ids=" ".join)
def test_workers_of_a_warm_uwsgi_master_ask_for_nothing(
    options: list[str], tmp_path: Path, cloud: FakeCloud, listener: socket.socket
) -> None:
    """It splits in C, and runs Python's fork handlers only where it is told to."""
    with uwsgi(tmp_path, cloud, listener, *options, warm=True) as server:
        keys = ask_all_workers(server, listener)
    assert len(set(keys)) == 1
    assert fetches(cloud) == 1


@needs_uwsgi
@pytest.mark.parametrize("options", [[], ["--lazy-apps"]], ids=" ".join)
def test_each_uwsgi_worker_fetches_once_where_none_is_forked_warm(
    options: list[str], tmp_path: Path, cloud: FakeCloud, listener: socket.socket
) -> None:
    with uwsgi(tmp_path, cloud, listener, *options, warm=False) as server:
        keys = ask_all_workers(server, listener)
    assert len(set(keys)) == 1
    assert fetches(cloud) == WORKERS
