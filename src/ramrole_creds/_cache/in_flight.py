"""One fetch in flight: what it must know, and the threads and event loops that wait for it."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from ramrole_creds.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds._cache.fetch_context import FetchContext
    from ramrole_creds._cache.signals import Signal
    from ramrole_creds._cache.snapshot import Snapshot

FETCH_TIME_FRACTION = 0.95
ASYNCIO_ONLY = (
    "get_credentials_async waits on an asyncio event loop, and none is running. Under trio call the synchronous method "
    "on a thread: await trio.to_thread.run_sync(provider.get_credentials)."
)

_waiting: dict[int, tuple[int, InFlightFetch]] = {}
"""By a thread's id: a ticket, and the fetch that it waits for. A circle of threads is found before it closes."""
_tickets = count(1)


IDLE = "_ramrole_creds_idle"
"""An attribute of worker threads that have not begun their work: it may be any fetch's that nobody runs yet."""


def is_idle_worker() -> bool:
    """True where the calling thread is a worker that was interrupted before its first step."""
    return IDLE in threading.current_thread().__dict__


class InFlightFetch:
    """A fetch in flight. Its outcome is written once, before `finish`, and read only after.

    Args:
        context: what the fetch knows.
        done: set when the outcome stands.
        started: when it began, in the runtime's seconds.
        deadline: when it is abandoned.
        held: the snapshot at its start; the late result of an abandoned fetch replaces nothing newer.
    """

    __slots__ = (
        "_callbacks",
        "_claims",
        "_done",
        "_waited_by",
        "context",
        "deadline",
        "error",
        "held",
        "issued_anew",
        "runner",
        "started",
        "starter",
        "unchanged",
        "withdrawn",
    )

    def __init__(self, context: FetchContext, *, done: Signal, started: float, deadline: float, held: Snapshot) -> None:
        self.context = context
        self.started = started
        self.deadline = deadline
        self.held = held
        self.error: Exception | None = None
        self.unchanged = False
        self.issued_anew = False
        self.withdrawn = False
        """True where its start was undone: there is no outcome."""
        self.starter = threading.get_ident()
        """The thread that is about to start it; 0 once its worker was started."""
        self.runner = 0
        """The thread that runs it; 0 before one does."""
        self._claims = deque([True])
        self._done = done
        self._callbacks: deque[Callable[[], None]] = deque()
        self._waited_by: set[int] = set()

    @property
    def waiters(self) -> int:
        """How many calls have waited for it."""
        return len(self._waited_by)

    def add_waiter(self, *, may_block: bool = True) -> None:
        """Count the calling thread, or the running task where it may not block, once."""
        key = threading.get_ident()
        if not may_block:
            import asyncio

            with suppress(RuntimeError):  # no loop of asyncio runs, which is reported later
                key = id(asyncio.current_task())
        self._waited_by.add(key)

    def claim(self) -> bool:
        """True for exactly one caller: the thread that runs it, or the one that undoes its start."""
        try:
            return self._claims.pop()
        except IndexError:
            return False

    def begin(self) -> bool:
        """This thread runs it; False where its start was undone."""
        self.runner = threading.get_ident()
        threading.current_thread().__dict__.pop(IDLE, None)
        return self.claim()

    def done(self) -> bool:
        """True once the outcome stands."""
        return self._done.is_set()

    def waits_for(self, thread: int) -> bool:
        """True where this fetch cannot end before the calling `thread` goes on: it runs there, or waits for it."""
        return self._circle(thread) is not None

    def _circle(self, thread: int) -> int | None:
        """The highest ticket of those that wait in a circle with `thread`, which would close it; None for no circle."""
        fetch: InFlightFetch | None = self
        highest = 0
        for _ in range(len(_waiting) + 1):
            if fetch is None or fetch.done():
                return None
            if thread == (fetch.runner or fetch.starter) or (not fetch.runner and is_idle_worker()):
                return highest
            ticket, fetch = _waiting.get(fetch.runner, (0, None))
            highest = max(highest, ticket)
        return None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds; True when the outcome stands. Returns at once where it would never end."""
        thread = threading.get_ident()
        self.add_waiter()
        outer = _waiting.get(thread)  # an interrupted wait of this thread, where a signal handler calls
        mine = next(_tickets)
        _waiting[thread] = mine, self  # before the look at the others: of two that close a circle, one sees the other
        try:
            highest = self._circle(thread)
            # The last of a circle's threads gives up, so that the others go on.
            return self.done() if highest is not None and highest < mine else self._done.wait(timeout)
        finally:
            if outer is None:
                _waiting.pop(thread, None)
            else:
                _waiting[thread] = outer

    async def wait_async(self, timeout: float) -> bool:
        """The same without blocking the running event loop; the cancellation of one waiter affects no other."""
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(ASYNCIO_ONLY) from None
        future: asyncio.Future[None] = loop.create_future()
        self.add_waiter(may_block=False)

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        def call_back() -> None:
            with suppress(RuntimeError):  # the loop was closed while its coroutine waited
                loop.call_soon_threadsafe(wake)

        self._callbacks.append(call_back)
        if self._done.is_set():  # set before the append was seen: nobody else would call back
            return True
        try:
            await asyncio.wait((future,), timeout=timeout)
        finally:
            with suppress(ValueError):
                self._callbacks.remove(call_back)
        return self._done.is_set()

    def finish(self) -> None:
        """Release every waiter."""
        self._done.set()
        while self._callbacks:
            try:
                call_back = self._callbacks.popleft()
            except IndexError:  # the other finisher of an abandoned fetch took it
                return
            call_back()
