"""What a cached get costs, beside the peers, in one run; with 1, 8 and 64 threads.

The floor is a method that reads the same clock and compares. Rounds are interleaved, so that the machine's moods meet
all alike, and ratios are those of the best rounds.

    python benchmarks/cache.py [--rounds 80] [--json]

Ends with status 1 when, in one thread, ours costs more than 1.5 floors, or is less than 9 times faster than
google-auth or less than 20 times faster than botocore and the official client. A peer that is not installed is left
out: google-auth, azure-core, azure-identity, botocore, alibabacloud-credentials.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from peers import CACHED, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_FLOORS = 1.5
TIMES_FASTER = {"google-auth": 9.0, "botocore": 20.0, "alibabacloud-credentials": 20.0}
SECONDS_OF_A_ROUND = 0.003  # short ones: on a busy machine some must meet no neighbour
THREADS = (1, 8, 64)


class Floor:
    """Only what cannot be spared: a clock call and a comparison."""

    def __init__(self) -> None:
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        self._clock: Callable[[], float] = time.monotonic if clock is None else partial(time.clock_gettime, clock)
        self._until = self._clock() + 1e9
        self._held = object()

    def get(self) -> object:
        """The object, while its time has not come."""
        if self._clock() < self._until:
            return self._held
        raise LookupError


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    subjects: dict[str, Callable[[], object]] = {"floor: read CLOCK_BOOTTIME and compare": Floor().get}
    for kind in CACHED:
        peer = made(kind)
        if peer is not None:
            subjects[peer.name] = peer.get
    figures = {threads: measure(subjects, threads, options.rounds) for threads in THREADS}
    if options.json:
        print(json.dumps({str(threads): row for threads, row in figures.items()}))
        return 0
    python = sys.version.split()[0]
    print(f"Python {python}; microseconds a cached get: wall time of all threads by calls of all threads\n")
    print(f"{'':42}" + "".join(f"{f'{threads} thread(s)':>14}" for threads in THREADS) + f"{'x floor':>10}")
    floor = next(iter(figures[1].values()))
    for name, alone in figures[1].items():
        row = "".join(f"{figures[threads][name] * 1e6:14.3f}" for threads in THREADS)
        print(f"{name:42}{row}{alone / floor:10.1f}")
    return judge(figures[1], floor)


def made(kind: type[Peer]) -> Peer | None:
    """The peer with fresh credentials; None where it is not installed."""
    try:
        peer = kind()
        peer.put("fresh")
        peer.get()
    except ImportError as error:
        print(f"{kind.name} is left out: {error}", file=sys.stderr)
        return None
    return peer


def measure(subjects: dict[str, Callable[[], object]], threads: int, rounds: int) -> dict[str, float]:
    """Seconds a call, the best of interleaved rounds."""
    calls = {
        name: max(1, int(SECONDS_OF_A_ROUND / max(cost(get, 200), 1e-9) / threads)) for name, get in subjects.items()
    }
    best = dict.fromkeys(subjects, float("inf"))
    for _ in range(rounds):
        for name, get in subjects.items():
            best[name] = min(best[name], together(get, calls[name], threads) / threads)
    return best


def together(get: Callable[[], object], calls: int, threads: int) -> float:
    """Wall seconds by calls of one of the threads that all call at once."""
    if threads == 1:
        return cost(get, calls)
    gate = threading.Barrier(threads + 1)

    def work() -> None:
        gate.wait()
        cost(get, calls)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - began) / calls


def cost(get: Callable[[], object], calls: int) -> float:
    """Seconds a call."""
    span = range(calls)
    began = time.perf_counter()
    for _ in span:
        get()
    return (time.perf_counter() - began) / calls


def judge(figures: dict[str, float], floor: float) -> int:
    """1 where a bar is missed."""
    ours = {name: seconds for name, seconds in figures.items() if name.startswith("ramrole-creds")}
    missed = [
        f"{name}: {s / floor:.2f} floors, at most {MAX_FLOORS}" for name, s in ours.items() if s > MAX_FLOORS * floor
    ]
    print()
    for text, is_met in compared(figures, max(ours.values())):
        print(text)
        missed += [] if is_met else [text]
    print("\n".join(["missed:", *missed]) if missed else "all bars are met")
    return 1 if missed else 0


def compared(figures: dict[str, float], ours: float) -> Iterator[tuple[str, bool]]:
    """For each figure of a peer with a bar: how many times faster ours is, and whether that is enough."""
    for peer, times in TIMES_FASTER.items():
        for ratio in (seconds / ours for name, seconds in figures.items() if name.startswith(peer)):
            yield f"{ratio:.1f} times faster than {peer} (at least {times:g})", ratio >= times


if __name__ == "__main__":
    sys.exit(main())
