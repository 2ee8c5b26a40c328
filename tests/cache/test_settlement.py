"""What becomes of a fetch's outcome: a pure function, so each rule is one call."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ramrole_creds import Credentials, FetchError, FetchTimeout, RefreshPolicy
from ramrole_creds._cache.backoff import FREE_HANGING_FETCHES, Backoff
from ramrole_creds._cache.decisions import View
from ramrole_creds._cache.settlement import (
    CLOCK_TOLERANCE_SECONDS,
    LONG_PAST_SECONDS,
    MIN_SESSION_SECONDS,
    Failed,
    Kept,
    Outcome,
    Replaced,
    needs_second_look,
    settle,
)
from ramrole_creds._cache.snapshot import (
    FRESH,
    MANDATORY,
    NO_SNAPSHOT,
    UNKNOWN_EXPIRY_REFETCH_SECONDS,
    Snapshot,
    plan_snapshot,
)
from ramrole_creds._cache.state import CacheState

LIFE = 21600.0
WALL = 1_800_000_000.0
ENDS = datetime.fromtimestamp(WALL + LIFE, timezone.utc)
POLICY = RefreshPolicy()


def credentials(number: int = 1, *, later: float = 0.0) -> Credentials:
    return Credentials(f"STS.NT{number}", "secret", "token", ENDS + timedelta(seconds=later))


def held(*, expires_at: float = LIFE) -> Snapshot:
    return plan_snapshot(
        credentials(),
        generation=1,
        fetched_at=0.0,
        checked_at=0.0,
        expires_at=expires_at,
        refetch_after=None,
        wall_offset=WALL,
        policy=POLICY,
        random_fraction=0.0,
    )


def view(snapshot: Snapshot, now: float = 1000.0, backoff: Backoff | None = None) -> View:
    state = CacheState(snapshot, backoff or Backoff(), snapshot.state_at(now))
    return View(state, now, 0.0, False, POLICY, "source")


def dated(now: float, *, ahead: float = 0.0) -> tuple[float, float]:
    """The server's time, when its clock is ahead of ours by these seconds."""
    return WALL + now + ahead, now


@pytest.mark.parametrize("paused", [CLOCK_TOLERANCE_SECONDS + 2, 3600.0])
def test_the_end_of_the_same_credentials_is_computed_again_from_a_servers_time(paused: float) -> None:
    now = 1000.0
    outcome = Outcome(credentials(), WALL + now + paused, server_time=dated(now, ahead=paused))
    settlement = settle(view(held(), now), outcome)
    assert isinstance(settlement, Kept)
    assert settlement.snapshot.expires_at == pytest.approx(LIFE - paused)
    assert settlement.snapshot.generation == 1
    assert settlement.snapshot.wall_offset == WALL + paused


@pytest.mark.parametrize("off_by", [-3600.0, 3600.0])
def test_a_local_clock_alone_moves_the_end_only_of_credentials_in_doubt(off_by: float) -> None:
    now = 1000.0
    outcome = Outcome(credentials(), WALL + now + off_by)
    settled = settle(view(held(), now), outcome)
    assert isinstance(settled, Kept)
    assert settled.snapshot.expires_at == LIFE
    doubted = settle(view(held().doubted(), now), outcome)
    assert isinstance(doubted, Kept)
    assert doubted.snapshot.expires_at == LIFE - off_by
    assert not doubted.snapshot.doubtful
    assert doubted.snapshot.state_at(now) == FRESH


@pytest.mark.parametrize("apart", [-CLOCK_TOLERANCE_SECONDS + 1, 0.0, CLOCK_TOLERANCE_SECONDS - 1])
def test_a_server_whose_time_differs_by_seconds_moves_no_end(apart: float) -> None:
    now = 1000.0
    settlement = settle(view(held(), now), Outcome(credentials(), WALL + now, server_time=dated(now, ahead=apart)))
    assert isinstance(settlement, Kept)
    assert settlement.snapshot.expires_at == LIFE


def test_a_sooner_set_says_nothing_about_the_end_of_the_held_one() -> None:
    now = 1000.0
    outcome = Outcome(credentials(2, later=-60), WALL + now + 3600, server_time=dated(now, ahead=3600))
    settlement = settle(view(held(), now), outcome)
    assert isinstance(settlement, Kept)
    assert settlement.snapshot.expires_at == LIFE


@pytest.mark.parametrize(("left", "planned"), [(1700.0, True), (POLICY.advisory_left(LIFE, 1.0), False)])
def test_a_check_plans_the_windows_again_unless_the_end_is_near(left: float, planned: bool) -> None:
    now, snapshot = LIFE - left, held()
    settlement = settle(view(snapshot, now), Outcome(credentials(), WALL + now))
    assert (settlement.snapshot is not snapshot) is planned


