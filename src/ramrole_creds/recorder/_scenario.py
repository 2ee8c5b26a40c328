"""Turns the records that break a rule into a scenario: a case of `tests/scenarios`, which any cache can play."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._cache.settlement import Failed
from ramrole_creds._cache.snapshot import NO_SNAPSHOT
from ramrole_creds.recorder._replay import SERVED_TOO_LONG, TOLERANCE_SECONDS, replay, settle_record, shrink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ramrole_creds._cache.settlement import Settlement

MIN_STEP_SECONDS: Final = 1.0
MIN_LIFE_SECONDS: Final = 1.0
NOT_HERE: Final = ("ProviderUnavailable", "NoCredentialsError", "MetadataUnreachable", "RoleNotAttached")
MINTS: Final = ("fresh", "shorter", "dead", "key", "unknown")
Record = dict[str, Any]
Step = dict[str, Any]


def as_scenario(policy: RefreshPolicy, records: Sequence[Record]) -> Record | None:
    """The smallest case of `tests/scenarios` that shows the first broken rule; None where none is broken.

    Nothing fetches in it but the steps. A cache without the mistake passes it.
    """
    broken = replay(policy, records).broken
    if not broken:
        return None
    kept = shrink(policy, records)
    first = kept[0]
    if first.get("before") is not None:
        kept.insert(0, _opening(first))
    case: Record = {"name": f"{broken[0].rule}: {broken[0].detail}", "given": "none"}
    defaults = asdict(RefreshPolicy())
    changed = {name: value for name, value in asdict(policy).items() if value != defaults[name]}
    if changed:
        case["policy"] = changed
    if first["server_time"] is None:
        case["dated"] = False
    elif abs(_wall_error(first)) >= MIN_STEP_SECONDS:
        case["wall_clock_off_by"] = round(_wall_error(first), 3)
    case["steps"] = list(_steps(policy, kept, lasts=broken[0].rule == SERVED_TOO_LONG))
    return case


def _opening(first: Record) -> Record:
    """The fetch of what was held before the first record."""
    before = first["before"]
    fetched = {name: before[name] for name in ("key", "identity", "temporary", "expiration")}
    return {**first, "fetched": fetched, "settled": "replaced", "held": before, "rejected": None, "doubted": False}


def _steps(policy: RefreshPolicy, records: Sequence[Record], *, lasts: bool) -> Iterator[Step]:
    yield {"machine": {"refresher": False}}
    held, minted = NO_SNAPSHOT, 0
    before: Record | None = None
    known: dict[Any, Any] = {}
    for record in records:
        if before is not None:
            yield from _passed(before, record)
        settlement = settle_record(policy, held.doubted() if record.get("doubted") else held, record)
        previous, held = held, settlement.snapshot
        answer = _answer(record, previous.credentials is not None, known)
        yield {"upstream": answer}
        known[record["fetched"].get("key")] = record["fetched"].get("expiration")
        if record["rejected"] is not None and minted:
            yield {"get": {}}
        yield _asked(settlement, minted if record["rejected"] is not None else 0)
        minted += answer["answers"] in MINTS
        before = record
    if lasts:
        yield {"upstream": {"answers": "error"}}
        left = max(0.0, held.expires_at - records[-1]["now"])
        yield {"advance": round(left + TOLERANCE_SECONDS, 3), "expect": {"state": "expired"}}


def _passed(before: Record, record: Record) -> Iterator[Step]:
    """Time, and what somebody did to the wall clock meanwhile."""
    seconds = record["now"] - before["now"]
    moved = (record["wall"] - record["now"]) - (before["wall"] - before["now"])
    if abs(moved) >= MIN_STEP_SECONDS:
        yield {"step_wall": round(moved, 3)}
    if seconds > 0:
        yield {"advance": round(seconds, 3)}


def _answer(record: Record, holds: bool, known: dict[Any, Any]) -> Step:  # noqa: FBT001  # used here only
    """What the source answers with."""
    fetched = record["fetched"]
    if "error" in fetched:
        return {"answers": _failure(fetched)}
    if fetched["expiration"] is None:
        return {"answers": "unknown" if fetched["temporary"] else "key"}
    if holds and fetched["key"] in known:
        return {"answers": "unchanged"}
    ends = [end for end in known.values() if end is not None]
    if holds and ends and fetched["expiration"] < max(ends):
        return {"answers": "shorter"}
    life = fetched["expiration"] - _true_time(record)
    return {"answers": "fresh", "life": round(life, 3)} if life >= MIN_LIFE_SECONDS else {"answers": "dead"}


def _failure(fetched: Record) -> str:
    if fetched["error"] in NOT_HERE:
        return "not_here"
    return "unrecoverable" if fetched["lasting"] else "error"


def _asked(settlement: Settlement, rejected: int) -> Step:
    """The call, and what a cache without a mistake makes of the answer."""
    expected: Step = {"generation": settlement.snapshot.generation}
    if isinstance(settlement, Failed):
        expected["error"] = type(settlement.error).__name__
    return {"refresh": {"rejected": rejected} if rejected else {}, "expect": expected}


def _true_time(record: Record) -> float:
    """Unix seconds by the server where it reported its time, by the local clock otherwise."""
    return float(record["wall"] - _wall_error(record))


def _wall_error(record: Record) -> float:
    """Seconds by which the local wall clock is ahead of the server's."""
    if record["server_time"] is None:
        return 0.0
    unix, at = record["server_time"]
    return float(record["wall"] - record["now"] - (unix - at))
