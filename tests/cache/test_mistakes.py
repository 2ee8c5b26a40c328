"""The proof notices mistakes: each plausible one in a decision or a settlement fails a scenario or a schedule."""

from __future__ import annotations

import json
import logging
import math
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.decisions import (
    Ask,
    Decision,
    Fail,
    Join,
    Serve,
    Start,
    View,
    decide,
    decide_due,
    decide_refresh,
)
from ramrole_creds._cache.settlement import Failed, Kept, Outcome, Replaced, Settlement, settle
from ramrole_creds._cache.snapshot import ADVISORY, FRESH, MANDATORY, Snapshot
from ramrole_creds.credentials import Credentials
from tests.cachesim.exploration import explore
from tests.cachesim.scenario import Player
from tests.cachesim.world import Stuck

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = [
    case
    for path in sorted((Path(__file__).parents[1] / "scenarios").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
SCHEDULES = 300


def state_of(view: View) -> str:
    return view.state.snapshot.state_at(view.now)


# Decisions


def expired_are_served(view: View, ask: Ask) -> Decision:
    held = view.state.snapshot.credentials
    return Serve(held) if held is not None and not ask.valid_for else decide(view, ask)


def every_caller_fetches(view: View, ask: Ask) -> Decision:
    decision = decide(view, ask)
    return Start(decision.brief) if isinstance(decision, Join) and not ask.for_result else decision


def a_mandatory_reader_waits_for_the_whole_fetch(view: View, ask: Ask) -> Decision:
    decision = decide(view, ask)
    return decision._replace(brief=False) if isinstance(decision, (Start, Join)) else decision


def an_advisory_reader_waits(view: View, ask: Ask) -> Decision:
    if state_of(view) == ADVISORY and view.state.in_flight is not None and not ask.waited:
        return Join(brief=True)
    return decide(view, ask)


def readers_leave_a_refresher_asleep(view: View, ask: Ask) -> Decision:
    decision = decide(view, ask)
    return decision._replace(wake=False) if isinstance(decision, Serve) else decision


def readers_never_replace_a_refresher(view: View, ask: Ask) -> Decision:
    decision, held = decide(view, ask), view.state.snapshot.credentials
    return Serve(held) if held is not None and state_of(view) == ADVISORY and isinstance(decision, Start) else decision


def readers_replace_a_refresher_at_once(view: View, ask: Ask) -> Decision:
    decision = decide(view, ask)
    return Start(brief=True) if isinstance(decision, Serve) and decision.wake else decision


def too_short_is_not_remembered(view: View, ask: Ask) -> Decision:
    decision = decide(view, ask)
    return decision._replace(too_short=None) if isinstance(decision, Fail) else decision


def a_failed_fetch_is_repeated_at_once(view: View, ask: Ask) -> Decision:
    eager = replace(view.state.backoff, retry_at=-math.inf)
    return decide(view._replace(state=view.state.change(backoff=eager)), ask)


def a_failure_is_not_reported(view: View, ask: Ask) -> Decision:
    return decide(view, ask._replace(error=None))


def fresh_ones_are_fetched_again(view: View, ask: Ask) -> Decision:
    idle = view.state.in_flight is None and not ask.waited
    return Start(brief=True) if idle and state_of(view) == FRESH and not ask.valid_for else decide(view, ask)


def a_brief_wait_is_repeated(view: View, ask: Ask) -> Decision:
    return decide(view, ask._replace(waited=False))


def patience_never_ends(view: View, ask: Ask) -> Decision:
    return decide(view, ask._replace(deadline=math.inf))


def a_wish_is_ignored(view: View, ask: Ask) -> Decision:
    return decide(view, ask._replace(valid_for=0.0))


def a_long_wish_is_refused_unasked(view: View, ask: Ask) -> Decision:
    return decide(view, ask._replace(landed=True) if ask.valid_for and not ask.for_result else ask)


def an_error_displaces_what_works(view: View, ask: Ask) -> Decision:
    error = view.state.backoff.error
    return Fail(error) if error is not None and state_of(view) == MANDATORY else decide(view, ask)


def a_closed_cache_fetches(view: View, ask: Ask) -> Decision:
    return decide(view._replace(state=view.state.change(closed=False)), ask)


def ones_own_fetch_is_joined(view: View, ask: Ask) -> Decision:
    return decide(view._replace(own=False), ask)


# Forced refreshes


def replaced_ones_are_replaced_again(view: View, rejected: Credentials | None) -> Decision:
    return decide_refresh(view, rejected and view.state.snapshot.credentials)


def a_rejection_is_passed_on_over_and_over(view: View, rejected: Credentials | None) -> Decision:
    forgetful = replace(view.state.backoff, refused_generation=-1)
    return decide_refresh(view._replace(state=view.state.change(backoff=forgetful)), rejected)


def a_rejection_is_ignored(view: View, rejected: Credentials | None) -> Decision:
    held = view.state.snapshot.credentials
    return Serve(held) if rejected is not None and held is not None else decide_refresh(view, rejected)


def a_forced_refresh_does_not_wait(view: View, rejected: Credentials | None) -> Decision:
    held, decision = view.state.snapshot.credentials, decide_refresh(view, rejected)
    return Serve(held) if held is not None and isinstance(decision, Join) else decision


def a_forced_refresh_keeps_the_delay(view: View, rejected: Credentials | None) -> Decision:
    held = view.state.snapshot.credentials
    return Serve(held) if held is not None and view.now < view.state.due else decide_refresh(view, rejected)


def a_closed_cache_is_refreshed(view: View, rejected: Credentials | None) -> Decision:
    return decide_refresh(view._replace(state=view.state.change(closed=False)), rejected)


# The refresher


def the_refresher_knows_no_delay(view: View) -> bool:
    eager = replace(view.state.backoff, retry_at=-math.inf)
    return decide_due(view._replace(state=view.state.change(backoff=eager)))


def the_refresher_starts_a_second_fetch(view: View) -> bool:
    return decide_due(view._replace(state=view.state.change(in_flight=None)))


def the_refresher_fetches_whenever_it_looks(view: View) -> bool:
    state = view.state
    return state.snapshot.credentials is not None and state.in_flight is None and not state.closed


# Settlements


def with_snapshot(settlement: Settlement, **changes: Any) -> Settlement:
    return settlement._replace(snapshot=replace(settlement.snapshot, **changes))


def with_retry_at(settlement: Settlement, when: float) -> Settlement:
    return settlement._replace(backoff=replace(settlement.backoff, retry_at=when))


def sooner_ones_replace_better_ones(view: View, outcome: Outcome) -> Settlement:
    return settle(view, outcome._replace(rejected=view.state.snapshot.credentials))


def the_same_again_count_as_new(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if not isinstance(settlement, Kept):
        return settlement
    again = replace(settlement.snapshot, generation=settlement.snapshot.generation + 1)
    return Replaced(again, settlement.backoff, settlement.happenings)


def an_error_leaves_no_delay(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return with_retry_at(settlement, view.now) if isinstance(settlement, Failed) else settlement


def the_delay_never_grows(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Failed):
        delay = min(settlement.backoff.retry_at, view.now + view.policy.retry_initial)
        return with_retry_at(settlement, delay)
    return settlement


def the_delay_has_no_ceiling(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Failed):
        return with_retry_at(settlement, view.now + 2.0**settlement.backoff.failures)
    return settlement


def the_delay_runs_past_the_last_chance(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Failed) and settlement.snapshot.remaining(view.now):
        return with_retry_at(settlement, max(settlement.backoff.retry_at, settlement.snapshot.expires_at + 5))
    return settlement


def an_unrecoverable_error_lasts_an_hour(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    lasting = isinstance(settlement, Failed) and getattr(settlement.error, "unrecoverable", False)
    return with_retry_at(settlement, view.now + 3600) if lasting else settlement


def a_late_answer_wipes_out_the_delay(view: View, outcome: Outcome) -> Settlement:
    return settle(view, outcome._replace(late=False))


def the_servers_time_is_ignored(view: View, outcome: Outcome) -> Settlement:
    return settle(view, outcome._replace(server_time=None))


def the_local_clock_is_never_doubted(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Replaced) and settlement.snapshot.doubtful:
        at = settlement.snapshot.expires_at - 1500
        return with_snapshot(settlement, doubtful=False, advisory_at=at, mandatory_at=at, fresh_until=at)
    return settlement


def leaps_go_unnoticed(view: View, outcome: Outcome) -> Settlement:
    return with_snapshot(settle(view, outcome), wall_offset=math.nan)


def doubt_never_ends(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if view.state.snapshot.doubtful and not isinstance(settlement, Failed):
        return settlement._replace(snapshot=settlement.snapshot.doubted())
    return settlement


def an_end_is_never_computed_again(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return (
        with_snapshot(settlement, expires_at=view.state.snapshot.expires_at)
        if isinstance(settlement, Kept)
        else settlement
    )


def an_end_by_the_servers_clock_is_ignored(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return settlement._replace(snapshot=view.state.snapshot) if isinstance(settlement, Failed) else settlement


def dead_ones_are_accepted(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Failed) and isinstance(outcome.result, Credentials):
        far = view.now + 100.0
        held = Snapshot(outcome.result, view.state.snapshot.generation + 1, view.now, view.now, far, far, far, far)
        return Replaced(held, settlement.backoff, ())
    return settlement


def windows_are_fixed(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Replaced) and settlement.snapshot.expires_at < math.inf:
        at = settlement.snapshot.expires_at - 1500
        return with_snapshot(settlement, advisory_at=at, fresh_until=at)
    return settlement


def jitter_opens_the_window_later(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    snapshot = settlement.snapshot
    if isinstance(settlement, Replaced) and snapshot.expires_at < math.inf:
        at = snapshot.expires_at - 0.9 * (snapshot.expires_at - snapshot.advisory_at)
        return with_snapshot(settlement, advisory_at=at, fresh_until=at)
    return settlement


def there_is_no_mandatory_window(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return with_snapshot(settlement, mandatory_at=settlement.snapshot.expires_at)


def they_live_a_minute_longer(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Replaced):
        return with_snapshot(settlement, expires_at=settlement.snapshot.expires_at + 60)
    return settlement


def an_unknown_expiry_is_fresh_for_ever(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    held = settlement.snapshot.credentials
    if held is not None and held.expiration is None and held.security_token is not None:
        return with_snapshot(settlement, advisory_at=math.inf, fresh_until=math.inf)
    return settlement


def a_key_that_may_change_is_never_checked(view: View, outcome: Outcome) -> Settlement:
    return settle(view, outcome._replace(refetch_after=None))


def the_same_again_leave_no_delay(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return with_retry_at(settlement, view.now) if isinstance(settlement, Kept) else settlement


def the_same_again_count_as_failures(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    if isinstance(settlement, Kept):
        return settlement._replace(backoff=replace(settlement.backoff, failures=view.state.backoff.failures + 1))
    return settlement


def a_success_forgets_no_failure(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return settlement._replace(backoff=view.state.backoff) if isinstance(settlement, Replaced) else settlement


def the_generation_stays(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    generation = max(1, view.state.snapshot.generation)
    return with_snapshot(settlement, generation=generation) if isinstance(settlement, Replaced) else settlement


def nothing_is_reported(view: View, outcome: Outcome) -> Settlement:
    return settle(view, outcome)._replace(happenings=())


def a_check_is_forgotten(view: View, outcome: Outcome) -> Settlement:
    settlement = settle(view, outcome)
    return settlement._replace(snapshot=view.state.snapshot) if isinstance(settlement, Kept) else settlement


DECISIONS = (
    expired_are_served,
    every_caller_fetches,
    a_mandatory_reader_waits_for_the_whole_fetch,
    an_advisory_reader_waits,
    readers_leave_a_refresher_asleep,
    readers_never_replace_a_refresher,
    readers_replace_a_refresher_at_once,
    too_short_is_not_remembered,
    a_failed_fetch_is_repeated_at_once,
    a_failure_is_not_reported,
    fresh_ones_are_fetched_again,
    a_brief_wait_is_repeated,
    patience_never_ends,
    a_wish_is_ignored,
    a_long_wish_is_refused_unasked,
    an_error_displaces_what_works,
    a_closed_cache_fetches,
    ones_own_fetch_is_joined,
)
REFRESHES = (
    replaced_ones_are_replaced_again,
    a_rejection_is_passed_on_over_and_over,
    a_rejection_is_ignored,
    a_forced_refresh_does_not_wait,
    a_forced_refresh_keeps_the_delay,
    a_closed_cache_is_refreshed,
)
DUES = (
    the_refresher_knows_no_delay,
    the_refresher_starts_a_second_fetch,
    the_refresher_fetches_whenever_it_looks,
)
SETTLEMENTS = (
    sooner_ones_replace_better_ones,
    the_same_again_count_as_new,
    an_error_leaves_no_delay,
    the_delay_never_grows,
    the_delay_has_no_ceiling,
    the_delay_runs_past_the_last_chance,
    an_unrecoverable_error_lasts_an_hour,
    a_late_answer_wipes_out_the_delay,
    the_servers_time_is_ignored,
    the_local_clock_is_never_doubted,
    leaps_go_unnoticed,
    doubt_never_ends,
    an_end_is_never_computed_again,
    an_end_by_the_servers_clock_is_ignored,
    dead_ones_are_accepted,
    windows_are_fixed,
    jitter_opens_the_window_later,
    there_is_no_mandatory_window,
    they_live_a_minute_longer,
    an_unknown_expiry_is_fresh_for_ever,
    a_key_that_may_change_is_never_checked,
    the_same_again_leave_no_delay,
    the_same_again_count_as_failures,
    a_success_forgets_no_failure,
    the_generation_stays,
    nothing_is_reported,
    a_check_is_forgotten,
)


@pytest.mark.parametrize("mistake", DECISIONS, ids=lambda mistake: mistake.__name__)
def test_a_mistaken_decision_is_noticed(mistake: Any, caplog: pytest.LogCaptureFixture) -> None:
    notice(partial(CredentialCache, decide=mistake), caplog)


@pytest.mark.parametrize("mistake", REFRESHES, ids=lambda mistake: mistake.__name__)
def test_a_mistaken_decision_about_a_forced_refresh_is_noticed(mistake: Any, caplog: pytest.LogCaptureFixture) -> None:
    notice(partial(CredentialCache, decide_refresh=mistake), caplog)


@pytest.mark.parametrize("mistake", DUES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_of_the_refresher_is_noticed(mistake: Any, caplog: pytest.LogCaptureFixture) -> None:
    notice(partial(CredentialCache, decide_due=mistake), caplog)


@pytest.mark.parametrize("mistake", SETTLEMENTS, ids=lambda mistake: mistake.__name__)
def test_a_mistaken_settlement_is_noticed(mistake: Any, caplog: pytest.LogCaptureFixture) -> None:
    notice(partial(CredentialCache, settle=mistake), caplog)


def notice(make_cache: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Every scenario, then schedules: one of them fails."""
    caplog.set_level(logging.CRITICAL, "ramrole_creds")
    with pytest.raises((AssertionError, Stuck)):
        prove(make_cache)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sim-")]


def prove(make_cache: Callable[..., Any]) -> None:
    for case in CASES:
        Player(case, make_cache).play()
    for seed in range(SCHEDULES):
        explore(seed, make_cache)