def test_jitter_is_drawn_for_each_plan_and_for_each_delay() -> None:
    wide = LIFE - POLICY.advisory_left(LIFE, 1.0)
    outcome = Outcome(credentials(), WALL, random_fractions=(1.0, 0.0))
    assert settle(view(NO_SNAPSHOT, 0.0), outcome).snapshot.advisory_at == wide
    again = settle(view(held(), 1000.0), outcome._replace(wall=WALL + 1000.0))
    assert again.snapshot.advisory_at == wide
    assert again.backoff.retry_at == 1000.0 + 150.0, "half of the longest delay"


def test_what_happened_says_how_long_the_fetch_took() -> None:
    for result in (credentials(), credentials(2, later=60), FetchError("no")):
        settlement = settle(view(held()), Outcome(result, WALL + 1000.0, seconds=2.5))
        assert settlement.happenings[0].fields["seconds"] == 2.5


def test_near_the_end_only_the_delay_changes() -> None:
    now = LIFE - 1000
    snapshot = held()
    settlement = settle(view(snapshot, now), Outcome(credentials(), WALL + now))
    assert isinstance(settlement, Kept)
    assert settlement.snapshot is snapshot
    assert now < settlement.backoff.retry_at <= now + 100


@pytest.mark.parametrize(("later", "ended"), [(0.0, True), (60.0, True), (-60.0, False)])
def test_credentials_that_end_no_later_than_ended_ones_have_ended_too(later: float, ended: bool) -> None:
    now = LIFE - 10
    outcome = Outcome(credentials(2, later=later), WALL + now + 7200, server_time=dated(now, ahead=7200))
    settlement = settle(view(held(), now), outcome)
    assert isinstance(settlement, Failed)
    assert "had expired" in str(settlement.error)
    assert (settlement.snapshot.expires_at == now) is ended


def test_credentials_that_end_at_this_instant_have_ended() -> None:
    settlement = settle(view(NO_SNAPSHOT, LIFE), Outcome(credentials(), WALL + LIFE))
    assert isinstance(settlement, Failed)
    assert isinstance(settle(view(NO_SNAPSHOT, LIFE), Outcome(credentials(later=1), WALL + LIFE)), Replaced)


def past(seconds: float, number: int = 1, **facts: Any) -> Outcome:
    """Credentials that ended so many seconds ago by the local clock, at 1000 on the cache's."""
    return Outcome(credentials(number), WALL + LIFE + seconds, **facts)


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (past(LONG_PAST_SECONDS), True),
        (past(LONG_PAST_SECONDS - 1), False),
        (past(-3600.0), False),
        (past(86400.0, server_time=(WALL + 1000.0, 1000.0)), False),
        (past(86400.0, server_time=(0.0, 1000.0)), True),
        (Outcome(FetchError("no"), WALL), False),
        (Outcome(Credentials("LTAI5tkey", "secret"), WALL), False),
    ],
    ids=["long past", "just past", "alive", "dated", "dated 1970", "error", "key"],
)
def test_a_source_is_asked_again_where_only_the_local_clock_finds_them_long_past(outcome: Outcome, again: bool) -> None:
    assert needs_second_look(NO_SNAPSHOT, outcome, 1000.0) is again


@pytest.mark.parametrize(
    ("number", "later", "again"), [(2, 3600.0, False), (1, 0.0, False), (2, -60.0, True), (2, -3600.0, True)]
)
def test_what_the_held_ones_prove_needs_no_second_look(number: int, later: float, again: bool) -> None:
    outcome = Outcome(credentials(number, later=later), WALL + 10 * 86400)
    assert needs_second_look(held(), outcome, 1000.0) is again
    assert needs_second_look(held(expires_at=1000.0 - 4000), outcome, 1000.0), "the held ones ended long ago"


def test_those_of_a_source_that_issues_at_each_call_live_for_the_shortest_session_and_are_doubted_once() -> None:
    first = settle(view(NO_SNAPSHOT), past(86400.0, issued_anew=True))
    assert isinstance(first, Replaced)
    assert first.snapshot.expires_at == 1000.0 + MIN_SESSION_SECONDS
    assert first.snapshot.state_at(1000.0) == MANDATORY
    assert first.backoff.retry_at > 1000.0
    second = settle(view(first.snapshot), past(86400.0, 2))
    assert isinstance(second, Replaced)
    assert second.snapshot.state_at(1000.0) == FRESH
    assert second.snapshot.advisory_at == 1000.0 + UNKNOWN_EXPIRY_REFETCH_SECONDS
    third = settle(view(second.snapshot), past(86400.0, 3))
    assert third.snapshot.state_at(1000.0) == FRESH
    assert isinstance(settle(view(NO_SNAPSHOT), past(86400.0)), Failed)


