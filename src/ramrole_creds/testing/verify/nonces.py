"""The memory of nonces that makes a replayed request fail."""

from __future__ import annotations

import threading

NONCE_MEMORY_SECONDS = 15 * 60


class NonceMemory:
    """Nonces seen in the last 15 minutes of the fake cloud's time; thread-safe."""

    def __init__(self, memory_seconds: float = NONCE_MEMORY_SECONDS) -> None:
        self._memory_seconds = memory_seconds
        self._lock = threading.Lock()  # guards _seen
        self._seen: dict[tuple[str, str], float] = {}

    def admit(self, access_key_id: str, nonce: str, now: float) -> bool:
        """True for a nonce that this key did not use in the last 15 minutes; it is then remembered."""
        with self._lock:
            horizon = now - self._memory_seconds
            while self._seen:
                oldest = next(iter(self._seen))
                if self._seen[oldest] > horizon:
                    break
                del self._seen[oldest]
            used_at = self._seen.get((access_key_id, nonce))
            if used_at is not None and used_at > horizon:
                return False
            self._seen.pop((access_key_id, nonce), None)
            self._seen[access_key_id, nonce] = now
            return True
