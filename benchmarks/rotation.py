"""What a rotation does to callers: 64 threads ask every 25 ms while a fetch takes one second; beside the peers.

Early: the cache would refresh ahead. Expired and cold: nothing held will do.

    python benchmarks/rotation.py [--seconds 3] [--json]

Ends with status 1 when ours holds a caller in the early window, fetches more than once in any, or needs more than one
refresher and one worker.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from contextlib import suppress

from peers import ROTATING, Ours, Peer

CALLERS = 64
EVERY_SECONDS = 0.025
FETCH_SECONDS = 1.0
HELD_SECONDS = 0.5


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps(as_json(options.seconds)))
        return 0
    missed = report(options.seconds)
    print("\n".join(["missed:", *missed]) if missed else "\nall bars are met")
    return 1 if missed else 0


def report(seconds: float) -> list[str]:
    """Measure and print each peer; what ours misses."""
    print(f"longest call / callers held over {HELD_SECONDS:g} s / fetches / most threads beside the callers\n")
    print(f"{'':42}{'early window':>24}{'expired':>24}{'cold':>24}")
    missed: list[str] = []
    for kind in ROTATING:
        try:
            rows = {state: rotate(kind(), state, seconds) for state in ("early", "expired", "cold")}
        except ImportError as error:
            print(f"{kind.name} is left out: {error}")
            continue
        print(f"{kind.name:42}" + "".join(f"{shown(row):>24}" for row in rows.values()), flush=True)
        if kind is Ours:
            missed = [f"{state}: {shown(row)}" for state, row in rows.items() if not is_good(state, *row)]
    return missed


def as_json(seconds: float) -> dict[str, dict[str, tuple[float, int, int, int]]]:
    """What `rotate` returns, by peer and state."""
    found = {}
    for kind in ROTATING:
        with suppress(ImportError):
            found[kind.name] = {state: rotate(kind(), state, seconds) for state in ("early", "expired", "cold")}
    return found


def rotate(peer: Peer, state: str, seconds: float) -> tuple[float, int, int, int]:
    """Longest call, callers held, fetches, and threads that were not the callers'."""
    peer.put(state)
    peer.fetch.seconds = FETCH_SECONDS
    longest = [0.0] * CALLERS
    before = threading.active_count()
    end = time.monotonic() + seconds

    def call(slot: int) -> None:
        while time.monotonic() < end:
            began = time.perf_counter()
            peer.get()
            longest[slot] = max(longest[slot], time.perf_counter() - began)
            time.sleep(EVERY_SECONDS)

    callers = [threading.Thread(target=call, args=(slot,)) for slot in range(CALLERS)]
    for caller in callers:
        caller.start()
    most = 0
    while any(caller.is_alive() for caller in callers):
        alive = sum(caller.is_alive() for caller in callers)
        most = max(most, threading.active_count() - alive - before)
        time.sleep(0.005)
    return max(longest), sum(one > HELD_SECONDS for one in longest), peer.fetch.count, most


def shown(row: tuple[float, int, int, int]) -> str:
    """One cell."""
    longest, held, fetches, threads = row
    return f"{longest:.2f} s / {held} / {fetches} / {threads}"


def is_good(state: str, longest: float, held: int, fetches: int, threads: int) -> bool:
    """Whether ours is as it must be."""
    waits = longest < HELD_SECONDS and not held if state == "early" else longest < FETCH_SECONDS + HELD_SECONDS
    return waits and fetches == 1 and threads <= 2  # a refresher and a worker


if __name__ == "__main__":
    sys.exit(main())
