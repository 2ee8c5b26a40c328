"""The client library's multiprocess mode: ends of providers, forks, dead workers, and workers of gunicorn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integrations.metrics.test_prometheus import values_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

END = "ramrole_creds_expiration_timestamp_seconds"
ONE = 'provider="web"'
REAL_PATIENCE_SECONDS = 60.0
PROGRAM = """
import os
import time
from datetime import datetime, timezone
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.integrations.prometheus import PrometheusMetrics

metrics, other = PrometheusMetrics(), Counter("other", "Of the program")
first = int(time.time()) + 3600

def provider_of(seconds):
    end = datetime.fromtimestamp(first + seconds, timezone.utc)
    provider = FunctionProvider(lambda: Credentials("id", "s", "t", end), name="web", on_event=metrics)
    provider.get_credentials()
    return provider

def shown():
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    lines = [line for line in generate_latest(registry).decode().splitlines() if line.startswith("ramrole_creds_")]
    values = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
    ends = [value for name, value in values.items() if name.startswith("ramrole_creds_expiration")]
    fresh = sum(value for name, value in values.items() if 'state="fresh"' in name)
    return (ends[0] - first if ends else None), fresh

def in_child(work):
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return child
"""


def run(program: str, folder: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_closed_provider_does_not_count_where_no_series_can_be_removed(tmp_path: Path) -> None:
    run(
        """
later, sooner = provider_of(60), provider_of(0)
assert shown() == (0, 2), shown()
sooner.close()
assert shown() == (60, 1), shown()
later.close()
assert shown() == (float("inf"), 0), shown()
""",
        tmp_path,
    )


def test_a_child_that_counts_something_else_does_not_seem_to_have_expired(tmp_path: Path) -> None:
    """The client library sets the gauges of a forked child to 0 at its first step, and shows the lowest."""
    run(
        """
provider = provider_of(0)

def live():
    other.inc()
    assert shown() == (0, 1), shown()
    provider.refresh()
    assert shown() == (0, 2), shown()
    open("seen", "w").close()

os.chdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])
in_child(live)
assert os.path.exists("seen")
""",
        tmp_path,
    )


def test_a_worker_that_died_does_not_count_once_it_is_marked_dead(tmp_path: Path) -> None:
    run(
        """
later = provider_of(60)
kept = []
dead = in_child(lambda: kept.append(provider_of(0)))
assert shown()[0] == 0, shown()
mark_process_dead(dead)
assert shown() == (60, 1), shown()
""",
        tmp_path,
    )


APPLICATION = """
from datetime import datetime, timedelta, timezone
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.integrations.prometheus import PrometheusMetrics

end = datetime.now(timezone.utc) + timedelta(hours=1)
provider = FunctionProvider(lambda: Credentials("id", "s", "t", end), name="web", on_event=PrometheusMetrics())
provider.get_credentials()
requests = Counter("requests", "Of this application")

def app(environ, start_response):
    requests.inc()
    provider.get_credentials()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [generate_latest(registry)]
"""
SETTINGS = """
from prometheus_client import multiprocess

def child_exit(server, worker):
    multiprocess.mark_process_dead(worker.pid)
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def scraped(port: int) -> dict[str, float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + REAL_PATIENCE_SECONDS
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return values_of(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("preload", [1, 0], ids=["preload", "cold"])
def test_workers_of_gunicorn_are_shown_and_dead_ones_are_not(preload: int, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    folder = tmp_path / "metrics"
    folder.mkdir()
    (tmp_path / "application.py").write_text(APPLICATION, encoding="utf-8")
    (tmp_path / "settings.py").write_text(SETTINGS, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "settings.py", "-w", "3", "-b", f"127.0.0.1:{port}"]
    command += ["--preload"] * preload
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    server = subprocess.Popen([*command, "application:app"], cwd=tmp_path, env=environment)
    holders = 1 if preload else 3  # the parent, which refreshes what it preloaded; workers that have fetched
    fresh = f'ramrole_creds_state{{{ONE},state="fresh"}}'
    try:
        found = until(port, lambda found: found.get(fresh) == holders)
        assert found[f"{END}{{{ONE}}}"] > time.time() + 3000
        (worker, *_) = sorted(int(path.stem.split("_")[-1]) for path in folder.glob("gauge_livesum_*.db"))[-1:]
        os.kill(worker, signal.SIGKILL)
        files = f"gauge_live*_{worker}.db"
        found = until(port, lambda found: not list(folder.glob(files)) and found.get(fresh) == holders)
        assert found[f"{END}{{{ONE}}}"] > time.time() + 3000
        assert found[f'ramrole_creds_fetches_total{{outcome="failed",{ONE}}}'] == 0
    finally:
        server.terminate()
        server.wait(REAL_PATIENCE_SECONDS)


def until(port: int, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """What is scraped once it is as it should be; each request may go to another worker."""
    end = time.monotonic() + REAL_PATIENCE_SECONDS
    found = scraped(port)
    while not holds(found):
        assert time.monotonic() < end, found
        time.sleep(0.05)
        found = scraped(port)
    return found
