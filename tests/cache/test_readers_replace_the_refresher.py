"""Readers who take a refresher's place: one of them, once, for a moment only, and never on an event loop."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, RefreshPolicy, WaitTimeout
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.threads import ThreadRuntime
from ramrole_creds.testing.clocks import VirtualClock
from tests.cachesim.upstream import Upstream
from tests.cachesim.world import World, WorldRefresher

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import FetchContext
    from ramrole_creds._cache.runtime import Refreshable, Refresher
    from ramrole_creds.clock import Clock

LIFE = 21600.0
REAL_PATIENCE_SECONDS = 10.0


@pytest.mark.parametrize("seed", range(40))
def test_of_many_readers_at_once_one_stands_in(seed: int) -> None:
    world = World(seed, switching=0.5)
    upstream = Upstream(world, life=LIFE)
    cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world)
    world.refresher_allowed = False
    world.call(cache.get)
    world.advance(LIFE - 1000)
    upstream.takes = 1.0
    readers = [world.start(cache.get) for _ in range(4)]
    held = [world.join(reader).result for reader in readers]
    world.close()
    assert len(upstream.requests) == 2
    assert {None if one is None else one.access_key_id[-1] for one in held} == {"1"}


@pytest.mark.parametrize("seed", range(40))
def test_of_many_readers_of_expired_credentials_one_fetches(seed: int) -> None:
    world = World(seed, switching=0.5)
    upstream = Upstream(world, life=LIFE)
    cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world)
    world.refresher_allowed = False
    world.call(cache.get)
    world.advance(LIFE + 1)
    readers = [world.start(cache.get) for _ in range(4)]
    results = [world.join(reader).result for reader in readers]
    world.close()
    assert len(upstream.requests) == 2
    assert {None if one is None else one.access_key_id[-1] for one in results} == {"2"}


@pytest.mark.parametrize("seed", range(20))
def test_a_reader_tries_once_however_quickly_it_fails(seed: int) -> None:
    """Else a source that fails quickly, under a policy of short pauses, holds it try after try."""
    world = World(seed, dawdling=0.2)
    upstream = Upstream(world, life=LIFE, takes=0.01)
    policy = RefreshPolicy(retry_initial=0.0001, retry_max=0.0001, mandatory_wait=5.0)
    cache = CredentialCache(upstream.fetch, policy=policy, clock=world.clock, runtime=world)
    world.call(cache.get)
    world.stop_refresher(dozes=False)
    world.advance(LIFE - 200)
    upstream.answers = "error"
    before = len(upstream.requests)
    task = world.call(cache.get)
    world.close()
    assert task.error is None
    assert len(upstream.requests) == before + 1


class CountedRefresher(WorldRefresher):
    calls = 0

    def schedule(self, cache: Refreshable, when: float) -> bool:
        self.calls += 1
        return super().schedule(cache, when)


class CountingWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.counted = CountedRefresher(self)

    def refresher(self, clock: Clock) -> CountedRefresher:
        return self.counted


def test_readers_wake_a_sleeping_refresher_once() -> None:
    world = CountingWorld()
    refresher = world.counted
    upstream = Upstream(world, life=LIFE)
    cache = CredentialCache(upstream.fetch, clock=world.clock, runtime=world)
    world.call(cache.get)
    refresher.at_rest = True
    world.advance(LIFE - 1500)
    before = refresher.calls
    for _ in range(10):
        world.call(cache.get)
    world.close()
    assert refresher.calls == before + 1


class NoThreads(ThreadRuntime):
    """A server in which no thread can be started any more."""

    allowed = True

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        if not self.allowed:
            raise RuntimeError("can't start new thread")
        work()

    def refresher(self, clock: Clock) -> Refresher:
        return NoRefresher()


class NoRefresher:
    def schedule(self, cache: Refreshable, when: float) -> bool:
        return False

    def forget(self, cache: Refreshable) -> None:
        pass


@pytest.mark.parametrize("left", [1000, 200], ids=["advisory", "mandatory"])
async def test_a_coroutine_never_fetches_on_its_loop(left: int) -> None:
    clock, runtime, fetches = VirtualClock(), NoThreads(), list[int]()

    def fetch(_: FetchContext) -> Credentials:
        fetches.append(1)
        return Credentials("STS.NT1", "secret", "token", clock.now() + timedelta(seconds=LIFE))

    cache = CredentialCache(fetch, clock=clock, runtime=runtime)
    held = await cache.get_async()
    runtime.allowed = False
    clock.advance(LIFE - left)
    assert await cache.get_async() is held
    assert len(fetches) == 1
    assert cache.status().last_error is not None
    clock.advance(5)
    assert cache.get() is not held, "a thread may fetch itself"


async def test_a_coroutine_waits_no_longer_than_it_likes() -> None:
    go = threading.Event()

    def fetch(_: FetchContext) -> Credentials:
        assert go.wait(REAL_PATIENCE_SECONDS)
        return Credentials("STS.NT1", "secret", "token")

    cache = CredentialCache(fetch)
    with pytest.raises(WaitTimeout):
        await asyncio.wait_for(cache.get_async(timeout=0.01), REAL_PATIENCE_SECONDS)
    go.set()
    assert (await cache.get_async()).access_key_id == "STS.NT1"
    cache.close()


async def test_a_coroutine_is_content_with_what_lives_a_moment() -> None:
    clock = VirtualClock()
    ends = clock.now() + timedelta(seconds=0.9)
    cache = CredentialCache(lambda _: Credentials("STS.NT1", "secret", "token", ends), clock=clock)
    assert (await cache.get_async()).expiration == ends
    assert (await cache.get_async()).expiration == ends
    cache.close()
