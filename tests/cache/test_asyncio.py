"""Coroutines: one fetch for any number of them and of loops, and no loop is ever blocked."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import ConfigurationError, Credentials, FetchError, FunctionProvider, WaitTimeout, events

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SECONDS = 20.0
MAX_STEP_SECONDS = 0.010
WAITERS = 1000


class Source:
    """Parks its fetches until they may go."""

    def __init__(self) -> None:
        self.count = 0
        self.entered = threading.Event()
        self.go = threading.Event()
        self.error: Exception | None = None

    def __call__(self) -> Credentials:
        self.count += 1
        self.entered.set()
        self.go.wait(MAX_SECONDS)
        if self.error is not None:
            raise self.error
        ends = datetime.now(timezone.utc) + timedelta(hours=6)
        return Credentials(f"STS.NT{self.count:012d}", "secret", "token", ends)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.go.set()


async def entered(source: Source) -> None:
    await asyncio.to_thread(source.entered.wait, MAX_SECONDS)


async def test_a_thousand_coroutines_share_one_fetch_and_no_step_blocks_the_loop(source: Source) -> None:
    provider = FunctionProvider(source)
    steps: list[float] = []
    run = asyncio.events.Handle._run  # noqa: SLF001  # one step of the loop

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()  # of this thread only: what else the machine does is not ours
        run(handle)
        steps.append(time.thread_time() - began)

    gc.collect()
    gc.disable()  # a collection of all that the other tests left behind is no step of ours
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio.events.Handle, "_run", timed)
            waiters = [asyncio.ensure_future(provider.get_credentials_async()) for _ in range(WAITERS)]
            await entered(source)
            await asyncio.sleep(0.02)
            assert not any(waiter.done() for waiter in waiters)
            source.go.set()
            done, _ = await asyncio.wait(waiters, timeout=MAX_SECONDS)
    finally:
        gc.enable()
    assert len(done) == WAITERS
    assert {waiter.result() for waiter in waiters} == {provider.get_credentials()}
    assert source.count == 1
    assert len(steps) > WAITERS
    assert max(steps) < MAX_STEP_SECONDS


async def test_a_cancelled_coroutine_does_not_cancel_the_fetch_of_the_others(source: Source) -> None:
    provider = FunctionProvider(source)
    first, second = (asyncio.ensure_future(provider.get_credentials_async()) for _ in range(2))
    await entered(source)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.go.set()
    assert (await second).access_key_id == "STS.NT000000000001"
    assert source.count == 1


async def test_a_coroutine_waits_no_longer_than_its_timeout(source: Source) -> None:
    provider = FunctionProvider(source)
    with pytest.raises(WaitTimeout, match="continues in the background"):
        await provider.get_credentials_async(timeout=0.02)
    source.go.set()
    assert (await provider.get_credentials_async()).access_key_id == "STS.NT000000000001"


async def test_a_framework_may_cut_a_coroutine_off(source: Source) -> None:
    provider = FunctionProvider(source)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(provider.get_credentials_async(), 0.02)
    source.go.set()
    await provider.get_credentials_async()
    assert source.count == 1


async def test_waiters_share_the_error_of_the_fetch_they_waited_for(source: Source) -> None:
    source.error = FetchError("out of order")
    provider = FunctionProvider(source)
    waiters = [asyncio.ensure_future(provider.get_credentials_async()) for _ in range(8)]
    await entered(source)
    source.go.set()
    errors = await asyncio.gather(*waiters, return_exceptions=True)
    assert [str(error) for error in errors] == ["out of order"] * 8
    assert len({id(error) for error in errors}) == 8, "each raises one of its own"


def test_several_loops_and_threads_share_one_provider_and_one_fetch(source: Source) -> None:
    provider = FunctionProvider(source)
    got: list[Credentials] = []

    async def several() -> None:
        got.extend(await asyncio.gather(*(provider.get_credentials_async() for _ in range(10))))

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    threads += [threading.Thread(target=lambda: got.append(provider.get_credentials())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert source.entered.wait(MAX_SECONDS)
    source.go.set()
    for thread in threads:
        thread.join(MAX_SECONDS)
    assert len(got) == 44
    assert len(set(got)) == source.count == 1


def test_a_loop_that_closed_while_it_waited_does_not_disturb_the_others(source: Source) -> None:
    provider = FunctionProvider(source)
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(provider.get_credentials_async())
    loop.run_until_complete(entered(source))
    waiter.cancel()
    loop.run_until_complete(asyncio.wait((waiter,)))
    loop.close()
    source.go.set()
    assert provider.get_credentials().access_key_id == "STS.NT000000000001"


def test_without_an_asyncio_loop_the_error_says_what_works(source: Source) -> None:
    """Under trio a coroutine of ours runs without an asyncio loop."""
    coroutine = FunctionProvider(source).get_credentials_async()
    with pytest.raises(ConfigurationError, match=r"trio\.to_thread\.run_sync\(provider\.get_credentials\)"):
        coroutine.send(None)


def test_fresh_credentials_need_no_loop_at_all(source: Source) -> None:
    source.go.set()
    provider = FunctionProvider(source)
    held = provider.get_credentials()
    with pytest.raises(StopIteration) as stop:
        provider.get_credentials_async().send(None)
    assert stop.value.value is held


async def test_coroutines_that_wait_for_a_fetch_are_counted_each_once(source: Source) -> None:
    received: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
    provider = FunctionProvider(source, on_event=received.put)
    tasks = [asyncio.ensure_future(provider.get_credentials_async()) for _ in range(5)]
    await entered(source)
    source.go.set()
    await asyncio.gather(*tasks)
    event = await asyncio.to_thread(received.get, timeout=MAX_SECONDS)
    assert isinstance(event, events.Fetched)
    assert event.waiters == 5
