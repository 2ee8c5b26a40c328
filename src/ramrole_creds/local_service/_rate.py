"""A bound on how often each client may ask: one token bucket per client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CLIENTS = 4096


class RateLimiter:
    """Counts requests per client; used by one event loop.

    Args:
        per_second: requests on average; 0 for any number.
        burst: requests at once.
        monotonic: seconds of a clock.
    """

    def __init__(self, per_second: float, burst: float, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, client: str) -> bool:
        """Count one request; False where it is one too many."""
        if not self._per_second:
            return True
        now = self._monotonic()
        tokens, since = self._buckets.get(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        allowed = tokens >= 1.0
        if client not in self._buckets and len(self._buckets) >= MAX_CLIENTS:
            self._drop_full(now)
        self._buckets[client] = (tokens - 1.0 if allowed else tokens, now)
        return allowed

    def _drop_full(self, now: float) -> None:
        """Forget clients whose buckets are full again, and the oldest where none is."""
        full = [
            name
            for name, (tokens, since) in self._buckets.items()
            if tokens + (now - since) * self._per_second >= self._burst
        ]
        for name in full or [next(iter(self._buckets))]:
            del self._buckets[name]
