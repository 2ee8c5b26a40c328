"""The page on operation: its examples run; dashboard, alerts and tables name metrics that exist."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from ramrole_creds import EcsRamRoleProvider, default_provider
from ramrole_creds.integrations.prometheus import PrometheusMetrics
from ramrole_creds.testing import FakeCloud, VirtualClock

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def scrape() -> str:
    """What a program exports whose provider has fetched, was refused once and fetched again."""
    registry = CollectorRegistry()
    listener = PrometheusMetrics(registry)
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
        provider.get_credentials()
        cloud.rotate()
        provider.refresh()
        return generate_latest(registry).decode()


SCRAPE = scrape()


def exported_names() -> set[str]:
    return set(re.findall(r"^(ramrole_creds_\w+)\{", SCRAPE, re.MULTILINE))


@pytest.mark.usefixtures("ramrole_cloud")
def test_the_examples_of_operate_md_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 7
    names: dict[str, Any] = {"__name__": "operate"}
    for block in BLOCKS:
        exec(compile(block, "operate.md", "exec"), names)
        if "metrics = " in block:
            for collector in vars(names["metrics"]).values():
                if isinstance(collector, MetricWrapperBase):
                    REGISTRY.unregister(collector)
    usable, status = capsys.readouterr().out.splitlines()
    assert usable == "True"
    assert json.loads(status)["usable"] is True
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (gauge := tmp_path / "gauge_liveall_7.db").touch()
    names["child_exit"](None, SimpleNamespace(pid=7))
    assert not gauge.exists()
    asyncio.run(probe(names))


async def probe(names: dict[str, Any]) -> None:
    """Ask the application of the page as a readiness probe does."""
    transport = httpx.ASGITransport(names["app"])
    async with names["lifespan"](names["app"]), httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["state"]) == (200, "fresh")
        names["provider"].close()
        closed = await client.get("/ready")
        assert (closed.status_code, closed.json()["usable"]) == (503, False)


def test_the_table_names_every_metric_and_no_other() -> None:
    named = dict(re.findall(r"^\| `(ramrole_creds_\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert named == dict(re.findall(r"^# TYPE (ramrole_creds_\w+(?<!_created)) (\w+)$", SCRAPE, re.MULTILINE))
    assert len(named) == 7


def expressions() -> dict[str, str]:
    alerts = yaml.safe_load((DOCS / "operate" / "alerts.yaml").read_text(encoding="utf-8"))
    dashboard = json.loads((DOCS / "operate" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    found = {rule["alert"]: rule["expr"] for group in alerts["groups"] for rule in group["rules"]}
    return found | {panel["title"]: target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}


@pytest.mark.parametrize("name", expressions())
def test_an_expression_parses_and_asks_for_metrics_that_exist(name: str) -> None:
    expression = expressions()[name]
    promql_parser.parse(expression)
    asked = re.findall(r"(ramrole_creds_\w+)(?:\{([^}]*)\})?", expression)
    assert asked
    for metric, labels in asked:
        series = [line for line in SCRAPE.splitlines() if line.startswith(f"{metric}{{")]
        assert any(all(label in line for label in labels.split(",")) for line in series), (metric, labels)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="the program prometheus is not installed")
def test_a_real_prometheus_shows_of_the_demo_what_the_page_says() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "render_panels.py")], capture_output=True, text=True, check=True, timeout=300
    )
    (page,) = re.findall(r"^```text\n(Life left .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    def series(text: str) -> list[str]:
        return [re.sub(r" +[\d.e+]+$", "", line) for line in text.splitlines()]

    assert series(done.stdout) == series(page)
    assert re.search(r"state=fresh +1$", done.stdout, re.MULTILINE)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="the program promtool is not installed")
def test_prometheus_accepts_the_alert_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(DOCS / "operate" / "alerts.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 rules found" in done.stdout


END = "ramrole_creds_expiration_timestamp_seconds{%s}"
EXPIRED = 'ramrole_creds_state{%s,state="expired"}'
FAILED = 'ramrole_creds_fetches_total{%s,outcome="failed"}'
CHANGED = "ramrole_creds_identity_changes_total{%s}"
COURSES = [
    ("an outage", "CredentialsExpireSoon", END, "900x30", ["8m"], "13m"),
    ("steady", "CredentialsExpireSoon", END, "21600x300 41400x300", ["1m", "60m", "299m", "302m", "600m"], None),
    ("closed", "CredentialsExpireSoon", END, "900x7 stale", ["8m", "13m", "60m"], None),
    ("closed among processes", "CredentialsExpireSoon", END, "900x7" + " Inf" * 60, ["8m", "13m", "60m"], None),
    ("a slow scrape", "CredentialsExpireSoon", END, "900x10 21600x30", ["9m", "10m", "12m", "30m"], None),
    ("an outage", "CredentialsExpired", EXPIRED, "0x4 1x10", ["4m"], "5m"),
    ("steady", "CredentialsExpired", EXPIRED, "0x60", ["1m", "30m", "60m"], None),
    ("closed", "CredentialsExpired", EXPIRED, "0x4 1x3 stale", ["4m", "9m", "60m"], None),
    ("an outage", "CredentialFetchesFail", FAILED, "0x2 0+1x20", ["3m"], "9m"),
    ("steady", "CredentialFetchesFail", FAILED, "0x60", ["1m", "30m", "60m"], None),
    ("one failure", "CredentialFetchesFail", FAILED, "0x5 1x60", ["6m", "30m", "60m"], None),
    ("over", "CredentialFetchesFail", FAILED, "0+1x20 20x60", ["50m", "70m"], None),
    ("another role", "CredentialIdentityChanged", CHANGED, "0x4 1x10", ["4m"], "6m"),
    ("steady", "CredentialIdentityChanged", CHANGED, "0x60", ["1m", "30m", "60m"], None),
]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="the program promtool is not installed")
@pytest.mark.parametrize(
    ("alert", "series", "values", "quiet", "fires"),
    [course[1:] for course in COURSES],
    ids=[f"{course[1]}-{course[0]}" for course in COURSES],
)
def test_an_alert_fires_when_it_should_and_not_otherwise(  # a course of events
    alert: str, series: str, values: str, quiet: list[str], fires: str | None, tmp_path: Path
) -> None:
    rules = yaml.safe_load((DOCS / "operate" / "alerts.yaml").read_text(encoding="utf-8"))
    (rule,) = [rule for group in rules["groups"] for rule in group["rules"] if rule["alert"] == alert]
    labels = {"instance": "one", "provider": "ecs_ram_role"}
    texts = {
        name: text.replace("{{ $labels.provider }}", "ecs_ram_role").replace("{{ $labels.instance }}", "one")
        for name, text in rule["annotations"].items()
    }
    fired = {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": texts}
    expected: list[dict[str, Any]] = [{"eval_time": moment, "alertname": alert, "exp_alerts": []} for moment in quiet]
    if fires is not None:
        expected.append({"eval_time": fires, "alertname": alert, "exp_alerts": [fired]})
    case = {
        "rule_files": [str(DOCS / "operate" / "alerts.yaml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series % 'instance="one",provider="ecs_ram_role"', "values": values},
                ],
                "alert_rule_test": expected,
            }
        ],
    }
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(case), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    dashboard = json.loads((DOCS / "operate" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


def test_the_log_names_the_source_that_a_default_provider_uses_as_whoami_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="ramrole_creds")
    with FakeCloud() as cloud, default_provider(endpoint=cloud.url, clock=cloud.clock) as provider:
        shown = provider.get_credentials().provider_name
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("ramrole_creds")]
    assert shown == "default/ecs_ram_role"
    assert any(re.match(rf"default: new credentials \S+ of web from {shown} until", line) for line in lines), lines


def without_chance(line: str) -> str:
    """A line of the log without what differs between two runs."""
    line = re.sub(r"STS\.\S+", "STS.ID", line)
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", line)
    line = re.sub(r"next attempt in \d+\.\d s", "next attempt in N s", line)
    line = re.sub(r"after [1-9]\d* failures", "after N failures", line)
    return re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line)


@pytest.mark.slow
def test_a_day_and_an_outage_log_what_the_page_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ramrole_creds")
    clock = VirtualClock(datetime(2026, 3, 1, 10, tzinfo=timezone.utc))
    with FakeCloud(clock=clock) as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=clock) as provider:
        provider.get_credentials()
        clock.advance(hours=6)
        provider.get_credentials()
        cloud.faults.add("*", 503)
        clock.advance(hours=5, minutes=31)
        provider.get_credentials()
        cloud.faults.clear()
        clock.advance(minutes=1)
        provider.get_credentials()
    records = [record for record in caplog.records if record.name.startswith("ramrole_creds")]
    lines = [f"{record.levelname:8} {record.getMessage()}" for record in records]
    blocks = re.findall(r"^```text\n((?:INFO|WARNING).*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    page = [without_chance(line) for block in blocks for line in block.splitlines()]
    assert [without_chance(line) for line in lines] == page
