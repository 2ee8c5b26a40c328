"""The time that passes on this machine, for the time limits of connections.

freezegun replaces `time.monotonic` in every module, and a test that moves the frozen time would end the connections
to its fake cloud. It leaves `clock_gettime` and what a tuple holds alone.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_READERS: tuple[Callable[[], float], ...] = (
    partial(time.clock_gettime, time.CLOCK_MONOTONIC) if hasattr(time, "CLOCK_MONOTONIC") else time.monotonic,
)


def monotonic() -> float:
    """Seconds that neither step nor freeze."""
    return _READERS[0]()
