"""What a recording holds: of any provider, under threads, and as the manual states it."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from ramrole_creds import (
    Credentials,
    EcsRamRoleProvider,
    FunctionProvider,
    ProviderChain,
    RamRoleError,
    StaticProvider,
    default_provider,
)
from ramrole_creds.recorder import Recorder, read_recording, replay
from ramrole_creds.testing import FakeCloud
from tests.recorder.test_recorder import Source, held_too_long

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import CredentialProvider


def test_a_fetch_that_was_settled_twice_is_recorded_once(tmp_path: Path) -> None:
    """Where another thread asks for a refresh at that moment, the engine settles the outcome once more."""
    source = Source()
    source.provider.get_credentials()
    threads = [threading.Thread(target=lambda: [source.provider.refresh() for _ in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    policy, records = source.recorded(tmp_path / "threads.jsonl")
    assert len(records) == source.made == len({json.dumps(record["fetched"]) for record in records})
    assert replay(policy, records).broken == ()


def test_a_recorder_remembers_a_key_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    source = Source()
    recorder = Recorder(source.provider, size=1)
    source.provider.get_credentials()
    source.life = timedelta(minutes=30)
    for _ in range(50):
        source.provider.refresh()  # what ends sooner is not taken
    recorder.dump(str(tmp_path / "held.jsonl"))
    _, (record,) = read_recording((tmp_path / "held.jsonl").read_text(encoding="utf-8").splitlines())
    assert record["held"]["key"] == 1
    assert record["fetched"]["key"] == 51


def test_a_recorder_is_not_pickled_since_it_knows_the_names() -> None:
    with pytest.raises(TypeError, match=r"Send what dump\(\) wrote"):
        pickle.dumps(Recorder(FunctionProvider(lambda: Credentials("id", "secret"))))


async def later() -> Credentials:
    return Credentials("id", "secret", identity="role-web")


KINDS: dict[str, Callable[[], CredentialProvider]] = {
    "static": lambda: StaticProvider("id", "secret"),
    "coroutine": lambda: FunctionProvider(later),
    "chain": lambda: ProviderChain(FunctionProvider(later)),
    "metadata": EcsRamRoleProvider,
    "default": default_provider,
}


@pytest.mark.usefixtures("ramrole_cloud")
@pytest.mark.parametrize("asynchronous", [False, True], ids=["thread", "coroutine"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_provider_is_recorded(kind: str, asynchronous: bool, tmp_path: Path) -> None:
    provider = KINDS[kind]()
    recorders = [Recorder(provider), Recorder(provider)]
    asyncio.run(provider.get_credentials_async()) if asynchronous else provider.get_credentials()
    provider.refresh()
    for number, recorder in enumerate(recorders):
        path = tmp_path / f"{number}.jsonl"
        recorder.dump(path)
        policy, records = read_recording(path.read_text(encoding="utf-8").splitlines())
        assert len(records) == 2
        assert replay(policy, records).broken == ()
        assert "role-web" not in path.read_text(encoding="utf-8")


SCHEMA_OF_A_RECORD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        *("now", "wall", "seconds", "ago", "late", "server_time", "refetch_after", "issued_anew", "random"),
        *("doubted", "valid_for", "rejected", "fetched", "settled", "held"),
    ],
    "properties": {
        **{name: {"type": "number"} for name in ("now", "wall", "seconds", "ago", "valid_for")},
        **{name: {"type": "boolean"} for name in ("late", "doubted", "issued_anew")},
        "server_time": {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "refetch_after": {"type": ["number", "null"]},
        "random": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "rejected": {"type": ["integer", "null"]},
        "settled": {"enum": ["replaced", "kept", "failed"]},
        "fetched": {"oneOf": [{"$ref": "#/$defs/credentials"}, {"$ref": "#/$defs/error"}]},
        "held": {"oneOf": [{"$ref": "#/$defs/held"}, {"type": "null"}]},
    },
    "$defs": {
        "credentials": {
            "type": "object",
            "additionalProperties": False,
            "required": ["key", "identity", "temporary", "expiration"],
            "properties": {
                "key": {"type": "integer"},
                "identity": {"type": "integer"},
                "temporary": {"type": "boolean"},
                "expiration": {"type": ["number", "null"]},
            },
        },
        "error": {
            "type": "object",
            "additionalProperties": False,
            "required": ["error", "lasting", "retry_after"],
            "properties": {
                "error": {"type": "string", "pattern": "^[A-Za-z]+$"},
                "lasting": {"type": "boolean"},
                "retry_after": {"type": ["number", "null"]},
            },
        },
        "held": {
            "type": "object",
            "additionalProperties": False,
            "required": [
                *("key", "identity", "temporary", "expiration"),
                *("generation", "advisory_at", "mandatory_at", "expires_at", "doubtful"),
            ],
            "properties": {
                **{name: {"type": "integer"} for name in ("key", "identity", "generation")},
                **{name: {"type": "boolean"} for name in ("temporary", "doubtful")},
                **{name: {"type": ["number", "null"]} for name in ("expiration", "advisory_at", "mandatory_at")},
                "expires_at": {"type": ["number", "null"]},
            },
        },
    },
}


def test_every_line_of_a_recording_fits_the_schema_that_the_manual_states(tmp_path: Path) -> None:
    with FakeCloud() as cloud, EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
        recorder = Recorder(provider)
        held = provider.get_credentials()
        cloud.faults.add("*", 503, retry_after=30)
        with pytest.raises(RamRoleError):
            provider.refresh()
        cloud.faults.clear()
        cloud.rotate()
        provider.refresh(rejected=held)
        recorder.dump(tmp_path / "day.jsonl")
    header, *lines = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(header) == {"schema", "policy", "before"}
    assert {line["settled"] for line in lines} >= {"replaced", "failed"}
    for line in lines:
        jsonschema.validate(line, SCHEMA_OF_A_RECORD)
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
    table = page[page.index("The file has JSON lines") :]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert {name for name in named if "." not in name} == set(lines[0])
    parts = {name.partition(".")[2] for name in named if "." in name}
    stated = {name for one in SCHEMA_OF_A_RECORD["$defs"].values() for name in one["properties"]}
    assert parts == stated


def test_the_wish_of_a_caller_is_recorded_and_a_rule_about_it_is_checked(tmp_path: Path) -> None:
    """By the wall clock alone, which is eight hours slow, an hourly session seems to live for nine."""
    source = Source(held_too_long)
    source.clock.ahead = -8 * 3600.0
    source.provider.get_credentials(valid_for=2 * 3600.0)
    policy, records = source.recorded(tmp_path / "wish.jsonl")
    assert records[0]["valid_for"] == 7200.0
    broken = {one.rule: one.detail for one in replay(policy, records).broken}
    assert broken["a caller gets credentials that live shorter than it requested"] == "7200 s asked for, 3600 s left"
    assert "credentials are held after they expired" in broken


def test_a_recording_from_before_wishes_were_recorded_is_played(tmp_path: Path) -> None:
    source = Source()
    source.provider.get_credentials()
    policy, records = source.recorded(tmp_path / "old.jsonl")
    lines = (tmp_path / "old.jsonl").read_text(encoding="utf-8").replace('"valid_for": 0.0, ', "").splitlines()
    assert replay(*read_recording(lines)).broken == replay(policy, records).broken == ()
