"""Real threads against short-lived credentials: one fetch a rotation, nobody held."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from typing_extensions import Self

THREADS = 64
ROTATIONS = 30
LIFE_SECONDS = 900.0
WAIT_BOUND_SECONDS = 0.25
MOST_SECONDS = 60.0


class Crowd:
    """Threads that read all the time, and what they saw."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.fetches = 0
        self.newest = [0] * THREADS
        self.longest = [0.0] * THREADS
        self.wrong: list[object] = []
        self._over = threading.Event()
        self.provider = FunctionProvider(self._mint, clock=clock)
        self._threads = [threading.Thread(target=self._read, args=(slot,), daemon=True) for slot in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(MOST_SECONDS)

    def wait_for(self, number: int) -> bool:
        """Whether every thread has seen these credentials, or newer ones, in time."""
        end = time.monotonic() + MOST_SECONDS
        while min(self.newest) < number and time.monotonic() < end:
            time.sleep(0.001)
        return min(self.newest) >= number

    def _mint(self) -> Credentials:
        self.fetches += 1
        number = self.fetches
        ends = datetime.fromtimestamp(self._clock.time() + LIFE_SECONDS, timezone.utc)
        return Credentials(f"STS.NT{number:012d}", f"secret{number}", f"token{number}", ends)

    def _read(self, slot: int) -> None:
        while not self._over.is_set():
            began = time.thread_time()
            held = self.provider.get_credentials()
            self.longest[slot] = max(self.longest[slot], time.thread_time() - began)
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
        for rotation in range(ROTATIONS):
            due = crowd.provider.status().next_attempt
            assert due is not None
            if happening == "the window opens":
                clock.advance(due.timestamp() - clock.time() + 0.001)
            else:
                clock.suspend(1.1 * LIFE_SECONDS)
            assert crowd.wait_for(rotation + 2)
    assert not crowd.wrong
    assert crowd.fetches == crowd.provider.status().generation == ROTATIONS + 1
    assert max(crowd.longest) < WAIT_BOUND_SECONDS
