"""Recordings of real providers, and what a replay finds in those of a faulty engine."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    EcsRamRoleProvider,
    FetchError,
    FunctionProvider,
    ProviderUnavailable,
    RamRoleError,
    RefreshPolicy,
)
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.settlement import Kept, Outcome, settle
from ramrole_creds._cache.snapshot import NO_SNAPSHOT
from ramrole_creds._cache.state import CacheState
from ramrole_creds.recorder import SCHEMA, Recorder, as_scenario, draw_svg, draw_text, read_recording, replay, shrink
from ramrole_creds.testing import FakeCloud, VirtualClock
from tests.cachesim.scenario import Player

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ramrole_creds import FetchContext
    from ramrole_creds._cache.decisions import View
    from ramrole_creds._cache.settlement import Settlement


class ShiftedClock:
    """Shows a wall clock that is wrong; the time since the start of the machine is right."""

    def __init__(self) -> None:
        self.true = VirtualClock()
        self.ahead = 0.0

    def time(self) -> float:
        return self.true.time() + self.ahead

    def monotonic(self) -> float:
        return self.true.monotonic()


class Source:
    """A source of hourly sessions that reports its time, and a provider whose engine may have a fault."""

    def __init__(
        self, fault: Callable[[View, Outcome], Settlement] = settle, policy: RefreshPolicy | None = None
    ) -> None:
        self.error: RamRoleError | None = None
        self.clock = ShiftedClock()
        self.made = 0
        self.life = timedelta(hours=1)
        self.provider = FunctionProvider(lambda: Credentials("unused", "unused"), clock=self.clock)
        cache = CredentialCache(self.fetch, name="source", policy=policy, clock=self.clock, settle=fault)
        self.provider.__dict__["_cache"] = cache
        self.recorder = Recorder(self.provider)

    def fetch(self, context: FetchContext) -> Credentials:
        self.made += 1
        if self.error is not None:
            raise self.error
        now = self.clock.true.time()
        context.record_server_time(now)
        end = datetime.fromtimestamp(now, timezone.utc) + self.life
        return Credentials(f"LTAI{self.made}", "secret-1234", "token-5678", end, identity="role-web")

    def recorded(self, path: Path) -> tuple[Any, list[dict[str, Any]]]:
        self.recorder.dump(path)
        return read_recording(path.read_text(encoding="utf-8").splitlines())


def test_a_recording_of_a_day_keeps_every_rule(tmp_path: Path) -> None:
    source = Source()
    for _ in range(24):
        source.provider.get_credentials()
        source.clock.true.advance(hours=1)
    policy, records = source.recorded(tmp_path / "day.jsonl")
    played = replay(policy, records)
    assert len(records) >= 20
    assert played.broken == ()
    assert "No rule is broken." in draw_text(played)
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
        source.clock.true.advance(minutes=1)
    assert len(recorder) == 3
    recorder.dump(tmp_path / "ring.jsonl")
    _, records = read_recording((tmp_path / "ring.jsonl").read_text().splitlines())
    assert [record["fetched"]["key"] for record in records] == sorted(record["fetched"]["key"] for record in records)


def held_too_long(view: View, outcome: Outcome) -> Settlement:
    """Believes the local wall clock alone."""
    return settle(view, outcome._replace(server_time=None))


def end_by_wall_clock(view: View, outcome: Outcome) -> float:
    assert isinstance(outcome.result, Credentials)
    assert outcome.result.expiration is not None
    return view.now + outcome.result.expiration.timestamp() - outcome.wall


def thrown_away(view: View, outcome: Outcome) -> Settlement:
    """Compares the held ones' end, as it was reckoned, with an end by today's wall clock."""
    held = view.state.snapshot
    if held.credentials is not None and end_by_wall_clock(view, outcome) <= held.expires_at:
        return Kept(held, view.state.backoff, ())
    return settle(view, outcome)


def ends_sooner(view: View, outcome: Outcome) -> Settlement:
    """Compares in the same way, and replaces what seems to end sooner."""
    held = view.state.snapshot
    if held.credentials is not None and end_by_wall_clock(view, outcome) > held.expires_at:
        nothing = replace(NO_SNAPSHOT, generation=held.generation)
        return settle(view._replace(state=CacheState(nothing, view.state.backoff, "empty")), outcome)
    return settle(view, outcome)


CLOCK_FAULTS = [
    (held_too_long, -8 * 3600.0, 0.0, 0, "credentials are held after they expired"),
    (thrown_away, 0.0, 7200.0, 0, "newer credentials are thrown away"),
    (ends_sooner, -7200.0, 0.0, 20, "credentials are replaced by ones that end sooner"),
]


@pytest.mark.parametrize(
    ("fault", "ahead", "step", "shorter", "rule"), CLOCK_FAULTS, ids=["too-long", "thrown-away", "sooner"]
)
def test_a_clock_fault_of_the_engine_is_found_and_becomes_a_scenario(
    fault: Callable[[View, Outcome], Settlement],
    ahead: float,
    step: float,
    shorter: int,
    rule: str,
    tmp_path: Path,
) -> None:
    source = Source(fault)
    source.clock.ahead = ahead
    for number in range(12):
        source.provider.refresh()
        source.clock.true.advance(minutes=1)
        if number == 5:
            source.clock.ahead += step
            source.life -= timedelta(minutes=shorter)
    policy, records = source.recorded(tmp_path / "faulty.jsonl")
    played = replay(policy, records)
    assert played.broken[0].rule == rule
    assert rule in draw_text(played)
    smallest = shrink(policy, records)
    assert len(smallest) <= 2
    assert rule in {one.rule for one in replay(policy, smallest).broken}

    case = as_scenario(policy, records)
    assert case is not None
    case = json.loads(json.dumps(case))
    assert len(case["steps"]) <= 7
    Player(case).play()
    with pytest.raises(AssertionError, match=rule):
        Player(case, partial(CredentialCache, settle=fault)).play()


def check_scenario(case: dict[str, Any] | None, fault: Callable[[View, Outcome], Settlement]) -> dict[str, Any]:
    """A cache without the fault passes the case, and one with it does not."""
    assert case is not None
    case = json.loads(json.dumps(case))
    Player(case).play()
    with pytest.raises(AssertionError):
        Player(case, partial(CredentialCache, settle=fault)).play()
    return case


@pytest.mark.parametrize("late", [False, True], ids=["from-start", "later"])
@pytest.mark.parametrize("rejects", [False, True], ids=["refresh", "rejected"])
def test_a_scenario_has_the_policy_the_rejection_and_what_was_held_before(
    late: bool, rejects: bool, tmp_path: Path
) -> None:
    source = Source(thrown_away, RefreshPolicy(fetch_timeout=20.0))
    held = source.provider.get_credentials()
    if late:
        source.recorder = Recorder(source.provider)
    source.clock.true.advance(minutes=1)
    source.clock.ahead = 7200.0
    source.provider.refresh(rejected=held if rejects else None)
    case = check_scenario(as_scenario(*source.recorded(tmp_path / "faulty.jsonl")), thrown_away)
    assert case["policy"] == {"fetch_timeout": 20.0}
    assert ("get" in json.dumps(case["steps"])) is rejects
    assert case["steps"].count({"refresh": {}, "expect": {"generation": 1}}) == 1


def passed_over(view: View, outcome: Outcome) -> Settlement:
    """Takes an error for an answer that brings nothing new."""
    if isinstance(outcome.result, Exception):
        return Kept(view.state.snapshot, view.state.backoff, ())
    return settle(view, outcome)


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        pytest.param(ProviderUnavailable("Not here."), "not_here", id="unavailable"),
        pytest.param(FetchError("Out of order."), "error", id="error"),
        pytest.param(FetchError("Refused.", unrecoverable=True), "unrecoverable", id="lasting"),
    ],
)
def test_a_scenario_of_a_failed_fetch_has_the_kind_of_its_error(
    error: RamRoleError, answers: str, tmp_path: Path
) -> None:
    source = Source(passed_over)
    source.provider.get_credentials()
    source.error = error
    source.provider.refresh()
    case = check_scenario(as_scenario(*source.recorded(tmp_path / "faulty.jsonl")), passed_over)
    assert {"upstream": {"answers": answers}} in case["steps"]


def test_an_error_of_a_class_that_this_version_lacks_is_played_as_a_failed_fetch(tmp_path: Path) -> None:
    source = Source()
    source.error = FetchError("Out of order.")
    with pytest.raises(FetchError):
        source.provider.get_credentials()
    policy, (record,) = source.recorded(tmp_path / "failed.jsonl")
    record["fetched"]["error"] = "annotations"  # a name of the module of errors, and no class
    assert replay(policy, [record]).broken == ()


def test_a_recording_without_a_broken_rule_makes_no_scenario(tmp_path: Path) -> None:
    source = Source()
    source.provider.get_credentials()
    assert as_scenario(*source.recorded(tmp_path / "good.jsonl")) is None


POLICY_LINE = f'{{"schema": "{SCHEMA}", "policy": {{}}}}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("{}", "its first line does not name a schema"),
        ("[]", "its first line does not name a schema"),
        ('{"schema": "another"}', "has the schema 'another'; this version reads"),
        (f'{{"schema": "{SCHEMA}"}}', "its first line does not hold the settings of a RefreshPolicy"),
        (POLICY_LINE.replace("{}", '{"jitter": 2}'), "its first line does not hold the settings of a RefreshPolicy"),
        (POLICY_LINE.replace("{}", '{"other": 2}'), "its first line does not hold the settings of a RefreshPolicy"),
        (POLICY_LINE + '\n{"now": 1}', "line 2 is not a record of a fetch"),
        (POLICY_LINE + "\n[]", "line 2 is not a record of a fetch"),
        (POLICY_LINE + '\n\n{"now": ', "line 3 is not JSON, or was cut off"),
        ("\x00", "line 1 is not JSON, or was cut off"),
        ("[" * 100_000, "line 1 is not JSON, or was cut off"),
        ('{"schema": ' + "9" * 5000, "line 1 is not JSON, or was cut off"),
    ],
    ids=[
        *("empty", "blank", "object", "list", "schema", "policy", "value", "name"),
        *("record", "list-record", "cut", "binary", "deep", "digits"),
    ],
)
def test_another_file_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match="recording") as caught:
        read_recording(text.splitlines())
    assert problem in str(caught.value)


def one_record(path: Path) -> list[str]:
    source = Source()
    source.provider.get_credentials()
    source.recorder.dump(path / "one.jsonl")
    return (path / "one.jsonl").read_text(encoding="utf-8").splitlines()


WRONG: list[Any] = [None, "x", [], {}, -1, 1e18, float("inf"), True, [1]]


@pytest.mark.parametrize("part", ["", "fetched", "held"])
def test_a_record_with_a_wrong_field_is_refused_or_played(part: str, tmp_path: Path) -> None:
    header, good = one_record(tmp_path)
    played = 0
    for name in json.loads(good)[part] if part else json.loads(good):
        for wrong in WRONG:
            record = json.loads(good)
            (record[part] if part else record)[name] = wrong
            try:
                policy, records = read_recording([header, json.dumps(record), good])
            except ConfigurationError as error:
                assert "recording" in str(error)  # noqa: PT017  # either is right
                continue
            found = replay(policy, records)
            assert draw_text(found)
            assert draw_svg(found)
            as_scenario(policy, records)
            played += 1
    assert played


@pytest.mark.parametrize("cut", [1, 40, 200], ids=str)
def test_a_truncated_recording_is_refused_in_words(cut: int, tmp_path: Path) -> None:
    text = "\n".join(one_record(tmp_path))
    with pytest.raises(ConfigurationError, match=r"Pass what Recorder\.dump\(\) wrote"):
        read_recording(text[:-cut].splitlines())


def test_a_recording_of_a_later_schema_is_named(tmp_path: Path) -> None:
    header, record = one_record(tmp_path)
    with pytest.raises(ConfigurationError, match="recording 2'; this version reads"):
        read_recording([header.replace("recording 1", "recording 2"), record])


def test_what_was_held_before_the_first_record_is_known(tmp_path: Path) -> None:
    """The ring has dropped it, or it was fetched before the recorder was made."""
    source = Source()
    source.provider.get_credentials()
    late, small = Recorder(source.provider), Recorder(source.provider, size=1)
    source.life = timedelta(minutes=30)
    for _ in range(3):
        source.provider.refresh()  # what ends sooner is not taken
    for recorder in (late, small):
        recorder.dump(tmp_path / "late.jsonl")
        policy, records = read_recording((tmp_path / "late.jsonl").read_text(encoding="utf-8").splitlines())
        assert [record["settled"] for record in records] == ["kept"] * len(recorder)
        assert replay(policy, records).broken == ()


def test_a_file_that_others_can_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    Source().recorder.dump(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["recording.jsonl"]


def test_what_cannot_be_recorded_fails_no_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    monkeypatch.setattr("ramrole_creds.recorder._record.asdict", lambda _: 1 / 0)
    assert source.provider.get_credentials().security_token


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_goes_on_with_the_recording(tmp_path: Path) -> None:
    source = Source()
    source.provider.get_credentials()
    child = os.fork()
    if not child:
        try:
            source.provider.refresh()
            source.recorder.dump(tmp_path / "child.jsonl")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    policy, records = read_recording((tmp_path / "child.jsonl").read_text(encoding="utf-8").splitlines())
    assert [record["settled"] for record in records] == ["replaced", "replaced"]
    assert replay(policy, records).broken == ()
    assert len(source.recorder) == 1


def test_what_is_no_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="provider must be a CredentialProvider, not str"):
        Recorder("ecs_ram_role")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many", 2**63, 10**30])
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


def test_a_recording_of_any_depth_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a recording"):
        read_recording(['{"a":' * 100_000])


def test_a_long_recording_is_shrunk_in_seconds(tmp_path: Path) -> None:
    source = Source(held_too_long)
    for _ in range(1000):
        source.provider.refresh()
        source.clock.true.advance(minutes=1)
    source.clock.ahead = -8 * 3600.0
    source.provider.refresh()
    policy, records = source.recorded(tmp_path / "long.jsonl")
    began = time.process_time()
    assert len(shrink(policy, records)) == 1
    assert time.process_time() - began < 10.0, "one trial for each record takes a minute"


@pytest.mark.parametrize("columns", [1, 20, 40, 80, 200])
def test_a_timeline_is_as_wide_as_the_terminal(columns: int, tmp_path: Path) -> None:
    source = Source()
    for _ in range(5):
        source.provider.refresh()
        source.clock.true.advance(minutes=30)
    played = replay(*source.recorded(tmp_path / "wide.jsonl"))
    rows = [line for line in draw_text(played, columns=columns).splitlines() if line.startswith(("state", "fetches"))]
    assert [len(row) for row in rows] == [max(20, columns)] * 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no such encoding"])
def test_a_timeline_is_drawn_in_ascii_where_the_terminal_knows_no_lines(encoding: str, tmp_path: Path) -> None:
    source = Source()
    source.provider.get_credentials()
    source.clock.true.advance(minutes=50)
    source.provider.refresh()
    played = replay(*source.recorded(tmp_path / "ascii.jsonl"))
    assert draw_text(played, encoding=encoding).isascii()
    assert "##" in draw_text(played, encoding=encoding)
    assert not draw_text(played).isascii()


def test_an_empty_recording_is_drawn_in_words(tmp_path: Path) -> None:
    assert draw_text(replay(*Source().recorded(tmp_path / "empty.jsonl"))) == "The recording is empty.\n"
