"""`ramrole-creds watch`: plain lines in a pipe, a panel with the life as a bar on a terminal."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ramrole_creds import ProviderStatus
from ramrole_creds.cli.watching import life_bar, render_panel, timeline
from ramrole_creds.events import (
    Event,
    Fetched,
    FetchedUnchanged,
    FetchFailed,
    IdentityChanged,
    RefreshForced,
    StateChanged,
)
from ramrole_creds.local_service.summary import describe_event
from ramrole_creds.testing import assert_no_secret_in
from tests.cli.invoke import run

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def status(*, fetched_ago: float = 0.0, life: float = 3600.0) -> ProviderStatus:
    fetched = NOW - timedelta(seconds=fetched_ago)
    return ProviderStatus(
        state="fresh",
        provider_name="default/ecs_ram_role",
        access_key_id="STS.NTab…wxyz",
        identity="web",
        expiration=fetched + timedelta(seconds=life),
        generation=1,
        fetches=3,
        failures=2,
        last_fetch=fetched,
        last_error="MetadataError: 503",
        next_attempt=NOW + timedelta(seconds=90),
    )


def events() -> list[Event]:
    at = NOW.timestamp()
    return [
        Fetched("default", at - 300, 1, "STS.NTab…wxyz", "web", NOW + timedelta(hours=1), 0.1),
        StateChanged("default", at - 300, "empty", "fresh"),
        FetchFailed("default", at - 60, "MetadataError", "503", 1, 2.0, 900.0, 0.1),
    ]


def test_the_bar_shows_what_is_over_what_is_left_and_both_windows() -> None:
    bar = life_bar(status(fetched_ago=1800), NOW.timestamp())
    assert bar.plain == "░" * 24 + "█" * 24 + " 0:30:00"
    styles = [str(span.style) for span in bar.spans]
    # An hour: a quarter of it is the advisory window, and 8 % at its end are the mandatory one.
    assert styles.count("yellow") == 8
    assert styles.count("red") == 4


def test_the_timeline_has_a_mark_for_each_fetch_and_failure() -> None:
    marks = timeline(events(), NOW.timestamp())
    assert (marks.count("N"), marks.count("x")) == (1, 1)
    assert marks.index("N") < marks.index("x")


def test_the_panel_shows_state_identity_and_the_last_error() -> None:
    output = io.StringIO()
    Console(file=output, width=100, force_terminal=False).print(render_panel(status(), events(), NOW.timestamp()))
    for text in (
        "default/ecs_ram_role",
        "fresh",
        "web",
        "in 0:01:30",
        "MetadataError: 503",
        "fetch failed (1 in a row)",
        "refreshed from 0:15:00 left on (yellow), urgently from 0:04:48 on (red)",
    ):
        assert text in output.getvalue()


def test_an_event_of_an_unknown_kind_has_its_name() -> None:
    assert describe_event(Event("x", 0.0)) == "x: Event"


@pytest.mark.usefixtures("ramrole_cloud")
def test_in_a_pipe_there_is_a_line_for_each_event() -> None:
    result = run("watch", "--for", "1", "--interval", "0.1")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert any("default/ecs_ram_role: new credentials STS." in line for line in lines)
    assert any(line.endswith("fresh default/ecs_ram_role: empty → fresh") for line in lines)
    assert_no_secret_in(result.output)


@pytest.mark.usefixtures("ramrole_cloud")
def test_as_json_there_is_an_object_for_each_event() -> None:
    result = run("watch", "--json", "--for", "1", "--interval", "0.1")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.output.splitlines()]
    fetched = next(row for row in rows if row["event"] == "Fetched")
    assert fetched["state"] == "fresh"
    assert fetched["identity"] == "web"
    assert datetime.fromisoformat(fetched["expiration"]).tzinfo is not None
    assert_no_secret_in(result.output)


def test_a_source_that_nobody_knows_is_an_error(ramrole_cloud: FakeCloud) -> None:
    result = run("watch", "--only", "nobody")
    assert result.exit_code == 1
    assert "nobody" in result.output
    ramrole_cloud.requests.assert_not_called()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param(
            FetchedUnchanged("x", 0.0, 60.0, 0.1), "x: the same credentials again, next fetch in 60 s", id="same"
        ),
        pytest.param(
            IdentityChanged("x", 0.0, "web", "db", "x", "x"), "x: the identity changed from web to db", id="identity"
        ),
        pytest.param(RefreshForced("x", 0.0, False), "x: a fetch was requested", id="asked"),
        pytest.param(
            RefreshForced("x", 0.0, True),
            "x: a fetch was requested, because a service rejected the credentials",
            id="rejected",
        ),
    ],
)
def test_every_event_has_a_line_of_its_own(event: Event, text: str) -> None:
    assert describe_event(event) == text
