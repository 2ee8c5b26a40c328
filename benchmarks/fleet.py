"""How many requests a fleet makes, second by second: at the metadata service and at STS.

    python benchmarks/fleet.py                       # 1,000 to 1,000,000 processes, checked against 1,000 real caches
    python benchmarks/fleet.py --plot docs/pictures  # and draws the pictures of the manual; needs matplotlib
    python benchmarks/fleet.py --json

Time is virtual. Each process has a cache with the default `RefreshPolicy`. Scenarios: all processes start within half
a minute (`storm`) and come back for the second credentials (`second life`); they started long ago at random times
(`steady`); their region does not answer for half an hour (`outage`); all wall clocks are set an hour ahead (`leap`);
programs that start within half a minute have eight forked workers each (`fork`).

`peak` is the busiest ten seconds, `mean` the average over the time that our policy spreads the requests over: half a
minute and the width of the jitter after the storm, the longest delay after an outage. Peers have the same mean. After
an outage our peak is also compared with the mean until 90 % of the processes are back. `to life` compares the peak with
the mean over a whole life, one request of each process: this is shown and not judged, since a service that issues the
next credentials half an hour before the end leaves no longer time than that. `closest` is the most requests of one
process in any ten seconds from the beginning of what is counted; after an outage this is its end.

Ends with status 1 where a goal is missed: peak to mean is at most 1.5 in the second life and after an outage, for
fleets of at least 10,000; no process asks twice within ten seconds after an outage; STS never gets more calls than its
quota from as many processes as the manual states; real caches make the same requests at the same moments.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fleet_check import RealFleet
from fleet_model import METADATA, STS, Fleet, Ours, Peer, Requests, Service, botocore, official

from ramrole_creds import RefreshPolicy
from ramrole_creds._cache.policy import LONG_OUTAGE_CEILING_SECONDS

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REAL = 1_000
MAX_PEAK_TO_MEAN = 1.5
STS_QUOTA_PER_SECOND = 100
STS_PROCESSES = 2_000
BOOT_SECONDS = 30.0
MIN_JUDGED = 10_000  # the peak of a smaller fleet, a few requests a second, is chance
OUTAGE_SECONDS = 1800.0
SLICE_SECONDS = 60.0
WORKERS = 8
PEAK_SECONDS = 10
BACKLOG_SECONDS = 150
POLICY = RefreshPolicy()


@dataclass
class Row:
    """One policy in one scenario.

    Args:
        scenario: what happens.
        service: who is asked.
        policy: whose policy.
        processes: how many.
        requests: during the scenario.
        peak: requests a second in the busiest ten seconds.
        busiest: requests in the busiest second.
        mean: requests a second over the time that our policy has.
        closest: the most requests of one process in ten seconds.
        cycle: seconds between two requests of a process where nothing happens.
    """

    scenario: str
    service: str
    policy: str
    processes: int
    requests: int
    peak: float
    busiest: int
    mean: float
    closest: int
    cycle: float
    curve: list[int] = field(repr=False, default_factory=list)

    @property
    def ratio(self) -> float:
        """Peak to mean."""
        return self.peak / self.mean

    @property
    def life_ratio(self) -> float:
        """Peak to the mean over a whole life."""
        return self.peak * self.cycle / self.processes

    @property
    def return_ratio(self) -> float:
        """Peak to the mean until 90 % of the backlog is back: a time that no policy chooses for itself."""
        backlog = np.cumsum(self.curve[:BACKLOG_SECONDS])
        until = max(PEAK_SECONDS, 1 + int(np.searchsorted(backlog, 0.9 * backlog[-1])))
        return float(self.peak * until / backlog[until - 1])


class Draws:
    """Random fractions: the same for real caches and for arrays where `matrix` gives them."""

    def __init__(self, seed: int, matrix: Any = None, skip: int = 2) -> None:
        self._random = np.random.default_rng(seed)
        self._matrix = matrix
        self._skip = skip

    def __call__(self, who: Any, fetch: Any) -> tuple[Any, Any]:
        """Two fractions for each process at its fetch of this number."""
        if self._matrix is None:
            return self._random.random(len(who)), self._random.random(len(who))
        column = self._skip + 2 * fetch
        return self._matrix[who, column], self._matrix[who, column + 1]


class Scenario:
    """One course of events, for any policy.

    Args:
        name: of the scenario.
        begin: of what is counted, in seconds.
        seconds: for how long it is counted.
        mean_seconds: the time over which the mean is taken.
    """

    def __init__(self, name: str, service: Service, processes: int, seed: int = 1) -> None:
        self.name, self.service, self.processes = name, service, processes
        self.random = np.random.default_rng(seed)
        self.starts, self.down = self._events()
        window = POLICY.advisory_left(service.life, 0.0)
        jitter = POLICY.jitter * window
        self.begin, self.seconds, self.mean_seconds = {
            "storm": (0.0, BOOT_SECONDS, BOOT_SECONDS),
            "second life": (service.life - window - jitter, window, BOOT_SECONDS + jitter),
            "steady": (3 * service.life, service.life, service.life),
            "outage": (self.down[1], 600.0, LONG_OUTAGE_CEILING_SECONDS),
            "leap": (self.leaps_at, SLICE_SECONDS, SLICE_SECONDS),
            "fork": (service.life - window - jitter, window, BOOT_SECONDS + jitter),
        }[name]

    @property
    def cycle(self) -> float:
        """Seconds between two requests of a process of ours."""
        life = self.service.life
        return life - POLICY.advisory_left(life, 0.5) if self.service.overlap is None else self.service.cycle

    def _events(self) -> tuple[Any, tuple[float, float]]:
        life, never = self.service.life, (np.inf, np.inf)
        self.leaps_at = 3 * life
        if self.name in ("storm", "second life"):
            return self.random.random(self.processes) * BOOT_SECONDS, never
        if self.name == "fork":
            starts: Any = np.repeat(self.random.random(self.processes // WORKERS) * BOOT_SECONDS, WORKERS)
            return starts, never
        starts = self.random.random(self.processes) * self.cycle
        return starts, (3 * life, 3 * life + OUTAGE_SECONDS) if self.name == "outage" else never

    def run(self, policy: Ours | Peer, draw: Draws) -> Requests:
        """All requests until the end of the scenario."""
        starts, until = self.starts, self.begin + self.seconds
        held_until = starts + self.service.life
        first = draw(np.arange(len(starts)), np.zeros(len(starts), int))[0]
        opens = policy.opens_at(starts, held_until, first)
        fleet = Fleet(self.service, starts, held_until, opens, self.down)
        later = policy.run(fleet, until)
        if self.name == "leap" and isinstance(policy, Ours):
            later = self._with_looks(later)
        booted = starts[::WORKERS] if self.name == "fork" else starts
        who = np.arange(len(starts))[:: WORKERS if self.name == "fork" else 1]
        return Requests(np.concatenate([booted, later.times]), np.concatenate([who, later.processes]))

    def looks_at(self) -> Any:
        """When each process compares its clocks after the leap: once a minute, each at its own second."""
        return self.leaps_at + (self.starts * 7.0) % SLICE_SECONDS

    def _with_looks(self, requests: Requests) -> Requests:
        """Each process asks once after the leap: where it looks at its clocks, or before, where it is due."""
        before, looks = requests.times < self.leaps_at, self.looks_at()
        np.minimum.at(looks, requests.processes[~before], requests.times[~before])
        return Requests(
            np.concatenate([requests.times[before], looks]),
            np.concatenate([requests.processes[before], np.arange(len(self.starts))]),
        )

    def measure(self, policy: Ours | Peer, draw: Draws) -> Row:
        """Count."""
        requests = self.run(policy, draw)
        inside = (self.begin <= requests.times) & (requests.times < self.begin + self.seconds)
        curve = np.bincount((requests.times[inside] - self.begin).astype(int), minlength=int(self.seconds))
        tens = np.convolve(curve, np.ones(PEAK_SECONDS), "valid")
        total = int(inside.sum())
        if self.name == "outage":  # what is due anyway after the backlog does not count for its mean
            total = int((inside & (requests.times < self.begin + self.mean_seconds)).sum())
        return Row(
            self.name,
            self.service.name,
            policy.name,
            self.processes,
            int(inside.sum()),
            float(tens.max()) / PEAK_SECONDS,
            int(curve.max()),
            total / self.mean_seconds,
            closest(requests, self.begin),
            self.cycle,
            curve.tolist(),
        )


def closest(requests: Requests, begin: float) -> int:
    """The most requests that one process makes within ten seconds from here on."""
    late = requests.times >= begin
    order = np.lexsort((requests.times[late], requests.processes[late]))
    times, processes = requests.times[late][order], requests.processes[late][order]
    most = 1
    while most < len(times):
        same = processes[most:] == processes[:-most]
        if not bool((same & (times[most:] - times[:-most] < PEAK_SECONDS)).any()):
            break
        most += 1
    return most


def check(scenario: Scenario) -> float:
    """Seconds by which requests of real caches and of the arrays differ at most; infinity where their numbers do."""
    draws = scenario.random.random((len(scenario.starts), 600))
    skip = 4 if scenario.name == "fork" else 2
    model = scenario.run(Ours(POLICY, Draws(0, draws, skip)), Draws(0, draws, skip))
    real = RealFleet(scenario.service, POLICY, scenario.down)
    order = np.argsort(scenario.starts, kind="stable")
    for index in order:
        forked = scenario.name == "fork"
        host = real.start(
            float(scenario.starts[index]), draws[index].tolist(), counted=not forked or index % WORKERS == 0
        )
        if forked:
            host.fork()
    if scenario.name == "leap":
        real.advance(scenario.leaps_at)
        real.set_clocks(3600.0, scenario.looks_at()[order].tolist())
    real.advance(scenario.begin + scenario.seconds)
    found, wanted = np.sort(np.array(real.times)), np.sort(model.times)
    if len(found) != len(wanted):
        print(f"{scenario.name}: real caches made {len(found)} requests, the arrays {len(wanted)}", file=sys.stderr)
        return float("inf")
    return float(np.abs(found - wanted).max())


def compare(sizes: tuple[int, ...]) -> list[Row]:
    """Every scenario for our policy at every size, and for the peers at the largest but one."""
    rows = []
    for service in (METADATA, STS):
        for name in ("storm", "second life", "steady", "outage", "leap", "fork"):
            for size in sizes:
                scenario = Scenario(name, service, size)
                rows.append(scenario.measure(Ours(POLICY, Draws(2)), Draws(3)))
            for peer in (official(service), botocore(service)):
                if name in ("second life", "outage"):
                    scenario = Scenario(name, service, sizes[-1] if len(sizes) < 3 else sizes[-2])
                    rows.append(scenario.measure(peer, Draws(3)))
    return rows


def largest_within_quota() -> int:
    """The busiest second of STS_PROCESSES at STS over all scenarios and ten seeds."""
    return max(
        Scenario(name, STS, STS_PROCESSES, seed).measure(Ours(POLICY, Draws(seed)), Draws(seed + 100)).busiest
        for name in ("storm", "second life", "steady", "outage", "leap", "fork")
        for seed in range(10)
    )


def misses(row: Row) -> list[str]:
    """The goals that one row of ours does not meet."""
    name = f"{row.scenario} at {row.service}, {row.processes:,} processes"
    after_outage, judged = row.scenario == "outage", row.processes >= MIN_JUDGED
    goals = {
        f"peak to mean {row.ratio:.2f}": judged and row.ratio > MAX_PEAK_TO_MEAN,
        f"peak to mean of the return {row.return_ratio:.2f}": (
            judged and after_outage and row.return_ratio > MAX_PEAK_TO_MEAN
        ),
        f"{row.closest} requests of one process in ten seconds": after_outage and row.closest > 1,
    }
    return [f"{name}: {goal}" for goal, is_missed in goals.items() if is_missed]


def missed(rows: list[Row], busiest: int, differences: dict[str, float]) -> list[str]:
    """What does not meet its goal."""
    ours = [row for row in rows if row.policy == Ours.name and row.scenario in ("second life", "outage")]
    found = [miss for row in ours for miss in misses(row)]
    if busiest > STS_QUOTA_PER_SECOND:
        found.append(f"{STS_PROCESSES:,} processes make {busiest} calls of STS in one second")
    return found + [f"{name}: real caches differ by {one} s" for name, one in differences.items() if one > 1e-3]


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """All figures."""
    began = time.perf_counter()
    rows = compare(sizes)
    differences = {
        f"{name} at {service.name}": check(Scenario(name, service, REAL))
        for service in (METADATA, STS)
        for name in ("second life", "steady", "outage", "leap", "fork")
    }
    busiest = largest_within_quota()
    return {
        "rows": rows,
        "differences": differences,
        "sts_processes": STS_PROCESSES,
        "sts_busiest_second": busiest,
        "missed": missed(rows, busiest, differences),
        "seconds": time.perf_counter() - began,
    }


def as_json(found: dict[str, Any]) -> dict[str, Any]:
    """The same without the curves."""
    rows = [
        {**asdict(row), "ratio": round(row.ratio, 3), "life_ratio": round(row.life_ratio, 1)} for row in found["rows"]
    ]
    for row in rows:
        del row["curve"]
    return {**found, "rows": rows}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="the largest fleet")
    parser.add_argument("--plot", type=Path, help="the folder into which the pictures are written")
    options = parser.parse_args()
    found = measure(tuple(size for size in SIZES if size <= options.largest))
    if options.plot is not None:
        from fleet_plot import draw

        draw(found["rows"], options.plot)
    if options.json:
        print(json.dumps(as_json(found)))
        return 1 if found["missed"] else 0
    counts = (
        f"{'processes':>9} {'requests':>9} {'peak/s':>9} {'busiest s':>9} {'mean/s':>9} ratio {'to life':>7} closest"
    )
    print(f"{'scenario':12} {'service':9} {'policy':25} {counts}")
    for row in found["rows"]:
        print(
            f"{row.scenario:12} {row.service:9} {row.policy:25} {row.processes:9,} {row.requests:9,} {row.peak:9.1f} "
            f"{row.busiest:9,} {row.mean:9.1f} {row.ratio:5.2f} {row.life_ratio:7.1f} {row.closest:7}"
        )
    print(f"{STS_PROCESSES:,} processes at STS: at most {found['sts_busiest_second']} calls in a second")
    for name, seconds in found["differences"].items():
        print(f"{name}: {REAL:,} real caches differ by at most {seconds:.6f} s")
    print("\n".join(["missed:", *found["missed"]]) if found["missed"] else "every goal is met")
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
