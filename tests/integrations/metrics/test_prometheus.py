"""What Prometheus scrapes of a provider over a rotation, an outage and a forced refresh."""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
import subprocess
import sys
import time
import tokenize
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ramrole_creds import Credentials, EcsRamRoleProvider, FunctionProvider, RamRoleError, events
from ramrole_creds.integrations.prometheus import PrometheusMetrics
from ramrole_creds.testing import FakeCloud


def scraped(registry: CollectorRegistry) -> dict[str, float]:
    return values_of(generate_latest(registry).decode())


def values_of(page: str) -> dict[str, float]:
    lines = [line for line in page.splitlines() if line]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_a_scrape_shows_fetches_state_and_expiry() -> None:
    registry = CollectorRegistry()
    with FakeCloud() as cloud:
        listener = PrometheusMetrics(registry)
        with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
            held = provider.get_credentials()
            assert held.expiration is not None
            found = scraped(registry)
            one = 'provider="ecs_ram_role"'
            assert found[f'ramrole_creds_fetches_total{{outcome="replaced",{one}}}'] == 1
            assert found[f"ramrole_creds_fetch_duration_seconds_count{{{one}}}"] == 1
            assert found[f"ramrole_creds_expiration_timestamp_seconds{{{one}}}"] == held.expiration.timestamp()
            assert found[f"ramrole_creds_waiters_total{{{one}}}"] == 1
            assert found[f'ramrole_creds_state{{{one},state="fresh"}}'] == 1
            assert found[f'ramrole_creds_state{{{one},state="empty"}}'] == 0

            cloud.faults.add("*", 503)
            with pytest.raises(RamRoleError):
                provider.refresh()
            found = scraped(registry)
            assert found[f'ramrole_creds_fetches_total{{outcome="failed",{one}}}'] == 1
            assert found[f"ramrole_creds_forced_refreshes_total{{{one}}}"] == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="the program promtool is not installed")
