"""Threads that make calls without a pause: the load of the demonstration."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


class Call(Protocol):
    """One call of one thread."""

    def __call__(self) -> str | None:
        """None when the call was accepted, else what came back, in a line without secrets."""


class LoadGenerator:
    """Threads that call until the context ends, and the results; a context manager.

    Args:
        make_call: makes one call per thread, so that each can hold its own session.
        threads: the number of threads.
    """

    def __init__(self, make_call: Callable[[], Call], threads: int) -> None:
        self._make_call = make_call
        self._done = [0] * threads
        self._refused: list[str] = []
        self._stopping = False
        self._changed = threading.Condition()  # guards the three above
        self._threads = [
            threading.Thread(target=self._work, args=(index,), name=f"demo-caller-{index}", daemon=True)
            for index in range(threads)
        ]

    @property
    def threads(self) -> int:
        """How many threads call."""
        return len(self._threads)

    @property
    def made(self) -> int:
        """Calls that have ended, accepted or not."""
        with self._changed:
            return sum(self._done)

    @property
    def refused(self) -> tuple[str, ...]:
        """What came back to calls that were not accepted."""
        with self._changed:
            return tuple(self._refused)

    def wait_for_a_round(self, timeout: float) -> bool:
        """Wait until every thread has made a whole call that began after now; False when `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        with self._changed:
            # The next call to end may have begun before now; the one after it has not.
            wanted = [done + 2 for done in self._done]
            while any(done < goal for done, goal in zip(self._done, wanted, strict=True)):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
        return True

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
        for thread in self._threads:
            thread.join(timeout=5)

    def _work(self, index: int) -> None:
        call = self._make_call()
        while True:
            try:
                refusal = call()
            except Exception as error:  # noqa: BLE001  # whatever ends a call must be shown
                refusal = f"{type(error).__name__}: {error}"
            with self._changed:
                self._done[index] += 1
                if refusal is not None:
                    self._refused.append(refusal)
                self._changed.notify_all()
                if self._stopping:
                    return
