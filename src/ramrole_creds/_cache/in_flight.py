"""One fetch in in_flight: what it must know, and the threads and event loops that wait for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._cache.runtime import Signal
    from ramrole_creds._cache.snapshot import Snapshot

FETCH_PART_OF_TIME_LIMIT = 0.95
ASYNCIO_ONLY = (
    "get_credentials_async waits on an asyncio event loop, and none runs here. Under trio call the synchronous method "
    "on a thread: await trio.to_thread.run_sync(provider.get_credentials)."
)


class InFlightFetch:
    """A fetch in in_flight. Its outcome is written once, before `finish`, and read only after."""

    __slots__ = ("_callbacks", "_done", "context", "deadline", "error", "held", "started", "unchanged")

    def __init__(self, context: FetchContext, *, done: Signal, started: float, deadline: float, held: Snapshot) -> None:
        self.context = context
        self.started = started
        self.deadline = deadline
        self.held = held
        """What was held when it took off: the late answer of an abandoned fetch may replace nothing newer."""
        self.error: Exception | None = None
        self.unchanged = False
        self._done = done
        self._callbacks: deque[Callable[[], None]] = deque()

    def done(self) -> bool:
        """True once the outcome stands."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; True when the outcome stands."""
        return self._done.wait(timeout)

    async def wait_async(self, timeout: float) -> bool:
        """The same without blocking the running event loop; a cancelled waiter takes nobody along."""
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(ASYNCIO_ONLY) from None
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        def call_back() -> None:
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:  # the loop was closed while its coroutine waited
                return

        self._callbacks.append(call_back)
        if self._done.is_set():  # set before the append was seen: nobody else would call back
            return True
        await asyncio.wait((future,), timeout=timeout)
        return self._done.is_set()

    def finish(self) -> None:
        """Let every waiter go."""
        self._done.set()
        while self._callbacks:
            try:
                call_back = self._callbacks.popleft()
            except IndexError:  # the other finisher of an abandoned fetch took it
                return
            call_back()
