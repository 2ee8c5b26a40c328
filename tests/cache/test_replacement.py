"""When credentials end, by whose clock; the figures are seconds."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds import Credentials, FetchContext
from ramrole_creds._cache.replacement import SANE_CLOCK_DIFFERENCE_SECONDS, expiry_on_clock

EXPIRES = 1_800_003_600.0
CREDENTIALS = Credentials("STS.NT1", "secret", "token", datetime.fromtimestamp(EXPIRES, timezone.utc))
NOW = 1000.0


def end(wall: float, served: float | None, *, ago: float = 0.0) -> float:
    context = FetchContext.create()
    context.server_time = None if served is None else (served, NOW - ago)
    return expiry_on_clock(CREDENTIALS, context, NOW, wall)


@pytest.mark.parametrize("ahead", [0.0, 0.25, 0.999])
def test_a_local_clock_that_agrees_with_the_server_is_the_finer_one(ahead: float) -> None:
    served = EXPIRES - 600
    assert end(served + ahead, served) == pytest.approx(NOW + 600 - ahead, abs=1e-6)
    assert end(served + ahead + 5, served, ago=5) == pytest.approx(NOW + 595 - ahead, abs=1e-6)


@pytest.mark.parametrize("ahead", [-3600.0, -0.5, 1.0, 1.5, 3600.0, SANE_CLOCK_DIFFERENCE_SECONDS])
def test_one_that_does_not_is_not_believed_and_the_server_may_be_a_second_further(ahead: float) -> None:
    served = EXPIRES - 600
    assert end(served + ahead, served) == NOW + 599
    assert end(served + ahead + 5, served, ago=5) == NOW + 594


@pytest.mark.parametrize("ahead", [-SANE_CLOCK_DIFFERENCE_SECONDS - 1, SANE_CLOCK_DIFFERENCE_SECONDS + 1])
def test_a_server_whose_time_is_absurd_is_not_believed(ahead: float) -> None:
    wall = EXPIRES - 600
    assert end(wall, wall - ahead) == NOW + 600


def test_without_the_servers_time_the_local_clock_counts() -> None:
    assert end(EXPIRES - 600, None) == NOW + 600


def test_what_has_no_end_never_ends() -> None:
    assert expiry_on_clock(Credentials("LTAI5tkey", "secret"), FetchContext.create(), NOW, EXPIRES) == math.inf


@given(true=st.floats(EXPIRES - 21600, EXPIRES), off_by=st.floats(-86400, 86400))
def test_they_never_seem_to_live_longer_than_the_server_lets_them(true: float, off_by: float) -> None:
    """Whatever the local clock says, but for the second in which it cannot be told from the server's."""
    assert end(true + off_by, float(int(true))) <= NOW + EXPIRES - true + 1.0001
