"""Plays a recording against the engine's real `settle` and `decide`, and looks for broken rules."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from ramrole_creds import errors
from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.decisions import Ask, Serve, View, decide
from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.settlement import Failed, Kept, Outcome, settle
from ramrole_creds._cache.snapshot import NO_SNAPSHOT, Snapshot
from ramrole_creds._cache.state import CacheState
from ramrole_creds.credentials import Credentials
from ramrole_creds.errors import ConfigurationError, FetchError
from ramrole_creds.recorder._record import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ramrole_creds._cache.settlement import Settlement

MAX_LIFE_SECONDS: Final = 36 * 3600.0
MAX_NUMBER: Final = 1e12
TOLERANCE_SECONDS: Final = 5.0
SERVED_TOO_LONG: Final = "credentials are held after they expired"
SERVED_TOO_SHORT: Final = "a caller gets credentials that live shorter than it requested"
THROWN_AWAY: Final = "newer credentials are thrown away"
ENDS_SOONER: Final = "credentials are replaced by ones that end sooner"
DECIDED_OTHERWISE: Final = "this version decides differently"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A record at which a rule does not hold.

    Args:
        index: the record's number, from 0.
        rule: which rule.
        detail: what was recorded, and what is right.
    """

    index: int
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A played recording.

    Args:
        records: the records of the recording.
        broken: the rules that do not hold, oldest first.
    """

    records: Sequence[Record]
    broken: tuple[BrokenRule, ...]


def read_recording(lines: Iterable[str]) -> tuple[RefreshPolicy, list[Record]]:
    """The policy and the records of a recording.

    Raises:
        ConfigurationError: this is not a recording that this version can read.
    """
    parsed = [(number, _parsed(number, line)) for number, line in enumerate(lines, 1) if line.strip()]
    if not parsed:
        raise _not_a_recording("it is empty")
    (_, header), *numbered = parsed
    policy, before = _read_header(header)
    records = [record for _, record in numbered]
    for number, record in numbered:
        _read_record(number, record, {"before": before} if record is records[0] else {})
    return policy, records


_WRONG: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RecursionError)


def _not_a_recording(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"This is not a recording of ramrole_creds.recorder: {problem}. Pass what Recorder.dump() wrote."
    )


def _read_record(number: int, record: Record, more: Record) -> None:
    try:
        record.update(more)
        _validate(record)
    except _WRONG:
        raise _not_a_recording(f"line {number} is not a record of a fetch") from None


def _parsed(number: int, line: str) -> Any:  # noqa: ANN401  # any value of JSON
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise _not_a_recording(f"line {number} is not JSON, or was cut off") from None


def _read_header(header: object) -> tuple[RefreshPolicy, Record | None]:
    """The policy, and what was held before the first record."""
    if not isinstance(header, dict) or (schema := header.get("schema")) is None:
        raise _not_a_recording("its first line does not name a schema")
    if schema != SCHEMA:
        raise ConfigurationError(
            f"The recording has the schema {schema!r:.60}; this version reads {SCHEMA!r}. "
            "Use the version that wrote it."
        )
    try:
        return RefreshPolicy(**header["policy"]), header.get("before")
    except (*_WRONG, ConfigurationError):
        raise _not_a_recording("its first line does not hold the settings of a RefreshPolicy") from None


def _validate(record: Record) -> None:
    """Raise what a replay would raise later."""
    _check_numbers(record)
    _outcome(record, None)
    for held in (record["held"], record.get("before")):
        _snapshot(held, record)
    _wall_moments(record)
    hash(record["fetched"].get("key"))  # numbers are compared
    if record["settled"] not in ("replaced", "kept", "failed"):
        raise ValueError(record["settled"])


def _check_numbers(value: object) -> None:
    """Python reads numbers from JSON that are not finite, or that no clock shows."""
    if isinstance(value, (int, float)) and not abs(value) <= MAX_NUMBER:
        raise ValueError(value)
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(each)


def _wall_moments(record: Record) -> None:
    """Clocks that a date can show."""
    datetime.fromtimestamp(record["wall"], timezone.utc)
    if record["server_time"] is not None:
        datetime.fromtimestamp(record["server_time"][0], timezone.utc)
        float(record["server_time"][1])


def replay(policy: RefreshPolicy, records: Sequence[Record]) -> Replay:
    """Play records in order; each starts from what was recorded to be held before it."""
    broken: list[BrokenRule] = []
    before: Record | None = records[0].get("before") if records else None
    held = _snapshot(before, records[0]) if records else NO_SNAPSHOT
    for index, record in enumerate(records):
        if record.get("doubted") and not held.doubtful:  # a clock moved since the record before
            held = held.doubted()
        for rule, detail in _judge(policy, held, before, record):
            broken.append(BrokenRule(index, rule, detail))
        before = record["held"]
        held = _snapshot(before, record)
    return Replay(records, tuple(broken))


def shrink(policy: RefreshPolicy, records: Sequence[Record]) -> list[Record]:
    """The fewest records that still break the first broken rule; all of them where none is broken."""
    broken = replay(policy, records).broken
    if not broken:
        return list(records)
    kept = list(records[: broken[0].index + 1])
    size = max(1, len(kept) // 2)  # large parts first: each trial plays all that is left
    while size:
        index = 0
        while index < len(kept):
            fewer = kept[:index] + kept[index + size :]
            if any(one.rule == broken[0].rule for one in replay(policy, fewer).broken):
                kept = fewer
            else:
                index += size
        size //= 2
    return kept


def _judge(policy: RefreshPolicy, held: Snapshot, before: Record | None, record: Record) -> list[tuple[str, str]]:
    """The rules that do not hold at a record, each with what was recorded."""
    found = [*_held_too_long(policy, record), *_replaced_wrongly(held, before, record)]
    settlement = settle_record(policy, held, record)
    settled = "failed" if isinstance(settlement, Failed) else "kept" if isinstance(settlement, Kept) else "replaced"
    if settled != record["settled"]:
        found.append((DECIDED_OTHERWISE, f"recorded: {record['settled']}, now: {settled}"))
    return found


def settle_record(policy: RefreshPolicy, held: Snapshot, record: Record) -> Settlement:
    """What the engine of this version makes of a record where this is held before."""
    return settle(_view(policy, held, float(record["now"])), _outcome(record, held.credentials))


def _view(policy: RefreshPolicy, held: Snapshot, now: float) -> View:
    state = CacheState(held, Backoff(), held.state_at(now))
    return View(state, now, now, own=False, policy=policy, name="the recorded provider")


def _is_served(policy: RefreshPolicy, record: Record, now: float, valid_for: float = 0.0) -> bool:
    """Whether a call at this moment gets what was recorded to be held, after it waited for a fetch without a result."""
    view = _view(policy, _snapshot(record["held"], record), now)
    return isinstance(decide(view, Ask(valid_for=valid_for, waited=True)), Serve)


def _held_too_long(policy: RefreshPolicy, record: Record) -> Iterator[tuple[str, str]]:
    after, end = record["held"], _true_end(record)
    if after is None or end is None or after["doubtful"] or after["key"] != record["fetched"].get("key"):
        return
    now, wish = float(record["now"]), float(record.get("valid_for") or 0.0)
    recorded = math.inf if after["expires_at"] is None else after["expires_at"]
    if _is_served(policy, record, max(end, now) + TOLERANCE_SECONDS):
        yield SERVED_TOO_LONG, f"by {recorded - max(end, now):.0f} s"
    if end - now < wish - TOLERANCE_SECONDS and _is_served(policy, record, now, wish):
        yield SERVED_TOO_SHORT, f"{wish:.0f} s asked for, {max(0.0, end - now):.0f} s left"


def _replaced_wrongly(held: Snapshot, before: Record | None, record: Record) -> Iterator[tuple[str, str]]:
    new, old = record["fetched"].get("expiration"), (before or {}).get("expiration")
    if new is None or old is None or record["late"]:
        return
    if record["settled"] == "kept" and new > old:
        yield THROWN_AWAY, f"they end {new - old:.0f} s later than the held ones"
    replaced = record["settled"] == "replaced" and record["rejected"] is None
    if replaced and new < old and record["now"] < held.expires_at and not held.doubtful:
        yield ENDS_SOONER, f"by {old - new:.0f} s"


def _true_end(record: Record) -> float | None:
    """When the fetched credentials end on the cache's clock, by the server's time where it fits their expiry."""
    expiration = record["fetched"].get("expiration")
    if expiration is None:
        return None
    if record["server_time"] is not None:
        unix, at = record["server_time"]
        if 0 <= expiration - unix <= MAX_LIFE_SECONDS:
            return float(at + expiration - unix)
    life = expiration - record["wall"]
    return float(record["now"] + life) if 0 <= life <= MAX_LIFE_SECONDS else None


def _outcome(record: Record, held: Credentials | None) -> Outcome:
    rejected = held if record["rejected"] is not None and held is not None else None
    return Outcome(
        _result(record["fetched"]),
        float(record["wall"]),
        seconds=float(record["seconds"]),
        ago=float(record["ago"]),
        late=bool(record["late"]),
        rejected=rejected,
        server_time=None
        if record["server_time"] is None
        else (float(record["server_time"][0]), float(record["server_time"][1])),
        refetch_after=None if record["refetch_after"] is None else float(record["refetch_after"]),
        issued_anew=bool(record.get("issued_anew", False)),
        random_fractions=(float(record["random"][0]), float(record["random"][1])),
        valid_for=float(record.get("valid_for") or 0.0),
    )


def _result(fetched: Record) -> Credentials | Exception:
    if "error" not in fetched:
        return _credentials(fetched)
    kind = getattr(errors, str(fetched["error"]), FetchError)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = FetchError
    error: Exception = kind("recorded")
    error.__dict__.update(unrecoverable=fetched["lasting"], retry_after=fetched["retry_after"])
    return error


def _credentials(described: Record) -> Credentials:
    end = described["expiration"]
    return Credentials(
        f"RECORDED-{described['key']}",
        "recorded",
        "recorded" if described["temporary"] else None,
        None if end is None else datetime.fromtimestamp(end, timezone.utc),
        identity=f"identity-{described['identity']}",
    )


def _snapshot(held: Record | None, record: Record) -> Snapshot:
    if held is None:
        return NO_SNAPSHOT
    now = float(record["now"])

    def moment(name: str) -> float:
        value = held[name]
        return math.inf if value is None else float(value)

    return Snapshot(
        _credentials(held),
        generation=held["generation"],
        fetched_at=now,
        checked_at=now,
        fresh_until=moment("advisory_at"),
        advisory_at=moment("advisory_at"),
        mandatory_at=moment("mandatory_at"),
        expires_at=moment("expires_at"),
        refetch_after=record["refetch_after"],
        wall_offset=float(record["wall"]) - now,
        doubtful=bool(held["doubtful"]),
    )