def test_what_ended_a_moment_ago_is_an_error_though_the_source_issues_at_each_call() -> None:
    alive = Outcome(credentials(later=1.0), WALL + LIFE, issued_anew=True)
    settlement = settle(view(NO_SNAPSHOT), alive)
    assert settlement.snapshot.expires_at == 1001.0, "a clock that finds them alive is believed"


@pytest.mark.parametrize(
    ("ahead", "life", "again_after"),
    [
        (-7200.0, LIFE + 7200, LIFE - 1500),
        (7200.0, LIFE - 7200, LIFE - 7200 - 1500),
        (LIFE - 500, 500.0, 500 * 0.75),
        (-4.0, LIFE + 4, LIFE + 4 - 1500),
    ],
    ids=["behind", "ahead", "near the end", "no leap"],
)
def test_after_a_leap_an_undated_source_is_asked_before_the_end_by_either_clock(
    ahead: float, life: float, again_after: float
) -> None:
    now, policy = 1000.0, RefreshPolicy(jitter=0.0)
    leapt = settle(view(held(), now)._replace(policy=policy), Outcome(credentials(2, later=now), WALL + now + ahead))
    assert isinstance(leapt, Replaced)
    assert leapt.snapshot.expires_at == now + life
    assert leapt.snapshot.advisory_at == now + again_after
    later = Outcome(credentials(3, later=now), WALL + now + ahead)
    assert settle(view(leapt.snapshot, now)._replace(policy=policy), later).snapshot.advisory_at == now + again_after
    with_date = later._replace(server_time=dated(now))
    by_server = settle(view(leapt.snapshot, now)._replace(policy=policy), with_date)
    assert by_server.snapshot.advisory_at == pytest.approx(now + LIFE - 1500, abs=5)


def test_an_earlier_clock_does_not_count_beside_a_server_that_tells_the_time() -> None:
    now = 1000.0
    ahead = replace(held(), wall_offset=WALL + 7200)
    outcome = Outcome(credentials(2, later=now), WALL + now, server_time=dated(now), random_fractions=(0.0, 0.0))
    assert settle(view(ahead, now), outcome).snapshot.advisory_at == now + LIFE - 1500
    undated = outcome._replace(server_time=None)
    assert settle(view(ahead, now), undated).snapshot.advisory_at == now + LIFE - 7200 - 1500


def test_new_ones_that_only_a_wrong_clock_finds_absurdly_far_end_by_the_held_ones() -> None:
    settlement = settle(view(held(), 1000.0), Outcome(credentials(2, later=3600), WALL - 20 * 365 * 86400))
    assert isinstance(settlement, Replaced)
    assert settlement.snapshot.expires_at == LIFE + 3600
    assert settlement.snapshot.doubtful


def test_an_earlier_clock_costs_one_fetch_in_five_minutes_at_most() -> None:
    now = 1000.0
    behind = replace(held(), wall_offset=WALL + LIFE - 100)
    settlement = settle(view(behind, now), Outcome(credentials(2, later=now), WALL + now))
    assert settlement.snapshot.advisory_at == now + UNKNOWN_EXPIRY_REFETCH_SECONDS
    beyond = replace(held(), wall_offset=WALL + LIFE + 100)
    settlement = settle(view(beyond, now), Outcome(credentials(2, later=now), WALL + now, random_fractions=(0.0, 0.0)))
    assert settlement.snapshot.advisory_at == now + LIFE - 1500, "by that clock they would have ended before"


def test_credentials_without_an_expiry_are_not_ended_by_others() -> None:
    key = Credentials("LTAI5tkey", "secret")
    snapshot = settle(view(NO_SNAPSHOT), Outcome(key, WALL)).snapshot
    now = 1000.0
    outcome = Outcome(credentials(2, later=-LIFE), WALL + now + 60, server_time=dated(now, ahead=60))
    settlement = settle(view(snapshot, now), outcome)
    assert isinstance(settlement, Failed)
    assert settlement.snapshot.expires_at == math.inf


def test_an_undated_end_that_is_absurdly_far_is_doubted_once() -> None:
    outcome = Outcome(credentials(later=10 * 86400), WALL)
    first = settle(view(NO_SNAPSHOT, 0.0), outcome)
    assert isinstance(first, Replaced)
    assert first.snapshot.doubtful
    assert 0 < first.backoff.retry_at <= POLICY.retry_max
    second = settle(view(first.snapshot, 300.0, first.backoff), outcome._replace(wall=WALL + 300))
    assert isinstance(second, Kept)
    assert not second.snapshot.doubtful
    assert second.snapshot.state_at(300.0) == FRESH


def test_new_ones_that_only_a_wrong_clock_finds_past_live_longer_than_the_held_by_as_much_as_the_issuer_says() -> None:
    settlement = settle(view(held(), 1000.0), Outcome(credentials(2, later=3600), WALL + 10 * 86400))
    assert isinstance(settlement, Replaced)
    assert settlement.snapshot.expires_at == LIFE + 3600
    assert settlement.snapshot.doubtful


