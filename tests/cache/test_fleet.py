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


@pytest.mark.parametrize(
    ("changes", "miss"),
    [
        ({"peak": 16.0}, "peak to mean 1.60"),
        ({"closest": 2}, "2 requests of one process in ten seconds"),
        ({"curve": [10] * 10 + [2] * 200}, "peak to mean of the return"),
        ({}, ""),
    ],
    ids=["peak", "twice", "return", "none"],
)
def test_the_benchmark_names_each_goal_that_is_missed(fleet: ModuleType, changes: dict[str, object], miss: str) -> None:
    row = fleet.Row("outage", "STS", fleet.Ours.name, 20_000, 600, 12.0, 20, 10.0, 1, 2700.0, [10] * 60)
    for name, value in changes.items():
        setattr(row, name, value)
    missed = fleet.missed([row], 90, {})
    assert bool(missed) is bool(miss)
    assert all(row.scenario in one for one in missed)
    assert not miss or any(miss in one for one in missed)


def test_the_benchmark_names_a_quota_that_is_passed_and_caches_that_differ(fleet: ModuleType) -> None:
    first, second = fleet.missed([], 101, {"outage at STS": 0.5})
    assert "101 calls of STS in one second" in first
    assert "real caches differ by 0.5 s" in second
