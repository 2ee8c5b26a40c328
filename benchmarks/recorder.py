"""What a `Recorder` costs on a fetch, and on a cached get.

    python benchmarks/recorder.py [--json]

Ends with status 1 when it costs 20 microseconds of a fetch or more. A cached get is the same code with a recorder and
without one; the two are timed in turns.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_MICROSECONDS = 20.0
ROUNDS = 400
CALLS = 50  # short rounds: on a busy machine some must meet no neighbour


def provider_of_hours() -> FunctionProvider:
    """A provider with fresh credentials."""
    end = datetime.now(timezone.utc) + timedelta(hours=6)
    provider = FunctionProvider(lambda: Credentials("STS.NTbenchmark", "secret", "token", end, identity="web"))
    provider.get_credentials()
    return provider


def measure() -> dict[str, float]:
    """Microseconds of a fetch that the recorder takes, and of a cached get with it and without it."""
    plain, recorded = provider_of_hours(), provider_of_hours()
    seen: list[tuple[Any, ...]] = []
    recorded.observe_fetches(lambda *settled: seen.append(settled))
    recorder = Recorder(recorded)
    recorded.refresh()
    settled = seen[0]
    note = recorder._note  # noqa: SLF001  # what runs within a fetch
    best = {"fetch": math.inf, "get": math.inf, "get with a recorder": math.inf}
    works: dict[str, Callable[[], object]] = {
        "fetch": lambda: note(*settled),
        "get": plain.get_credentials,
        "get with a recorder": recorded.get_credentials,
    }
    for _ in range(ROUNDS):
        for name, work in works.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                work()
            best[name] = min(best[name], (time.perf_counter() - began) / CALLS * 1e6)
    return best


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps(found))
    else:
        for name, microseconds in found.items():
            print(f"{name:24}{microseconds:8.3f} microseconds")
    return 0 if found["fetch"] < MAX_MICROSECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