def test_a_late_failure_or_repetition_changes_nothing() -> None:
    seen = view(held())
    for result in (FetchError("no"), credentials()):
        settlement = settle(seen, Outcome(result, WALL + 1000.0, late=True))
        assert settlement.snapshot is seen.state.snapshot
        assert settlement.backoff is seen.state.backoff
        assert settlement.happenings == ()
        assert getattr(settlement, "error", result) is result


def hanging_error(hanging: int) -> FetchTimeout:
    error = FetchTimeout("it hangs")
    error.hanging = hanging
    return error


def test_fetches_that_hang_are_spaced_out_from_the_fourth_on() -> None:
    delays = []
    for hanging in range(1, 7):
        settlement = settle(view(NO_SNAPSHOT), Outcome(hanging_error(hanging), WALL, random_fractions=(0.0, 0.0)))
        delays.append(settlement.backoff.retry_at - 1000.0)
    assert delays == [1.0, 1.0, 1.0, 60.0, 120.0, 240.0]


def test_the_return_of_one_that_hung_brings_the_next_attempt_forward() -> None:
    waiting = Backoff(failures=4, retry_at=5000.0)
    assert waiting.after_return(POLICY, FREE_HANGING_FETCHES, 1000.0).retry_at == 1001.0
    assert waiting.after_return(POLICY, FREE_HANGING_FETCHES, 1000.0).failures == 4
    assert waiting.after_return(POLICY, FREE_HANGING_FETCHES - 1, 1000.0) is waiting
    assert waiting.after_return(POLICY, FREE_HANGING_FETCHES, 4999.5).retry_at == 5000.0


def test_a_leap_has_upstream_asked_at_once_unless_it_is_failing() -> None:
    assert Backoff(retry_at=5000.0).after_leap().retry_at == -math.inf
    failing = Backoff(failures=1, retry_at=5000.0)
    assert failing.after_leap() is failing


def test_the_same_again_end_a_row_of_failures() -> None:
    failing = Backoff(failures=3, error=FetchError("no"), retry_at=0.0)
    settlement = settle(view(held(), backoff=failing), Outcome(credentials(), WALL + 1000.0))
    assert isinstance(settlement, Kept)
    assert settlement.backoff.failures == 0
    assert settlement.backoff.error is None


@pytest.mark.parametrize(("asked", "delay"), [(0.5, 1.0), (7.0, 7.0), (1e6, 300.0)])
def test_a_source_that_asks_to_be_left_alone_is_within_the_ceiling(asked: float, delay: float) -> None:
    outcome = Outcome(FetchError("busy", retry_after=asked), WALL, random_fractions=(0.0, 0.0))
    assert settle(view(held()), outcome).backoff.retry_at == 1000.0 + delay


@pytest.mark.parametrize(("failures", "delay"), [(0, 15.0), (6, 15.0), (7, 30.0), (100, 30.0)])
def test_a_source_that_asks_to_be_left_alone_in_a_long_outage_is_so_for_as_long_as_other_failures(
    failures: int, delay: float
) -> None:
    outcome = Outcome(FetchError("busy", retry_after=3600.0), WALL, random_fractions=(0.0, 0.0))
    settlement = settle(view(NO_SNAPSHOT, backoff=Backoff(failures=failures)), outcome)
    assert settlement.backoff.retry_at == 1000.0 + delay


def test_clients_that_a_source_asks_for_the_same_pause_return_at_moments_of_their_own() -> None:
    outcomes = [Outcome(FetchError("busy", retry_after=10.0), WALL, random_fractions=(0.0, x)) for x in (0.0, 0.5, 1.0)]
    delays = [settle(view(held()), outcome).backoff.retry_at - 1000.0 for outcome in outcomes]
    assert delays == pytest.approx([10.0, 10.5, 11.0])


@pytest.mark.parametrize(("failures", "delay"), [(0, 5.0), (9, 300.0)])
def test_an_unrecoverable_error_is_remembered_for_seconds_and_no_shorter_than_the_delay(
    failures: int, delay: float
) -> None:
    outcome = Outcome(FetchError("no", unrecoverable=True), WALL, random_fractions=(0.0, 1.0))
    settlement = settle(view(held(), backoff=Backoff(failures=failures)), outcome)
    assert settlement.backoff.retry_at == 1000.0 + delay
    assert settlement.backoff.failures == failures + 1
    assert str(settlement.backoff.error) == "no"


def test_fetches_that_hang_count_as_failures_with_their_error() -> None:
    settlement = settle(view(NO_SNAPSHOT, backoff=Backoff(failures=3)), Outcome(hanging_error(4), WALL))
    assert settlement.backoff.failures == 4
    assert str(settlement.backoff.error) == "it hangs"
