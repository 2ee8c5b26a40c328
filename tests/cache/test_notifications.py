"""What a cache tells: in the order it happened, by one thread at a time, and nobody is held by another's listener."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, EnvironmentProvider, FunctionProvider, events
from ramrole_creds._cache.notifications import MAX_PENDING, EventQueue
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_PATIENCE_SECONDS = 20.0


class SlowListener:
    """Is held by the first event it hears, until it is let go."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.by: set[int] = set()
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, event: events.Event) -> None:
        self.entered.set()
        assert self.go.wait(REAL_PATIENCE_SECONDS)
        assert isinstance(event, events.StateChanged)
        self.told.append((event.old, event.new))
        self.by.add(threading.get_ident())


def changing(queue: EventQueue, lock: threading.Lock, *change: str) -> Callable[[], None]:
    def change_and_tell() -> None:
        with lock:
            queue.state_changed(*change, ends=True)
        queue.deliver()

    return change_and_tell


def test_changes_seen_by_two_threads_are_told_in_their_order_by_one_of_them() -> None:
    listener, lock = SlowListener(), threading.Lock()
    queue = EventQueue("source", SYSTEM_CLOCK, listener, lock)
    first = threading.Thread(target=changing(queue, lock, "fresh", "advisory"), daemon=True)
    first.start()
    assert listener.entered.wait(REAL_PATIENCE_SECONDS)
    second = threading.Thread(target=changing(queue, lock, "advisory", "mandatory"), daemon=True)
    second.start()
    second.join(REAL_PATIENCE_SECONDS)
    assert not second.is_alive(), "held by a listener that another thread called"
    listener.go.set()
    first.join(REAL_PATIENCE_SECONDS)
    changing(queue, lock, "mandatory", "expired")()
    assert listener.told == [("fresh", "advisory"), ("advisory", "mandatory"), ("mandatory", "expired")]
    assert listener.by == {first.ident, threading.get_ident()}


def test_a_listener_that_hangs_for_ever_costs_no_memory_without_end() -> None:
    listener, lock = SlowListener(), threading.Lock()
    queue = EventQueue("source", SYSTEM_CLOCK, listener, lock)
    first = threading.Thread(target=changing(queue, lock, "fresh", "advisory"), daemon=True)
    first.start()
    assert listener.entered.wait(REAL_PATIENCE_SECONDS)
    for number in range(3 * MAX_PENDING):
        changing(queue, lock, str(number), str(number + 1))()
    listener.go.set()
    first.join(REAL_PATIENCE_SECONDS)
    assert len(listener.told) <= 1 + MAX_PENDING
    assert listener.told[-1] == (str(3 * MAX_PENDING - 1), str(3 * MAX_PENDING))


def test_a_listener_that_ends_its_thread_silences_nobody() -> None:
    told: list[events.Event] = []

    def listen(event: events.Event) -> None:
        told.append(event)
        if len(told) == 1:
            raise KeyboardInterrupt

    lock = threading.Lock()
    queue = EventQueue("source", SYSTEM_CLOCK, listen, lock)
    with pytest.raises(KeyboardInterrupt):
        changing(queue, lock, "empty", "fresh")()
    changing(queue, lock, "fresh", "advisory")()
    assert len(told) == 2


class BrokenHandler(logging.Handler):
    """Raises where the manual of logging says that it should not."""

    def emit(self, record: logging.LogRecord) -> None:
        raise LookupError(record.msg)


def test_a_broken_log_handler_fails_no_call() -> None:
    clock = VirtualClock()
    provider = FunctionProvider(
        lambda: Credentials("STS.first", "secret", "token", clock.now() + timedelta(hours=1)), clock=clock
    )
    logger, handler = logging.getLogger("ramrole_creds"), BrokenHandler()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        for _ in range(4):
            assert provider.get_credentials().access_key_id == "STS.first"
            clock.advance(minutes=50)
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def test_a_look_at_keys_that_never_end_is_no_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = VirtualClock()
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tbefore00000001")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    provider = EnvironmentProvider(clock=clock)
    provider.get_credentials()
    with caplog.at_level(logging.INFO, "ramrole_creds"):
        caplog.clear()
        for _ in range(10):
            clock.advance(minutes=6)
            provider.get_credentials()
    assert not caplog.records
