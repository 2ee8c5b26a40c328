"""Random schedules of the real cache; a seed that fails is in the message and does the same again.

`RAMROLE_CREDS_SCHEDULES=10000` (as `tox run -e sim` sets it) plays more than the few hundred of every run, and
`RAMROLE_CREDS_FIRST_SEED` other ones.
"""

from __future__ import annotations

import logging
import os

import pytest

from ramrole_creds._cache.credential_cache import CredentialCache
from tests.cachesim.exploration import Life, explore

SCHEDULES = int(os.environ.get("RAMROLE_CREDS_SCHEDULES", "400"))
FIRST_SEED = int(os.environ.get("RAMROLE_CREDS_FIRST_SEED", "0"))
CHUNKS = 8


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "ramrole_creds")


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_schedule_breaks_a_law(chunk: int) -> None:
    for seed in range(FIRST_SEED + chunk, FIRST_SEED + SCHEDULES, CHUNKS):
        explore(seed)


def test_the_same_seed_lives_the_same_life_again() -> None:
    def story(seed: int) -> list[str]:
        life = Life(seed, CredentialCache)
        try:
            life.live()
        finally:
            life.world.close()
        return life.story_lines

    for seed in range(5):
        assert story(seed) == story(seed) != story(seed + 1)
