"""When credentials end, by whose clock; the figures are seconds."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import Credentials, RefreshPolicy
from ramrole_creds._cache.replacement import MAX_LIFE_SECONDS, Reckoning, reckon_expiry, should_keep_held
from ramrole_creds._cache.snapshot import NO_SNAPSHOT, plan_snapshot

EXPIRES = 1_800_003_600.0
CREDENTIALS = Credentials("STS.NT1", "secret", "token", datetime.fromtimestamp(EXPIRES, timezone.utc))
NOW = 1000.0
YEARS = 20 * 365 * 86400.0


def reckon(wall: float, served: float | None, *, ago: float = 0.0) -> Reckoning:
    return reckon_expiry(CREDENTIALS, None if served is None else (served, NOW - ago), NOW, wall)


@pytest.mark.parametrize("ahead", [0.0, 0.25, 0.999])
def test_a_local_clock_that_agrees_with_the_server_is_the_finer_one(ahead: float) -> None:
    served = EXPIRES - 600
    assert reckon(served + ahead, served).expires_at == pytest.approx(NOW + 600 - ahead, abs=1e-6)
    assert reckon(served + ahead + 5, served, ago=5).expires_at == pytest.approx(NOW + 595 - ahead, abs=1e-6)


@pytest.mark.parametrize("ahead", [-YEARS, -3600.0, -0.5, 1.0, 1.5, 3600.0, 3 * 86400.0, YEARS])
def test_a_server_whose_time_fits_is_believed_however_far_the_local_clock_is_off(ahead: float) -> None:
    """The server may be almost a second further than its header says."""
    served = EXPIRES - 600
    assert reckon(served + ahead, served) == (NOW + 599, True)
    assert reckon(served + ahead + 5, served, ago=5) == (NOW + 594, True)


@pytest.mark.parametrize("served", [EXPIRES - MAX_LIFE_SECONDS - 1, EXPIRES + MAX_LIFE_SECONDS + 1, EXPIRES + YEARS])
def test_a_server_whose_time_does_not_fit_gives_way_to_a_local_clock_that_does(served: float) -> None:
    assert reckon(EXPIRES - 600, served) == (NOW + 600, True)


@pytest.mark.parametrize("ago", [0.0, 5.0])
def test_a_server_is_believed_up_to_36_hours_before_the_end(ago: float) -> None:
    served = EXPIRES - MAX_LIFE_SECONDS - ago
    assert reckon(EXPIRES - 600, served, ago=ago) == (NOW + MAX_LIFE_SECONDS - 1, True)
    assert reckon(EXPIRES - 600, served - 1, ago=ago) == (NOW + 600, True)


def test_a_server_that_finds_them_just_ended_is_believed() -> None:
    assert reckon(EXPIRES - 3600, EXPIRES + 2) == (NOW - 3, True)


def test_two_clocks_that_find_them_far_away_are_believed_and_two_that_contradict_each_other_are_not() -> None:
    """Of two that agree the server's counts; where they do not, only the local one is left."""
    assert reckon(EXPIRES - YEARS, EXPIRES - YEARS - 60) == (NOW + YEARS + 59, True)
    assert reckon(EXPIRES + YEARS, EXPIRES + YEARS - 60) == (NOW - YEARS + 59, True)
    assert reckon(EXPIRES - YEARS, EXPIRES + YEARS) == (NOW + YEARS, False)
    assert reckon(EXPIRES - YEARS, 0.0) == (NOW + YEARS, False), "of 1970 and of 20 years ago"
    assert reckon(EXPIRES + YEARS, 0.0) == (NOW - YEARS, False)
    assert reckon(EXPIRES - YEARS, EXPIRES - YEARS - MAX_LIFE_SECONDS) == (NOW + YEARS + MAX_LIFE_SECONDS - 1, True)
    assert reckon(EXPIRES - YEARS, EXPIRES - YEARS - MAX_LIFE_SECONDS - 1) == (NOW + YEARS, False)
    assert reckon(EXPIRES + 2 * YEARS, EXPIRES + YEARS) == (NOW - YEARS - 1, True), "ended by both"


HELD = plan_snapshot(
    CREDENTIALS,
    generation=1,
    fetched_at=0.0,
    checked_at=0.0,
    expires_at=NOW + 600,
    refetch_after=None,
    wall_offset=0.0,
    policy=RefreshPolicy(),
    random_fraction=0.0,
)
SOONER = datetime.fromtimestamp(EXPIRES - 60, timezone.utc)
LATER = datetime.fromtimestamp(EXPIRES + 60, timezone.utc)


def other(expiration: datetime | None) -> Credentials:
    return Credentials("STS.NT2", "secret", "token", expiration)


def same(expiration: datetime | None) -> Credentials:
    return Credentials("STS.NT1", "secret", "token", expiration)


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (same(CREDENTIALS.expiration), True),
        (same(None), True),
        (same(LATER), False),
        (same(SOONER), False),
        (other(SOONER), True),
        (other(CREDENTIALS.expiration), False),
        (other(LATER), False),
        (other(None), False),
    ],
    ids=["same", "same without end", "same later", "same sooner", "sooner", "equal end", "later", "without end"],
)
def test_held_credentials_stay_where_the_issuer_says_that_the_new_ones_end_sooner(new: Credentials, kept: bool) -> None:
    assert should_keep_held(HELD, new, NOW, None) is kept
    assert not should_keep_held(HELD, new, HELD.expires_at, None), "those that have ended never stay"
    assert not should_keep_held(NO_SNAPSHOT, new, NOW, None)


def test_rejected_and_doubtful_credentials_are_replaced_by_ones_that_end_sooner() -> None:
    assert not should_keep_held(HELD, other(SOONER), NOW, CREDENTIALS)
    assert should_keep_held(HELD, other(SOONER), NOW, other(LATER))
    assert not should_keep_held(HELD.doubted(), other(SOONER), NOW, None)
    assert should_keep_held(HELD.doubted(), CREDENTIALS, NOW, None)


@pytest.mark.parametrize(
    ("left", "certain"),
    [(600.0, True), (0.5, True), (MAX_LIFE_SECONDS, True), (MAX_LIFE_SECONDS + 1, False), (0.0, False), (-5, False)],
)
def test_without_the_servers_time_the_local_clock_counts_and_is_doubted_where_it_finds_no_usual_life(
    left: float, certain: bool
) -> None:
    assert reckon(EXPIRES - left, None) == (NOW + left, certain)


def test_credentials_without_an_expiry_never_end() -> None:
    assert reckon_expiry(Credentials("LTAI5tkey", "secret"), None, NOW, EXPIRES) == (math.inf, True)


@given(true=st.floats(EXPIRES - 21600, EXPIRES), off_by=st.floats(-YEARS, YEARS))
def test_they_never_seem_to_live_longer_than_the_server_lets_them(true: float, off_by: float) -> None:
    """Whatever the local clock says, but for the second in which it cannot be told from the server's."""
    assert reckon(true + off_by, float(int(true))).expires_at <= NOW + EXPIRES - true + 1.0001
