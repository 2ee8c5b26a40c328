"""Waits in real time for what another thread does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_PATIENCE_SECONDS = 20.0


def eventually(holds: Callable[[], bool], seconds: float = REAL_PATIENCE_SECONDS) -> bool:
    """Whether a condition holds before the time is over."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.002)
    return holds()
