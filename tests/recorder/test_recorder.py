"""Recordings of real providers, and what a replay finds in those of a faulty engine."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ConfigurationError, Credentials, EcsRamRoleProvider, FunctionProvider, RamRoleError
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.settlement import Kept, Outcome, Replaced, settle
from ramrole_creds.recorder import SCHEMA, Recorder, draw_svg, draw_text, read_recording, replay, shrink
from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ramrole_creds._cache.decisions import View
    from ramrole_creds._cache.settlement import Settlement


class Source:
    """A source of hourly sessions, and a provider whose engine may have a fault."""

    def __init__(self, fault: Callable[[View, Outcome], Settlement] = settle) -> None:
        self.clock = VirtualClock()
        self.made = 0
        self.life = timedelta(hours=1)
        self.provider = FunctionProvider(self.fetch, clock=self.clock)
        cache = CredentialCache(lambda _: self.fetch(), name="source", clock=self.clock, settle=fault)
        self.provider.__dict__["_cache"] = cache
        self.recorder = Recorder(self.provider)

    def fetch(self) -> Credentials:
        self.made += 1
        end = datetime.fromtimestamp(self.clock.time(), timezone.utc) + self.life
        return Credentials(f"LTAI{self.made}", "secret-1234", "token-5678", end, identity="role-web")

    def recorded(self, path: Path) -> tuple[Any, list[dict[str, Any]]]:
        self.recorder.dump(path)
        return read_recording(path.read_text(encoding="utf-8").splitlines())


def test_a_recording_of_a_day_keeps_every_promise(tmp_path: Path) -> None:
    source = Source()
    for _ in range(24):
        source.provider.get_credentials()
        source.clock.advance(hours=1)
    policy, records = source.recorded(tmp_path / "day.jsonl")
    played = replay(policy, records)
    assert len(records) >= 20
    assert played.broken == ()
    assert "No promise is broken." in draw_text(played)
    assert draw_svg(played).startswith("<svg")
    assert shrink(policy, records) == records


def test_a_recording_holds_no_key_no_token_and_no_name(tmp_path: Path) -> None:
    with FakeCloud(role="web-role-of-the-shop") as cloud:
        with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
            recorder = Recorder(provider)
            held = provider.get_credentials()
            cloud.faults.add("*", 503)
            with pytest.raises(RamRoleError):
                provider.refresh()
        path = tmp_path / "recording.jsonl"
        recorder.dump(path)
    text = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for secret in (held.access_key_id, held.access_key_secret, str(held.security_token), "web-role", cloud.url):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0]["schema"] == SCHEMA
    assert [line["settled"] for line in lines[1:]] == ["replaced", "failed"]
    assert lines[2]["fetched"]["error"] == "MetadataError"


def test_the_ring_keeps_the_newest_fetches(tmp_path: Path) -> None:
    source = Source()
    recorder = Recorder(source.provider, size=3)
    for _ in range(6):
        source.provider.refresh()
        source.clock.advance(minutes=1)
    assert len(recorder) == 3
    recorder.dump(tmp_path / "ring.jsonl")
    _, records = read_recording((tmp_path / "ring.jsonl").read_text().splitlines())
    assert [record["fetched"]["key"] for record in records] == sorted(record["fetched"]["key"] for record in records)


def held_too_long(view: View, outcome: Outcome) -> Settlement:
    """Reckons by a local clock that is eight hours behind."""
    settlement = settle(view, outcome)
    if not isinstance(settlement, Replaced):
        return settlement
    from dataclasses import replace

    snapshot = settlement.snapshot
    later = {
        name: getattr(snapshot, name) + 8 * 3600
        for name in ("expires_at", "advisory_at", "mandatory_at", "fresh_until")
    }
    return settlement._replace(snapshot=replace(snapshot, **later))


def thrown_away(view: View, outcome: Outcome) -> Settlement:
    """Takes every new credentials for ones that end sooner."""
    if view.state.snapshot.credentials is None or not isinstance(outcome.result, Credentials):
        return settle(view, outcome)
    return Kept(view.state.snapshot, view.state.backoff, ())


def ends_sooner(view: View, outcome: Outcome) -> Settlement:
    """Replaces whatever is held."""
    from ramrole_creds._cache.snapshot import NO_SNAPSHOT
    from ramrole_creds._cache.state import CacheState

    return settle(view._replace(state=CacheState(NO_SNAPSHOT, view.state.backoff, "empty")), outcome)


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        (held_too_long, "credentials are held past their end"),
        (thrown_away, "newer credentials are thrown away"),
        (ends_sooner, "credentials are replaced by ones that end sooner"),
    ],
    ids=["too-long", "thrown-away", "sooner"],
)
def test_a_clock_fault_of_the_engine_is_found_and_shrunk(
    fault: Callable[[View, Outcome], Settlement], promise: str, tmp_path: Path
) -> None:
    source = Source(fault)
    for number in range(12):
        source.life = timedelta(minutes=60 - 4 * number) if promise.endswith("sooner") else timedelta(hours=1)
        source.provider.refresh()
        source.clock.advance(minutes=1)
    policy, records = source.recorded(tmp_path / "faulty.jsonl")
    played = replay(policy, records)
    assert promise in {one.promise for one in played.broken}
    smallest = shrink(policy, records)
    assert len(smallest) <= 2
    assert replay(policy, smallest).broken[-1].promise in {one.promise for one in played.broken}
    assert promise in draw_text(played)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"schema": "another"}', f'{{"schema": "{SCHEMA}", "policy": {{}}}}\n{{"now": 1}}', "\x00", "{"],
    ids=["empty", "object", "list", "schema", "record", "binary", "cut"],
)
def test_another_file_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigurationError, match="recording"):
        read_recording(text.splitlines())


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many"])
def test_a_size_that_is_no_number_of_fetches_is_refused(size: Any) -> None:
    with pytest.raises(ConfigurationError, match="size must be a whole number above 0"):
        Recorder(FunctionProvider(lambda: Credentials("id", "secret")), size=size)


def test_an_outage_and_its_end_are_played_again_with_their_errors(tmp_path: Path) -> None:
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
        recorder = Recorder(provider)
        held = provider.get_credentials()
        outage = cloud.faults.add("*", 503, times=None)
        for _ in range(2):
            with pytest.raises(RamRoleError):
                provider.refresh()
            cloud.clock.advance(minutes=6)
        cloud.faults.remove(outage)
        cloud.rotate()
        provider.refresh(rejected=held)
        recorder.dump(tmp_path / "outage.jsonl")
    policy, records = read_recording((tmp_path / "outage.jsonl").read_text(encoding="utf-8").splitlines())
    played = replay(policy, records)
    assert [record["settled"] for record in records][:3] == ["replaced", "failed", "failed"]
    assert played.broken == ()
    assert "failed" in draw_text(played)
