"""Real threads against short-lived credentials: one fetch a rotation, nobody held."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials
from ramrole_creds._cache.credential_cache import CredentialCache, FetchContext
from ramrole_creds._cache.threads import ThreadRuntime
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from typing_extensions import Self

    from ramrole_creds._cache.signals import Signal

THREADS = 64
ROTATIONS = 30
LIFE_SECONDS = 900.0
MAX_SECONDS = 60.0


class WatchedRuntime(ThreadRuntime):
    """Real threads; notes who waits for a fetch. Wall time would deliver how busy the machine is instead."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[str] = []

    def signal(self) -> Signal:
        return WatchedSignal(self.waited)


class WatchedSignal(threading.Event):
    def __init__(self, waited: list[str]) -> None:
        super().__init__()
        self._waited = waited

    def wait(self, timeout: float | None = None) -> bool:
        self._waited.append(threading.current_thread().name)
        return super().wait(timeout)


class Crowd:
    """Threads that read all the time, and what they saw."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.fetches = 0
        self.newest = [0] * THREADS
        self.wrong: list[object] = []
        self._over = threading.Event()
        self.runtime = WatchedRuntime()
        self.cache = CredentialCache(self._mint, clock=clock, runtime=self.runtime)
        self._threads = [
            threading.Thread(target=self._read, args=(slot,), name=f"reader {slot}", daemon=True)
            for slot in range(THREADS)
        ]

    def held_readers(self) -> set[str]:
        """Which readers waited for a fetch since this was asked last."""
        waited = {name for name in self.runtime.waited if name.startswith("reader")}
        self.runtime.waited.clear()
        return waited

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(MAX_SECONDS)

    def wait_for(self, number: int) -> bool:
        """Whether every thread has seen these credentials, or newer ones, in time."""
        end = time.monotonic() + MAX_SECONDS
        while min(self.newest) < number and time.monotonic() < end:
            time.sleep(0.001)
        return min(self.newest) >= number

    def _mint(self, _context: FetchContext) -> Credentials:
        self.fetches += 1
        number = self.fetches
        ends = datetime.fromtimestamp(self._clock.time() + LIFE_SECONDS, timezone.utc)
        return Credentials(f"STS.NT{number:012d}", f"secret{number}", f"token{number}", ends)

    def _read(self, slot: int) -> None:
        while not self._over.is_set():
            held = self.cache.get()
            number = int(held.access_key_id[-12:])
            torn = (held.access_key_secret, held.security_token) != (f"secret{number}", f"token{number}")
            if torn or number < self.newest[slot]:
                self.wrong.append(held)
            self.newest[slot] = number
            time.sleep(0.001)


@pytest.mark.parametrize("happening", ["the window opens", "the machine sleeps past the end"])
def test_sixty_four_threads_over_thirty_rotations_make_one_fetch_each(happening: str) -> None:
    clock = VirtualClock(1_800_000_000)
    with Crowd(clock) as crowd:
        assert crowd.wait_for(1)
        assert crowd.held_readers()  # with nothing in hand they must: the watch works
        for rotation in range(ROTATIONS):
            due = crowd.cache.status().next_attempt
            assert due is not None
            if happening == "the window opens":
                clock.advance(due.timestamp() - clock.time() + 0.001)
                assert not crowd.held_readers()
            else:
                clock.suspend(1.1 * LIFE_SECONDS)
            assert crowd.wait_for(rotation + 2)
    assert not crowd.wrong
    assert crowd.fetches == crowd.cache.status().generation == ROTATIONS + 1
