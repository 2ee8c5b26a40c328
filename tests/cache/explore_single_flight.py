# mypy: ignore-errors
# frontrun is no dependency of this project, and has no types.
"""All interleavings of three first callers, by frontrun's partial order reduction; not part of the tests.

    pip install frontrun
    frontrun python tests/cache/explore_single_flight.py

No worker can be started here, so the caller who starts the fetch runs it: only the change of state and the event are
left of the single fetch in flight.
"""

from __future__ import annotations

import sys
import threading

import frontrun

from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.state import CacheState, StateCell
from ramrole_creds.credentials import Credentials

KEY = Credentials("LTAI5t0000000000001", "secret")


class Patient:
    """An event that is waited for without end: time stands still, so no wait can run out."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set = self._event.set
        self.is_set = self._event.is_set

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait()


class Bare:
    """A runtime with neither workers nor refresher; time stands still."""

    def cell(self, state: CacheState) -> StateCell:
        return StateCell(state)

    def holds_foreign_lock(self) -> bool:
        return False

    def signal(self) -> Patient:
        return Patient()

    def spawn(self, work: object, purpose: str) -> None:
        raise RuntimeError("no threads")

    def process_id(self) -> int:
        return 1

    def monotonic(self) -> float:
        return 0.0

    def time(self) -> float:
        return 1_800_000_000.0

    def random(self) -> float:
        return 0.5

    def refresher(self, clock: object) -> Bare:
        return self

    def schedule(self, cache: object, when: float) -> bool:
        return False

    def forget(self, cache: object) -> None:
        pass


class State:
    """One cold cache, and what became of its callers."""

    def __init__(self) -> None:
        self.fetches = []
        self.results = []
        runtime = Bare()
        self.cache = CredentialCache(self.fetch, clock=runtime, runtime=runtime)

    def fetch(self, context: object) -> Credentials:
        self.fetches.append(1)
        return KEY

    def call(self) -> None:
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
    explored = f"{result.num_explored} interleavings, holds: {result.property_holds}"
    sys.stdout.write(f"{explored}\n{result.explanation or result.inconclusive_reason or ''}\n")
    return 0 if result.property_holds else 1


if __name__ == "__main__":
    sys.exit(main())
