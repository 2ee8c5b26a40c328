"""The fleet of the benchmarks: its arrays decide what real caches decide, and meet its goals at a small size."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import RefreshPolicy

if TYPE_CHECKING:
    from types import ModuleType

pytest.importorskip("numpy", reason="the fleet is computed with numpy")
pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("fleet")


@pytest.mark.parametrize("scenario", ["second life", "steady", "outage", "leap", "fork"])
@pytest.mark.parametrize("service", ["METADATA", "STS"])
def test_real_caches_ask_at_the_moments_that_the_arrays_say(fleet: ModuleType, scenario: str, service: str) -> None:
    assert fleet.check(fleet.Scenario(scenario, getattr(fleet, service), 80)) < 1e-3


@pytest.mark.parametrize(
    "policy",
    [
        RefreshPolicy(jitter=1.0),
        RefreshPolicy(jitter=0.0, retry_max=20.0),
        RefreshPolicy(retry_initial=30.0),
        RefreshPolicy(advisory_window=100.0, mandatory_window=50.0),
    ],
    ids=["jitter", "none", "slow", "narrow"],
)
def test_they_do_so_with_other_policies_too(
    fleet: ModuleType, policy: RefreshPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "POLICY", policy)
    assert fleet.check(fleet.Scenario("outage", fleet.STS, 40)) < 1e-3


@pytest.mark.parametrize("scenario", ["second life", "outage"])
@pytest.mark.parametrize("service", ["METADATA", "STS"])
def test_a_fleet_spreads_its_requests(fleet: ModuleType, scenario: str, service: str) -> None:
    row = fleet.Scenario(scenario, getattr(fleet, service), 20_000).measure(
        fleet.Ours(fleet.POLICY, fleet.Draws(2)), fleet.Draws(3)
    )
    assert row.ratio <= fleet.MAX_PEAK_TO_MEAN
    assert scenario != "outage" or row.return_ratio <= fleet.MAX_PEAK_TO_MEAN
    assert row.closest == 1


def test_the_stated_number_of_processes_stays_below_the_quota_of_sts(fleet: ModuleType) -> None:
    assert fleet.largest_within_quota() <= fleet.STS_QUOTA_PER_SECOND
