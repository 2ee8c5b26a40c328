"""What `serve` makes of its options and its file, and what it does when the file changes."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import ConfigurationError

serving = pytest.importorskip("ramrole_creds.cli.serving", reason="the extras cli and serve")
LocalService = pytest.importorskip("ramrole_creds.local_service").LocalService

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds import EcsRamRoleProvider
    from ramrole_creds.cli.serving import ServeOptions, Sources
    from ramrole_creds.testing import FakeCloud

ROLE = "acs:ram::1234567890123456:role/app"


def sources(**options: object) -> Sources:

    made: ServeOptions = serving.ServeOptions(**options)
    return serving.Sources(made, serving.Journal())  # type: ignore[no-any-return]  # of a module that may be missing


@pytest.mark.usefixtures("ramrole_cloud")
def test_each_target_gets_one_provider_and_a_reload_keeps_those_that_stay(tmp_path: Path) -> None:
    file = tmp_path / "serve.json"
    table = {"addr:127.0.0.1": "self", "addr:10.0.0.1": ROLE, "addr:10.0.0.2": "ecs-ram-role://web"}
    file.write_text(json.dumps({"map": table, "only": ["ecs_ram_role"]}))
    made = sources(config=str(file), maps=(f"addr:10.0.0.3={ROLE}",))
    made.rules()
    before = dict(made.opened)
    assert set(before) == {"self", ROLE, "ecs-ram-role://web"}
    file.write_text(json.dumps({"map": {"addr:10.0.0.1": ROLE}, "only": ["ecs_ram_role"]}))
    made.rules()
    assert made.opened[ROLE] is before[ROLE]
    assert made.retired == [before["ecs-ram-role://web"]]


def test_a_provider_that_a_reload_replaces_is_closed_by_the_next_one(
    ramrole_cloud: FakeCloud, ramrole_provider: EcsRamRoleProvider, tmp_path: Path
) -> None:
    file = tmp_path / "serve.json"
    file.write_text('{"map": {"addr:10.0.0.1": "ecs-ram-role://web"}}')
    made = sources(config=str(file))
    service = LocalService(ramrole_provider)
    made.reload(service)
    replaced = made.opened["ecs-ram-role://web"]
    file.write_text("{}")
    made.reload(service)
    assert replaced.get_credentials().identity == "web", "a request in progress may still use it"
    made.reload(service)
    with pytest.raises(ConfigurationError, match="is closed"):
        replaced.get_credentials()
    assert made.opened["self"].get_credentials().identity == "web"
    ramrole_cloud.check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"map": []}', "at most"),
        ('{"maps": {}}', "at most"),
        ('{"map": {"addr:10.0.0.1": "the web"}}', "is not a role"),
        ('{"map": {"uid:0": "self"}}', "on a Unix socket only"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_with_its_reason(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "serve.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        sources(config=str(file)).rules()


def test_a_file_that_is_missing_and_a_map_without_a_role_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        sources(config=str(tmp_path / "none.json")).rules()
    with pytest.raises(ConfigurationError, match="is not a map"):
        sources(maps=("addr:10.0.0.1",)).rules()


@pytest.mark.usefixtures("ramrole_cloud")
def test_on_a_terminal_watch_draws_a_panel_until_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from rich.console import Console

    from ramrole_creds.cli import watching

    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(watching, "Console", lambda **_: terminal)
    assert watching.watch(only=(), interval=0.05, seconds=0.2) == 0
    assert "life left" in drawn.getvalue()


def test_an_outage_is_reported_with_the_source_of_the_credentials(
    ramrole_cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    (provider,) = serving.Sources(serving.ServeOptions(), serving.Journal()).rules().providers
    with provider:
        provider.get_credentials()
        ramrole_cloud.faults.add("metadata", 503)
        ramrole_cloud.clock.advance(hours=5, minutes=50)
        provider.get_credentials()
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert [line for line in lines if not line.startswith("default/ecs_ram_role: ")] == []


def test_a_second_fetch_of_a_named_role_does_not_ask_for_the_account_again(
    ramrole_cloud: FakeCloud, ramrole_provider: EcsRamRoleProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", ramrole_cloud.url)
    ramrole_cloud.add_role("shop")
    with serving.NamedRoleProvider(ramrole_provider, "shop") as named:
        named.refresh()
        named.refresh()
    actions = [str(call).count("Action=AssumeRole") for call in ramrole_cloud.requests.to("sts")]
    assert actions == [0, 1, 1]
