"""Shows what the panels of the Grafana dashboard show of the demo: text, from a real Prometheus that scrapes it.

    python docs/render_panels.py

Runs `ramrole-creds demo` with `PrometheusMetrics`, lets Prometheus scrape it on loopback, and evaluates the expression
of each panel. Needs the program `prometheus` (Debian: apt-get install prometheus), and the extras `cli`, `prometheus`.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import closing, redirect_stdout
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

HERE = Path(__file__).parent
DASHBOARD = HERE / "operate" / "grafana-dashboard.json"
MAX_START_SECONDS = 30.0
CONFIGURATION = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: demo
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""
MAX_SERIES = 8


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with closing(create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def query(port: int, expression: str) -> list[dict[str, Any]]:
    """What Prometheus answers now."""
    address = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(expression)}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def wait_for(port: int, expression: str) -> None:
    """Wait until it has an answer."""
    end = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < end:
        try:
            if query(port, expression):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"Prometheus did not answer {expression!r} within {MAX_START_SECONDS:g} s.")


def run_demo_with_metrics(registry: CollectorRegistry) -> None:
    """The demo, whose own output is not shown."""
    from ramrole_creds import events
    from ramrole_creds.cli.demonstration import run_demo
    from ramrole_creds.cli.screen import open_screen
    from ramrole_creds.integrations.prometheus import PrometheusMetrics

    metrics = PrometheusMetrics(registry)

    def listen(event: events.Event) -> None:
        if not isinstance(event, events.Closed):  # the panels show the last moment before
            metrics(event)

    shown = io.StringIO()
    with redirect_stdout(shown):
        held = run_demo(open_screen(), threads=4, seed=1, listener=listen)
    if not held:
        raise SystemExit(f"The demo failed:\n{shown.getvalue()}")


def panels() -> dict[str, list[dict[str, Any]]]:
    """Each panel's title, and the series that its expressions give."""
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    exporter, _ = start_http_server(0, "127.0.0.1", registry)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "prometheus.yml")
        settings.write_text(CONFIGURATION.format(port=exporter.server_port), encoding="utf-8")
        command = [
            "prometheus",
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **quiet) as prometheus:  # noqa: S603  # arguments of this script
            try:
                wait_for(port, "up == 1")
                run_demo_with_metrics(registry)
                wait_for(port, 'sum(ramrole_creds_fetches_total{outcome="replaced"}) > 3')
                time.sleep(2.5)  # two more scrapes
                dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
                return {
                    panel["title"]: [one for target in panel["targets"] for one in query(port, target["expr"])]
                    for panel in dashboard["panels"]
                }
            finally:
                prometheus.terminate()
                exporter.shutdown()
                exporter.server_close()


def shown(found: dict[str, list[dict[str, Any]]]) -> str:
    """One line for each series."""
    lines = []
    for title, series in found.items():
        lines.append(title)
        for one in series[:MAX_SERIES]:
            labels = {
                name: value for name, value in one["metric"].items() if name not in ("__name__", "instance", "job")
            }
            text = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
            lines.append(f"  {text:50} {float(one['value'][1]):.4g}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if shutil.which("prometheus") is None:
        raise SystemExit("The program prometheus is not installed. Install it: apt-get install prometheus.")
    sys.stdout.write(shown(panels()))
