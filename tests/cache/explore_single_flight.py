# mypy: ignore-errors
# frontrun is no dependency of this project, and has no types.
"""All interleavings of three first callers, by frontrun's partial order reduction; not part of the tests.

    pip install frontrun
    frontrun python tests/cache/explore_single_flight.py

No worker can be started here, so the caller who takes off runs the fetch itself: lock and event are all that is left
of the single flight, and both are primitives that frontrun controls.
"""

from __future__ import annotations

import sys
import threading

import frontrun

from ramrole_creds.cache import CredentialCache
from ramrole_creds.credentials import Credentials

KEY = Credentials("LTAI5t0000000000001", "secret")


class Bare:
    """A runtime of locks and events, with neither workers nor refresher; time stands still."""

    def lock(self):
        return threading.Lock()

    def signal(self):
        return threading.Event()

    def spawn(self, work):
        raise RuntimeError("no threads")

    def process_id(self):
        return 1

    def monotonic(self):
        return 0.0

    def time(self):
        return 1_800_000_000.0

    def random(self):
        return 0.5

    def refresher(self, clock):
        return self

    def schedule(self, cache, when):
        return False

    def forget(self, cache):
        pass


class State:
    """One cold cache, and what became of its callers."""

    def __init__(self):
        self.fetches = []
        self.results = []
        runtime = Bare()
        self.cache = CredentialCache(self.fetch, clock=runtime, runtime=runtime)

    def fetch(self, context):
        self.fetches.append(1)
        return KEY

    def call(self):
        self.results.append(self.cache.get())


def main() -> int:
    """Explore, print, judge."""
    result = frontrun.explore(
        State,
        lambda state: state.call(),
        lambda state: len(state.fetches) == 1 and state.results == [KEY] * 3,
        count=3,
        trace_packages=["ramrole_creds.*"],
        preemption_bound=int(sys.argv[1]) if len(sys.argv) > 1 else 2,
        total_timeout=float(sys.argv[2]) if len(sys.argv) > 2 else 600.0,
        detect_io=False,
        timeout_per_run=60.0,
        deadlock_timeout=30.0,
    )
    print(
        {name: getattr(result, name) for name in dir(result) if name.startswith(("num", "property", "explor", "incon"))}
    )
    print(result.explanation or "")
    return 0 if result.property_holds else 1


if __name__ == "__main__":
    sys.exit(main())
