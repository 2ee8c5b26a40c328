"""Who delivers what happened: each event once, whatever fails on the way."""

from __future__ import annotations

import contextlib
import gc
import logging
import weakref
from typing import TYPE_CHECKING

import pytest

from ramrole_creds._cache.backoff import Backoff
from ramrole_creds._cache.delivery import EventDelivery
from ramrole_creds._cache.notifications import Happening
from ramrole_creds._cache.snapshot import NO_SNAPSHOT
from ramrole_creds._cache.state import CacheState, StateCell
from ramrole_creds._cache.threads import ThreadRuntime
from tests.cache.test_decisions import fetch_in_flight

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import events


class Workers(ThreadRuntime):
    """Keeps what it shall run, or cannot run it."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error
        self.work: list[Callable[[], None]] = []
        self.purposes: list[str] = []

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        self.purposes.append(purpose)
        if self.error is not None:
            raise self.error
        self.work.append(work)


class Stage:
    """A state with three events pending."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.received: list[float] = []
        self.workers = Workers(error)
        self.events = EventDelivery("source", self._hear, self.workers)
        state = CacheState(NO_SNAPSHOT, Backoff(), "empty")
        self.cell = StateCell(state.change(*(happening(number) for number in range(3))))
        self.raises: BaseException | None = None
        self.meanwhile: Callable[[], None] | None = None

    def _hear(self, event: events.Event) -> None:
        self.received.append(event.at)
        if self.meanwhile is not None:
            self.meanwhile()
        if self.raises is not None:
            raise self.raises


def happening(number: int) -> Happening:
    return Happening("RefreshForced", float(number), rejected=False)


def test_one_thread_delivers_all_that_is_pending() -> None:
    stage = Stage()
    stage.events.ensure(stage.cell, wait=False)
    stage.events.ensure(stage.cell, wait=False)
    assert stage.workers.purposes == ["events"]
    stage.workers.work[0]()
    assert stage.received == [0.0, 1.0, 2.0]
    assert stage.cell.latest().delivery is None
    stage.events.ensure(stage.cell, wait=False)
    assert stage.workers.purposes == ["events"], "nothing is pending"


def test_while_a_fetch_is_in_flight_its_worker_delivers() -> None:
    stage = Stage()
    state = stage.cell.latest()
    assert stage.cell.swap(state, state.change(in_flight=fetch_in_flight()))
    stage.events.ensure(stage.cell, wait=True)
    assert not stage.workers.purposes


def test_where_no_thread_can_be_started_the_calling_thread_delivers() -> None:
    stage = Stage(RuntimeError("can't start new thread"))
    stage.events.ensure(stage.cell, wait=True)
    assert stage.received == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()], ids=repr)
def test_the_next_call_delivers_what_a_failed_start_left(error: BaseException) -> None:
    stage = Stage(error)
    if isinstance(error, Exception):
        stage.events.ensure(stage.cell, wait=True)
    else:
        with pytest.raises(KeyboardInterrupt):
            stage.events.ensure(stage.cell, wait=True)
    assert stage.cell.latest().delivery is None
    stage.workers.error = None
    stage.events.ensure(stage.cell, wait=False)
    stage.workers.work[0]()
    assert stage.received == [0.0, 1.0, 2.0]


def test_a_listener_that_ends_its_thread_leaves_the_rest_to_the_next() -> None:
    stage = Stage()
    stage.raises = SystemExit(3)
    stage.events.ensure(stage.cell, wait=False)
    delivery = stage.cell.latest().delivery
    assert delivery is not None
    with pytest.raises(SystemExit):
        stage.workers.work[0]()
    assert delivery.wait(0), "whoever waits is released"
    assert stage.cell.latest().delivery is None
    stage.raises = None
    stage.events.ensure(stage.cell, wait=False)
    stage.workers.work[1]()
    assert stage.received == [0.0, 1.0, 2.0], "each once: the listener has seen the first"


class InterruptedCell(StateCell):
    """An interrupt strikes at its `place`-th step: before or after a change, or at a look."""

    __slots__ = ("place",)

    def __init__(self, state: CacheState, place: int) -> None:
        super().__init__(state)
        self.place = place

    def _step(self) -> None:
        self.place -= 1
        if self.place == 0:
            raise KeyboardInterrupt

    def latest(self) -> CacheState:
        self._step()
        return super().latest()

    def swap(self, old: CacheState, new: CacheState) -> bool:
        self._step()
        swapped = super().swap(old, new)
        self._step()
        return swapped


@pytest.mark.parametrize("place", range(1, 17))
def test_an_interrupt_at_any_step_loses_no_event_and_repeats_none(place: int) -> None:
    stage = Stage(RuntimeError("can't start new thread"))  # so the caller delivers, whom an interrupt reaches
    cell = InterruptedCell(stage.cell.latest(), place)
    with contextlib.suppress(KeyboardInterrupt):
        stage.events.ensure(cell, wait=True)
    assert cell.place <= 0, "it struck"
    stage.events.ensure(cell, wait=True)
    assert stage.received == [0.0, 1.0, 2.0]


