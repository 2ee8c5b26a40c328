"""Probes, metrics and the status page of the local service."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests

from ramrole_creds import (
    Credentials,
    EcsRamRoleProvider,
    FunctionProvider,
    RamRoleError,
    StaticProvider,
    default_provider,
)
from ramrole_creds.testing import assert_no_secret_in

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

from ramrole_creds.local_service import ClientRules, History, LocalService, parse_rule
from ramrole_creds.local_service.summary import describe_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ramrole_creds.events import Event
    from ramrole_creds.testing import FakeCloud


@pytest.fixture
def watched(ramrole_cloud: FakeCloud) -> Iterator[LocalService]:
    """A service with a port for operators, over a provider whose events it shows."""
    history = History()
    with (
        EcsRamRoleProvider(endpoint=ramrole_cloud.url, clock=ramrole_cloud.clock, on_event=history) as provider,
        LocalService(provider, admin_port=0, history=history) as service,
    ):
        provider.get_credentials()
        yield service


def get(url: str, **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, timeout=10)


def test_the_page_shows_state_life_and_events_and_no_secret(watched: LocalService, ramrole_cloud: FakeCloud) -> None:
    get(watched.uri)
    answer = get(f"{watched.admin_url}/")
    assert answer.status_code == 200
    for text in ("ecs_ram_role", "web", "<svg ", "new credentials STS.", "empty → fresh", "<th>served</th><td>1</td>"):
        assert text in answer.text
    assert_no_secret_in(answer.text)
    ramrole_cloud.faults.add("metadata", 503)
    ramrole_cloud.clock.advance(hours=5, minutes=50)
    later = get(f"{watched.admin_url}/").text
    assert "fetch failed (" in later
    assert '<circle class="failed"' in later
    assert_no_secret_in(later)
    assert watched.uri.rpartition("/")[2] not in answer.text


@pytest.mark.usefixtures("no_metadata")
def test_the_page_is_there_before_any_credentials_are() -> None:
    history = History()
    with (
        default_provider(on_event=history) as provider,
        LocalService(provider, admin_port=0, history=history) as service,
    ):
        page = get(f"{service.admin_url}/")
        assert page.status_code == 200
        assert "no credentials" in get(f"{service.admin_url}/readyz").text
        assert get(f"{service.admin_url}/metrics").status_code == 200
    assert "<td>none</td>" in page.text


def test_the_failures_of_one_provider_are_not_drawn_at_another() -> None:
    history = History()
    good = FunctionProvider(lambda: Credentials("STS.good", "s", "t", expiration=soon()), name="good", on_event=history)
    bad = FunctionProvider(fail, name="bad", on_event=history)
    rules = ClientRules([(parse_rule("addr:10.0.0.1"), good), (parse_rule("addr:10.0.0.2"), bad)])
    with LocalService(rules, admin_port=0, history=history) as running:
        good.get_credentials()
        with pytest.raises(RamRoleError):
            bad.get_credentials()
        text = get(f"{running.admin_url}/").text
    of_good, of_bad = (part for part in text.partition("<h2>Requests")[0].split("<svg")[1:])
    assert ('class="held"' in of_good, 'class="failed"' in of_good) == (True, False)
    assert ('class="held"' in of_bad, 'class="failed"' in of_bad) == (False, True)


def soon() -> datetime:
    return datetime.now(timezone.utc) + timedelta(hours=1)


def fail() -> Credentials:
    raise OSError("down")


def test_the_page_of_credentials_without_a_known_end_is_there() -> None:
    with (
        StaticProvider("STS.NTunknown", "secret", "token") as provider,
        LocalService(provider, admin_port=0) as service,
    ):
        provider.get_credentials()
        assert "<th>Ends</th><td>unknown</td>" in get(f"{service.admin_url}/").text


def test_the_page_has_no_script_and_a_policy_that_allows_none(watched: LocalService) -> None:
    answer = get(f"{watched.admin_url}/")
    assert "<script" not in answer.text
    assert not re.search(r"https?://", answer.text.replace("http-equiv", ""))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.slow
def test_a_browser_draws_the_page_and_refuses_nothing_of_it(watched: LocalService, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=900,700"]
    picture = tmp_path / "page.png"
    command = [browser, *options, f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}"]
    done = subprocess.run([*command, f"{watched.admin_url}/"], capture_output=True, text=True, check=False, timeout=90)
    assert picture.stat().st_size > 20_000, done.stderr
    assert "Refused to" not in done.stderr  # what a browser says when the page's own policy forbids a part of it
    assert "Content Security Policy" not in done.stderr


def test_probes_say_whether_the_service_lives_and_has_credentials(
    watched: LocalService, ramrole_cloud: FakeCloud
) -> None:
    assert get(f"{watched.admin_url}/healthz").status_code == 200
    assert get(f"{watched.admin_url}/readyz").status_code == 200
    ramrole_cloud.detach_role()
    ramrole_cloud.clock.advance(hours=7)
    assert get(watched.uri).status_code == 503
    assert get(f"{watched.admin_url}/healthz").status_code == 200
    assert get(f"{watched.admin_url}/readyz").status_code == 503


def test_metrics_are_in_the_format_of_prometheus(watched: LocalService) -> None:
    get(watched.uri)
    get(watched.url + "/nothing")
    answer = get(f"{watched.admin_url}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'ramrole_creds_local_service_requests_total{outcome="served"} 1' in lines
    assert 'ramrole_creds_local_service_requests_total{outcome="not_found"} 1' in lines
    assert 'ramrole_creds_local_service_fetches_total{provider="ecs_ram_role",number="0"} 1' in lines
    assert 'ramrole_creds_local_service_state{provider="ecs_ram_role",number="0",state="fresh"} 1' in lines
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+\{\w+="[^"]*"(,\w+="[^"]*")*\} (\d+|NaN)', line), line


def test_another_name_in_host_is_refused_here_too(watched: LocalService) -> None:
    assert get(f"{watched.admin_url}/", Host="evil.example").status_code == 400


def test_the_credentials_are_not_on_this_port_and_the_page_not_on_the_other(watched: LocalService) -> None:
    assert get(f"{watched.admin_url}/{watched.uri.rpartition('/')[2]}").status_code == 404
    assert get(f"{watched.url}/metrics").status_code == 404


def test_no_request_is_redirected(watched: LocalService) -> None:
    for path in ("/metrics/", "/healthz/", "//"):
        assert get(f"{watched.admin_url}{path}").status_code == 404


def test_the_end_of_a_provider_is_described_in_a_line() -> None:
    seen: list[Event] = []
    EcsRamRoleProvider("web", on_event=seen.append).close()
    assert [describe_event(event) for event in seen] == ["ecs_ram_role: closed"]
