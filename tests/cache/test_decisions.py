"""The engine as a table: every combination of what can be known at one instant, and what a call does then."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ramrole_creds import ConfigurationError, Credentials, FetchContext, FetchError, RefreshPolicy, WaitTimeout
from ramrole_creds._cache.backoff import FREE_HANGING_FETCHES, Backoff
from ramrole_creds._cache.decisions import (
    MAX_FETCHES_PER_CALL,
    Ask,
    Decision,
    Fail,
    Join,
    Serve,
    Start,
    View,
    decide,
    decide_due,
    decide_forced,
    decide_refresh,
)
from ramrole_creds._cache.in_flight import InFlightFetch
from ramrole_creds._cache.signals import OneShotSignal
from ramrole_creds._cache.snapshot import (
    ADVISORY,
    EMPTY,
    EXPIRED,
    FRESH,
    MANDATORY,
    NO_SNAPSHOT,
    STATES,
    Snapshot,
    plan_snapshot,
)
from ramrole_creds._cache.state import MAX_HANGING_FETCHES, CacheState
from ramrole_creds.clock import SYSTEM_CLOCK

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
LIFE = 21600.0
POLICY = RefreshPolicy(jitter=0.0)
HELD = Credentials("STS.NT1", "secret", "token", datetime.fromtimestamp(LIFE, timezone.utc))
MOMENTS = {EMPTY: 0.0, FRESH: 100.0, ADVISORY: LIFE - 1499, MANDATORY: LIFE - 100, EXPIRED: LIFE + 1}
LATE_SECONDS = 1000.0
PHASES = {
    "new": Ask(),
    "has waited briefly": Ask(waited=True),
    "waits": Ask(for_result=True, fetches=1),
    "landed": Ask(for_result=True, landed=True, fetches=1),
    "landed unchanged": Ask(for_result=True, landed=True, unchanged=True, fetches=1),
    "landed with an error": Ask(for_result=True, landed=True, error=FetchError("no"), fetches=1),
    "landed too often": Ask(for_result=True, landed=True, fetches=MAX_FETCHES_PER_CALL),
}


def snapshot() -> Snapshot:
    return plan_snapshot(
        HELD,
        generation=1,
        fetched_at=0.0,
        checked_at=0.0,
        expires_at=LIFE,
        refetch_after=None,
        wall_offset=0.0,
        policy=POLICY,
        random_fraction=0.0,
    )


def fetch_in_flight() -> InFlightFetch:
    context = FetchContext(valid_for=0.0, rejected=None, clock=SYSTEM_CLOCK, deadline=10.0, monotonic=lambda: 0.0)
    return InFlightFetch(context, done=OneShotSignal(), started=0.0, deadline=10.0, held=NO_SNAPSHOT)


def view(
    state: str,
    *,
    in_flight: bool = False,
    backing_off: bool = False,
    refresher: str = "runs",
    own: bool = False,
    hanging: int = 0,
    closed: bool = False,
) -> View:
    now = MOMENTS[state] + (LATE_SECONDS if refresher == "late" else 0.0)
    error = FetchError("out of order") if backing_off else None
    backoff = Backoff(error=error, retry_at=now + 5 if backing_off else -math.inf)
    found = CacheState(NO_SNAPSHOT if state == EMPTY else snapshot(), backoff, state, closed=closed)
    found = found.change(
        in_flight=fetch_in_flight() if in_flight else None,
        refresher_alive=refresher != "none",
        hanging=tuple(fetch_in_flight() for _ in range(hanging)),
    )
    return View(found, now, 1.0, own, POLICY, "source")


COMBINATIONS: list[dict[str, Any]] = [
    dict(zip(("state", "in_flight", "backing_off", "refresher", "own", "hanging", "closed"), values, strict=True))
    for values in product(
        STATES, (False, True), (False, True), ("runs", "none"), (False, True), (0, MAX_HANGING_FETCHES), (False, True)
    )
]
WISHES = (0.0, 60.0, 2 * LIFE)


def shown(decision: Decision) -> str:
    if isinstance(decision, Serve):
        return "return it, wake the refresher" if decision.wake else "return it"
    if isinstance(decision, Fail):
        return "raise"
    verb = "start" if isinstance(decision, Start) else "join"
    return f"{verb} a fetch, wait {'briefly' if decision.brief else 'for it'}"


ROWS: dict[str, tuple[dict[str, Any], Ask]] = {
    "empty": ({"state": EMPTY}, Ask()),
    "fresh": ({"state": FRESH}, Ask()),
    "advisory": ({"state": ADVISORY}, Ask()),
    "advisory, the refresher late or absent": ({"state": ADVISORY, "refresher": "late"}, Ask()),
    "mandatory": ({"state": MANDATORY}, Ask()),
    "expired": ({"state": EXPIRED}, Ask()),
    "any, `valid_for` longer than the life left": ({"state": FRESH}, Ask(valid_for=2 * LIFE)),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table_in_the_architecture_page_is_what_decide_does(row: str) -> None:
    facts, ask = ROWS[row]
    columns: tuple[dict[str, Any], ...] = ({}, {"in_flight": True}, {"backing_off": True})
    cells = [shown(decide(view(**{**facts, **column}), ask)) for column in columns]
    assert f"| {' | '.join([row, *cells])} |" in ARCHITECTURE.read_text(encoding="utf-8")


def test_an_absent_refresher_is_as_a_late_one() -> None:
    assert decide(view(ADVISORY, refresher="none"), Ask()) == decide(view(ADVISORY, refresher="late"), Ask())


def all_decisions() -> list[tuple[dict[str, Any], Ask, View, Decision]]:
    found = []
    for facts, phase, wish in product(COMBINATIONS, PHASES.values(), WISHES):
        ask = phase._replace(valid_for=wish)
        seen = view(**facts)
        found.append((facts, ask, seen, decide(seen, ask)))
    return found


def test_every_combination_keeps_the_rules() -> None:
    decisions = all_decisions()
    assert len(decisions) == len(COMBINATIONS) * len(PHASES) * len(WISHES) > 6000
    for facts, ask, seen, decision in decisions:
        case = (facts, ask, shown(decision))
        left = seen.state.snapshot.remaining(seen.now)
        suffices = left > 0 and left >= ask.valid_for
        if facts["closed"]:
            assert isinstance(decision, Fail), case
            assert isinstance(decision.error, ConfigurationError), case
        elif isinstance(decision, Serve):
            assert suffices, case
        elif isinstance(decision, Fail):
            assert not suffices, case
        elif isinstance(decision, Join):
            assert facts["in_flight"] or (ask.for_result and not ask.landed), case
            assert not facts["own"], case
        else:
            assert not facts["in_flight"], case
            assert not facts["backing_off"], case
            assert not facts["hanging"], case
            assert facts["state"] != FRESH or not suffices, case
        if suffices and not facts["closed"] and (ask.waited or facts["state"] == FRESH):
            assert isinstance(decision, Serve), case


def test_deciding_again_decides_the_same() -> None:
    for facts, ask, seen, decision in all_decisions()[::7]:
        again = decide(seen, ask)
        assert (type(again), shown(again)) == (type(decision), shown(decision)), facts


@pytest.mark.parametrize("facts", COMBINATIONS[::3], ids=range(len(COMBINATIONS[::3])))
def test_a_forced_refresh_starts_one_fetch_or_joins_it(facts: dict[str, Any]) -> None:
    decision = decide_refresh(view(**facts), None)
    if facts["closed"] or (facts["own"] and facts["in_flight"]) or (facts["hanging"] and not facts["in_flight"]):
        assert isinstance(decision, Fail)
    else:
        assert decision == (Join(brief=False) if facts["in_flight"] else Start(brief=False))


def test_a_rejection_of_credentials_that_were_replaced_fetches_nothing() -> None:
    other = Credentials("STS.NT0", "secret", "token", HELD.expiration)
    assert decide_refresh(view(FRESH), other) == Serve(HELD)
    assert decide_refresh(view(FRESH), HELD) == Start(brief=False)
    assert decide_refresh(view(EXPIRED), other) == Start(brief=False)


def test_a_rejection_that_upstream_was_just_asked_about_keeps_the_delay() -> None:
    seen = view(FRESH)
    backoff = Backoff(refused_generation=1, retry_at=seen.now + 5)
    held_again = seen._replace(state=seen.state.change(backoff=backoff))
    assert decide_refresh(held_again, HELD) == Serve(HELD)
    failed = seen._replace(state=seen.state.change(backoff=replace(backoff, error=FetchError("no"))))
    assert isinstance(decide_refresh(failed, HELD), Fail)
    later = held_again._replace(now=seen.now + 5)
    assert decide_refresh(later, HELD) == Start(brief=False)


@pytest.mark.parametrize(
    ("state", "expected"), [(EMPTY, False), (FRESH, False), (ADVISORY, True), (MANDATORY, True), (EXPIRED, True)]
)
def test_the_refresher_starts_what_is_due_and_nothing_else(state: str, expected: bool) -> None:
    assert decide_due(view(state)) is expected
    assert not decide_due(view(state, in_flight=True))
    assert not decide_due(view(state, backing_off=True))
    assert not decide_due(view(state, closed=True))
    assert not decide_due(view(state, hanging=MAX_HANGING_FETCHES))


@pytest.mark.parametrize("state", STATES)
def test_doubtful_credentials_are_treated_as_in_the_mandatory_window_while_they_live(state: str) -> None:
    seen = view(state)
    doubted = seen._replace(state=seen.state.change(snapshot=seen.state.snapshot.doubted()))
    if state == EMPTY:
        return
    expected = EXPIRED if state == EXPIRED else MANDATORY
    assert doubted.state.snapshot.state_at(doubted.now) == expected
    assert decide(doubted, Ask()) == Start(brief=state != EXPIRED)
    assert decide_due(doubted)


def test_a_forced_fetch_that_failed_raises_a_copy_of_its_error_with_valid_credentials_at_hand() -> None:
    error = FetchError("no")
    decision = decide_forced(view(FRESH), error)
    assert isinstance(decision, Fail)
    assert str(decision.error) == "no"
    assert decision.error is not error
    assert isinstance(decide_forced(view(EXPIRED), None), Fail)
    closed = decide_forced(view(EMPTY), None)
    assert isinstance(closed, Fail)
    assert str(closed.error).startswith("This provider (source) is closed")


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"closed": True}, "This provider (source) is closed"),
        ({"in_flight": True, "own": True}, "The credentials of source were requested from within their own fetch"),
        ({"hanging": MAX_HANGING_FETCHES}, "16 fetches of source hang"),
    ],
    ids=["closed", "own", "hanging"],
)
def test_a_refused_call_names_the_source(facts: dict[str, Any], text: str) -> None:
    for decision in (decide_refresh(view(FRESH, **facts), None), decide(view(EMPTY, **facts), Ask())):
        assert isinstance(decision, Fail)
        assert str(decision.error).startswith(text)


def at(moment: float, *, retry_at: float = -math.inf, error: Exception | None = None, hanging: int = 0) -> View:
    """The held credentials at this moment, with one backoff."""
    seen = view(FRESH, hanging=hanging)
    return seen._replace(now=moment, state=seen.state.change(backoff=Backoff(error=error, retry_at=retry_at)))


def test_each_boundary_belongs_to_what_comes_after_it() -> None:
    no = FetchError("no")
    ends = LIFE - 1500
    assert decide(at(ends - 1), Ask()) == Serve(HELD)
    assert decide(at(ends), Ask()) == Serve(HELD, wake=True)
    assert decide(at(ends + 750), Ask()) == Serve(HELD, wake=True), "late by half the window"
    assert decide(at(ends + 751), Ask()) == Start(brief=True)
    assert decide(at(LIFE - 100, retry_at=LIFE - 99), Ask()) == Serve(HELD)
    assert decide(at(LIFE - 100, retry_at=LIFE - 100), Ask()) == Start(brief=True)
    assert decide(at(LIFE), Ask()) == Start(brief=False)
    assert isinstance(decide(at(LIFE + 1, retry_at=LIFE + 2, error=no), Ask()), Fail)
    assert decide(at(LIFE + 1, retry_at=LIFE + 1, error=no), Ask()) == Start(brief=False)


def test_a_wish_for_exactly_the_life_left_is_met() -> None:
    assert decide(at(100.0), Ask(valid_for=LIFE - 100)) == Serve(HELD)
    assert decide(at(100.0), Ask(valid_for=LIFE - 99)) == Start(brief=False)


def test_a_wish_that_upstream_could_not_meet_is_refused_until_it_may_issue_the_next() -> None:
    seen = at(100.0)
    known = seen._replace(state=seen.state.change(backoff=Backoff(too_short=(1, LIFE))))
    issues_at = known.state.snapshot.next_issue_at
    assert issues_at < LIFE
    assert isinstance(decide(known, Ask(valid_for=LIFE + 1)), Fail)
    assert decide(known, Ask(valid_for=LIFE)) == Start(brief=False), "it has had as much"
    assert decide(known._replace(now=issues_at), Ask(valid_for=LIFE + 1)) == Start(brief=False)
    other = known._replace(state=known.state.change(backoff=Backoff(too_short=(0, LIFE))))
    assert decide(other, Ask(valid_for=LIFE + 1)) == Start(brief=False), "of another generation"


def test_patience_ends_at_its_deadline() -> None:
    seen = view(EMPTY, in_flight=True)
    assert decide(seen, Ask(for_result=True, deadline=seen.real_now + 1)) == Join(brief=False)
    ended = decide(seen, Ask(for_result=True, deadline=seen.real_now))
    assert isinstance(ended, Fail)
    assert isinstance(ended.error, WaitTimeout)


def test_from_the_fourth_fetch_that_hangs_on_the_next_waits_for_its_delay() -> None:
    assert decide_refresh(at(100.0, retry_at=101.0, hanging=FREE_HANGING_FETCHES - 1), None) == Start(brief=False)
    assert isinstance(decide_refresh(at(100.0, retry_at=101.0, hanging=FREE_HANGING_FETCHES), None), Fail)
    assert decide_refresh(at(100.0, retry_at=100.0, hanging=FREE_HANGING_FETCHES), None) == Start(brief=False)