class BusyCell(StateCell):
    """Another event arrives just before the delivery ends."""

    __slots__ = ("arrives",)

    def __init__(self, state: CacheState, arrives: list[Happening]) -> None:
        super().__init__(state)
        self.arrives = arrives

    def swap(self, old: CacheState, new: CacheState) -> bool:
        if self.arrives and new.delivery is None:
            state = self.latest()
            assert super().swap(state, state.change(self.arrives.pop()))
        return super().swap(old, new)


def test_an_event_that_arrives_as_the_delivery_ends_is_delivered_too() -> None:
    stage = Stage()
    cell = BusyCell(stage.cell.latest(), [happening(3)])
    stage.events.ensure(cell, wait=False)
    stage.workers.work[0]()
    assert stage.received == [0.0, 1.0, 2.0, 3.0]
    assert cell.latest().delivery is None


class InterruptedClock:
    """What strikes where the time is read, once."""

    def __init__(self, strikes: BaseException | None) -> None:
        self.strikes = strikes

    def time(self) -> float:
        strikes, self.strikes = self.strikes, None
        if strikes is not None:
            raise strikes
        return 9.0

    def monotonic(self) -> float:
        return 9.0


def collected(strikes: BaseException | None = None) -> Stage:
    """A source whose cache was collected where no thread could be started."""
    stage = Stage(RuntimeError("can't start new thread"))
    stage.events.report_end({stage.workers.process_id(): stage.cell}, InterruptedClock(strikes))
    assert stage.received == []
    return stage


def test_an_end_that_was_reported_is_forgotten() -> None:
    stage, other = collected(), Stage()
    held = weakref.ref(stage)
    other.events.ensure(other.cell, wait=False)
    assert stage.received == [0.0, 1.0, 2.0, 9.0]
    del stage
    gc.collect()
    assert held() is None


def test_an_end_whose_report_was_interrupted_is_reported_by_the_next_call() -> None:
    stage, other = collected(KeyboardInterrupt()), Stage()
    with pytest.raises(KeyboardInterrupt):
        other.events.ensure(other.cell, wait=False)
    for _ in range(2):
        other.events.ensure(other.cell, wait=False)
    assert stage.received == [0.0, 1.0, 2.0, 9.0]


def test_an_end_that_cannot_be_reported_is_no_error_of_the_next_call() -> None:
    stage, other = collected(OSError("no clock")), Stage()
    for _ in range(2):
        other.events.ensure(other.cell, wait=False)
    assert stage.received == []


@pytest.mark.parametrize("raises", [None, KeyboardInterrupt()], ids=["whole", "interrupted"])
def test_a_listener_of_an_end_may_make_calls_and_hears_each_event_once(raises: BaseException | None) -> None:
    stage, other = collected(), Stage()
    stage.meanwhile, stage.raises = lambda: other.events.ensure(other.cell, wait=False), raises
    with contextlib.suppress(KeyboardInterrupt):
        other.events.ensure(other.cell, wait=False)
    stage.meanwhile = stage.raises = None
    other.events.ensure(other.cell, wait=False)
    assert stage.received == [0.0, 1.0, 2.0, 9.0]


def test_the_end_of_a_cache_that_this_process_never_used_is_reported_once() -> None:
    stage, other = Stage(RuntimeError("can't start new thread")), Stage()
    stage.raises = KeyboardInterrupt()
    cells: dict[int, StateCell] = {}
    stage.events.report_end(cells, InterruptedClock(None))
    with pytest.raises(KeyboardInterrupt):
        other.events.ensure(other.cell, wait=False)
    other.events.ensure(other.cell, wait=False)
    assert stage.received == [9.0]
    assert list(cells) == [stage.workers.process_id()]


def test_an_interrupt_in_a_log_handler_loses_no_event() -> None:
    stage = Stage(RuntimeError("can't start new thread"))
    interrupts = [True]

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # A finalizer may log here too: an interrupt there would reach nobody.
            if interrupts and record.getMessage().startswith("source: "):
                interrupts.clear()
                raise KeyboardInterrupt

    log, handler = logging.getLogger("ramrole_creds"), Handler()
    state = stage.cell.latest()
    changed = Happening("StateChanged", 9.0, old="empty", new="expired", expires=True)
    assert stage.cell.swap(state, state.change(pending=(changed,)))
    log.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            stage.events.ensure(stage.cell, wait=True)
        stage.events.ensure(stage.cell, wait=True)
    finally:
        log.removeHandler(handler)
    assert stage.received == [9.0]
