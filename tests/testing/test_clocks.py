"""Time passes when a test says so, and what was due has happened by then."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ramrole_creds.clock import SchedulingClock
from ramrole_creds.testing import TickingClock, VirtualClock


class Work:
    """Something that runs on a thread of its own and can be waited for."""

    def __init__(self, seconds: float) -> None:
        self.done = threading.Event()
        threading.Timer(seconds, self.done.set).start()

    def wait(self, timeout: float | None = None) -> bool:
        return self.done.wait(timeout)


def test_it_stands_still_until_advanced() -> None:
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=timezone.utc))
    before = (clock.time(), clock.monotonic())
    assert (clock.time(), clock.monotonic()) == before
    clock.advance(1, minutes=2, hours=3, days=4)
    passed = 1 + 2 * 60 + 3 * 3600 + 4 * 86400
    assert (clock.time(), clock.monotonic()) == (before[0] + passed, before[1] + passed)


def test_it_is_a_scheduling_clock() -> None:
    assert isinstance(VirtualClock(), SchedulingClock)
    assert not isinstance(TickingClock(), SchedulingClock)


@given(st.lists(st.floats(0, 1000), max_size=20), st.floats(0, 1000))
def test_calls_run_in_order_at_their_time_and_only_those_due(moments: list[float], span: float) -> None:
    clock = VirtualClock(0)
    ran: list[tuple[float, float]] = []
    for moment in moments:
        clock.call_at(moment, lambda moment=moment: ran.append((moment, clock.monotonic())))  # type: ignore[misc]
    clock.advance(span)
    due = sorted(moment for moment in moments if moment <= span)
    assert ran == [(moment, moment) for moment in due]
    assert clock.monotonic() == span


def test_advance_waits_for_the_work_that_a_call_started() -> None:
    clock = VirtualClock(0)
    works: list[Work] = []

    def begin() -> Work:
        works.append(Work(0.05))
        return works[-1]

    clock.call_at(10, begin)
    clock.advance(20)
    assert works[0].done.is_set()


def test_a_call_may_schedule_another_within_the_same_advance() -> None:
    clock = VirtualClock(0)
    ran: list[float] = []

    def again() -> None:
        ran.append(clock.monotonic())
        clock.call_at(clock.monotonic() + 10, again)

    clock.call_at(10, again)
    clock.advance(35)
    assert ran == [10, 20, 30]


def test_a_cancelled_call_does_not_run() -> None:
    clock = VirtualClock(0)
    ran: list[int] = []
    clock.call_at(1, lambda: ran.append(1)).cancel()
    clock.advance(2)
    assert not ran


def test_suspend_runs_what_was_due_only_at_waking() -> None:
    clock = VirtualClock(0)
    ran: list[float] = []
    clock.call_at(60, lambda: ran.append(clock.monotonic()))
    clock.suspend(hours=7)
    assert ran == [7 * 3600]


def test_stepping_the_wall_leaves_the_monotonic_clock_alone() -> None:
    clock = VirtualClock(1000)
    clock.step_wall(-600)
    assert (clock.time(), clock.monotonic()) == (400, 0)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="step_wall"):
        VirtualClock().advance(-1)


def test_an_advance_from_many_threads_adds_up() -> None:
    clock = VirtualClock(0)

    def mover() -> None:
        for _ in range(100):
            clock.advance(1)

    threads = [threading.Thread(target=mover) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 800


def test_a_ticking_clock_runs_by_itself_and_can_be_advanced() -> None:
    clock = TickingClock(datetime(2030, 1, 1, tzinfo=timezone.utc))
    began, real = clock.time(), time.monotonic()
    clock.advance(hours=1)
    passed = clock.time() - began
    assert 3600 <= passed <= 3600 + (time.monotonic() - real) + 0.1
    clock.step_wall(-3600)
    assert clock.now().year == 2030
    assert clock.monotonic() >= 3600


def test_a_call_that_reschedules_itself_at_once_is_an_error_and_no_hang() -> None:
    clock = VirtualClock(0)

    def again() -> None:
        clock.call_at(clock.monotonic(), again)

    clock.call_at(1, again)
    with pytest.raises(RuntimeError, match="Does a callback reschedule itself"):
        clock.advance(2)


def test_work_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ramrole_creds.testing.clocks.REAL_WAIT_SECONDS", 0.01)
    clock = VirtualClock(0)
    clock.call_at(1, threading.Event)
    with pytest.raises(TimeoutError, match="a fault that hangs longer than the time limit"):
        clock.advance(2)
