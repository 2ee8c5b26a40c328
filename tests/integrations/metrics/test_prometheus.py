"""What Prometheus scrapes of a provider over a rotation, an outage and a forced refresh."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from ramrole_creds import EcsRamRoleProvider, RamRoleError
from ramrole_creds.integrations.prometheus import PrometheusMetrics
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from pathlib import Path


def scraped(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
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
            assert found[f'ramrole_creds_state{{{one},state="fresh"}}'] == 1
            assert found[f'ramrole_creds_state{{{one},state="empty"}}'] == 0

            cloud.faults.add("*", 503)
            with pytest.raises(RamRoleError):
                provider.refresh()
            found = scraped(registry)
            assert found[f'ramrole_creds_fetches_total{{outcome="failed",{one}}}'] == 1
            assert found[f"ramrole_creds_forced_refreshes_total{{{one}}}"] == 1


def test_no_secret_is_scraped() -> None:
    registry = CollectorRegistry()
    with FakeCloud() as cloud:
        listener = PrometheusMetrics(registry)
        with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock, on_event=listener) as provider:
            held = provider.get_credentials()
    page = generate_latest(registry).decode()
    for secret in (held.access_key_id, held.access_key_secret, str(held.security_token)):
        assert secret not in page


def test_two_processes_are_added_up_in_multiprocess_mode(tmp_path: Path) -> None:
    code = (
        "from ramrole_creds import Credentials, FunctionProvider\n"
        "from ramrole_creds.integrations.prometheus import PrometheusMetrics\n"
        "FunctionProvider(lambda: Credentials('id', 's'), on_event=PrometheusMetrics()).get_credentials()\n"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    show = (
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "from prometheus_client.multiprocess import MultiProcessCollector\n"
        "registry = CollectorRegistry(); MultiProcessCollector(registry); print(generate_latest(registry).decode())\n"
    )
    done = subprocess.run([sys.executable, "-c", show], env=environment, check=True, capture_output=True, text=True)
    assert 'ramrole_creds_fetches_total{outcome="replaced",provider="function"} 2.0' in done.stdout