def test_promtool_finds_no_fault_in_a_scrape() -> None:
    registry = CollectorRegistry()
    with FakeCloud() as cloud:
        listener = PrometheusMetrics(registry)
        with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
            provider.get_credentials()
            page = generate_latest(registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for name, kind in KINDS.items():
        assert f"# HELP {name} ".encode() in page
        assert f"# TYPE {name} {kind}\n".encode() in page


KINDS = {
    "ramrole_creds_fetches_total": "counter",
    "ramrole_creds_fetch_duration_seconds": "histogram",
    "ramrole_creds_expiration_timestamp_seconds": "gauge",
    "ramrole_creds_state": "gauge",
    "ramrole_creds_waiters_total": "counter",
    "ramrole_creds_identity_changes_total": "counter",
    "ramrole_creds_forced_refreshes_total": "counter",
}


def code_lines(path: Path) -> int:
    """Lines with code: no blank ones, no comments, no docstrings."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    lines: set[int] = set()
    before = tokenize.NEWLINE
    for token in tokens[1:]:
        if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            before = token.type
        elif token.type != tokenize.ENDMARKER:
            docstring = token.type == tokenize.STRING and before != tokenize.OP and token.string.startswith('"""')
            lines |= set() if docstring else set(range(token.start[0], token.end[0] + 1))
            before = token.type
    return len(lines)


@pytest.mark.parametrize("module", ["prometheus", "opentelemetry"])
def test_a_module_of_metrics_stays_below_60_lines_of_code(module: str) -> None:
    found = importlib.util.find_spec(f"ramrole_creds.integrations.{module}")
    assert found is not None
    assert found.origin is not None
    assert 30 < code_lines(Path(found.origin)) < 60


def test_counters_are_0_before_their_first_step_so_that_an_alert_sees_it() -> None:
    registry = CollectorRegistry()
    FunctionProvider(lambda: Credentials("id", "secret"), on_event=PrometheusMetrics(registry)).get_credentials()
    found = scraped(registry)
    assert found['ramrole_creds_identity_changes_total{provider="function"}'] == 0
    assert found['ramrole_creds_fetches_total{outcome="failed",provider="function"}'] == 0


TRAVELS = """
import pickle, sys
from ramrole_creds import EnvironmentProvider
from ramrole_creds.integrations.{module} import {kind}
listener = {kind}()
provider = pickle.loads(pickle.dumps(EnvironmentProvider(on_event=listener)))
provider.get_credentials()
assert pickle.loads(pickle.dumps(listener)) is listener
sys.stdout.buffer.write(pickle.dumps(EnvironmentProvider(on_event=listener)))
"""
ARRIVES = """
import pickle, sys
data = sys.stdin.buffer.read()
provider = pickle.loads(data)
assert provider is pickle.loads(data)
print(provider.get_credentials().access_key_id)
"""


@pytest.mark.parametrize(
    ("module", "kind"), [("prometheus", "PrometheusMetrics"), ("opentelemetry", "OpenTelemetryMetrics")]
)
def test_a_pickled_provider_takes_its_metrics_along(module: str, kind: str) -> None:
    environment = os.environ | {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    program = TRAVELS.format(module=module, kind=kind)
    sent = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-c", ARRIVES], env=environment, check=True, capture_output=True, input=sent.stdout
    )
    assert done.stdout.strip() == b"id"


def test_metrics_of_a_registry_of_ones_own_say_why_they_cannot_travel() -> None:
    with pytest.raises(TypeError, match="Create it without arguments"):
        pickle.dumps(PrometheusMetrics(CollectorRegistry()))


def test_no_secret_is_scraped() -> None:
    registry = CollectorRegistry()
    with FakeCloud() as cloud:
        listener = PrometheusMetrics(registry)
        with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
            held = provider.get_credentials()
    page = generate_latest(registry).decode()
    for secret in (held.access_key_id, held.access_key_secret, str(held.security_token)):
        assert secret not in page


def test_a_registry_takes_the_metrics_once_and_says_so_the_second_time() -> None:
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        PrometheusMetrics(registry)


def test_two_providers_of_one_listener_are_told_apart_by_their_names() -> None:
    registry = CollectorRegistry()
    listener = PrometheusMetrics(registry)
    for name in ("first", "second"):
        FunctionProvider(lambda: Credentials("id", "secret"), name=name, on_event=listener).get_credentials()
    found = scraped(registry)
    for name in ("first", "second"):
        assert found[f'ramrole_creds_fetches_total{{outcome="replaced",provider="{name}"}}'] == 1


ENDED = [
    events.Fetched("one", 0.0, 1, "id", None, None, 0.5, waiters=2),
    events.FetchedUnchanged("one", 0.0, 1.0, 0.5, waiters=2),
    events.FetchFailed("one", 0.0, "FetchError", "text", 1, 1.0, None, 0.5, waiters=2),
]


@pytest.mark.parametrize("event", ENDED, ids=lambda event: type(event).__name__)
def test_every_end_of_a_fetch_is_counted(event: events.Event) -> None:
    registry = CollectorRegistry()
    PrometheusMetrics(registry)(event)
    found = scraped(registry)
    outcome = events.FETCH_OUTCOMES[type(event)]
    assert found[f'ramrole_creds_fetches_total{{outcome="{outcome}",provider="one"}}'] == 1
    assert found['ramrole_creds_waiters_total{provider="one"}'] == 2
    assert {type(each) for each in ENDED} == set(events.FETCH_OUTCOMES)


PROCESS = """
import sys
from datetime import datetime, timezone
from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.integrations.prometheus import PrometheusMetrics
end = datetime.fromtimestamp(float(sys.argv[1]), timezone.utc)
provider = FunctionProvider(lambda: Credentials("id", "s", "t", end), on_event=PrometheusMetrics())
provider.get_credentials()
print("ready", flush=True)
sys.stdin.read()
"""
SCRAPE = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_processes_are_added_up_and_the_earliest_end_is_shown_in_multiprocess_mode(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ends = [int(time.time()) + 3600, int(time.time()) + 7200]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(end)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for end in ends
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        done = subprocess.run(
            [sys.executable, "-c", SCRAPE], env=environment, check=True, capture_output=True, text=True
        )
    finally:
        for process in processes:
            process.communicate()
    found, one = values_of(done.stdout), 'provider="function"'
    assert found[f'ramrole_creds_fetches_total{{outcome="replaced",{one}}}'] == 2
    assert found[f"ramrole_creds_waiters_total{{{one}}}"] == 2
    assert found[f"ramrole_creds_expiration_timestamp_seconds{{{one}}}"] == min(ends)
    assert found[f'ramrole_creds_state{{{one},state="fresh"}}'] == 2
