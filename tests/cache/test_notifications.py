"""Events arrive in the order in which things happened, from one thread at a time, and hold no caller."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from ramrole_creds import Credentials, EnvironmentProvider, FunctionProvider, events
from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.notifications import Happening
from ramrole_creds._cache.snapshot import NO_SNAPSHOT
from ramrole_creds._cache.state import MAX_PENDING_EVENTS, CacheState
from ramrole_creds.testing.clocks import VirtualClock
from tests.eventually import REAL_PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    import pytest


class SlowListener:
    """Is held by the first event it hears, until it is released."""

    def __init__(self) -> None:
        self.received: list[events.Event] = []
        self.by: set[int] = set()
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, event: events.Event) -> None:
        self.entered.set()
        assert self.go.wait(REAL_PATIENCE_SECONDS)
        self.received.append(event)
        self.by.add(threading.get_ident())


def minted(clock: VirtualClock, number: list[int]) -> Credentials:
    number[0] += 1
    return Credentials(f"STS.NT{number[0]:012d}", "secret", "token", clock.now() + timedelta(hours=1))


def test_callers_are_not_held_by_a_listener_and_events_keep_their_order() -> None:
    clock, listener, number = VirtualClock(), SlowListener(), [0]
    with FunctionProvider(lambda: minted(clock, number), clock=clock, on_event=listener) as provider:
        assert provider.get_credentials().access_key_id[-1] == "1"
        assert listener.entered.is_set()
        assert not listener.received
        assert provider.refresh().access_key_id[-1] == "2"
        assert provider.refresh().access_key_id[-1] == "3"
        listener.go.set()
        assert eventually(lambda: len(listener.received) == 6)
    generations = [event.generation for event in listener.received if isinstance(event, events.Fetched)]
    assert generations == [1, 2, 3]
    assert [type(event).__name__ for event in listener.received] == [
        *("Fetched", "StateChanged"),
        *("RefreshForced", "Fetched"),
        *("RefreshForced", "Fetched"),
        "Closed",
    ]
    assert len(listener.by) <= 2, "one thread at a time delivers; another one delivers the end"
    assert threading.get_ident() not in listener.by, "a caller may hold a lock that the listener needs"


def test_a_listener_that_hangs_for_ever_costs_no_memory_without_end() -> None:
    clock, listener, number = VirtualClock(), SlowListener(), [0]
    cache = CredentialCache(lambda _: minted(clock, number), clock=clock, on_event=listener)
    cache.get()
    assert listener.entered.wait(REAL_PATIENCE_SECONDS)
    state = CacheState(NO_SNAPSHOT, Backoff(), "empty")
    for index in range(3 * MAX_PENDING_EVENTS):
        state = state.change(Happening("RefreshForced", float(index), rejected=False))
    assert len(state.pending) == MAX_PENDING_EVENTS
    assert state.pending[-1].at == 3 * MAX_PENDING_EVENTS - 1, "the oldest are dropped"
    listener.go.set()
    cache.close()


def test_a_listener_that_ends_its_thread_silences_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    clock, number, received = VirtualClock(), [0], list[str]()

    def listen(event: events.Event) -> None:
        received.append(type(event).__name__)
        if len(received) == 1:
            raise SystemExit

    with FunctionProvider(lambda: minted(clock, number), clock=clock, on_event=listen) as provider:
        provider.get_credentials()
        provider.refresh()
        assert eventually(lambda: received.count("Fetched") == 2)
    assert received == ["Fetched", "StateChanged", "RefreshForced", "Fetched", "Closed"]


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


def test_a_check_of_keys_that_never_end_is_not_logged(
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
