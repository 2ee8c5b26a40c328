"""The memory of nonces that makes a replayed request fail."""

from __future__ import annotations

import hashlib
import threading

NONCE_MEMORY_SECONDS = 15 * 60
MAX_NONCES = 100_000  # the oldest are forgotten
MAX_NONCE_CHARACTERS = 128  # a longer one is remembered by its digest


class NonceMemory:
    """Nonces seen in the last 15 minutes of the fake cloud's time; thread-safe."""

    def __init__(self, memory_seconds: float = NONCE_MEMORY_SECONDS) -> None:
        self._memory_seconds = memory_seconds
        self._lock = threading.Lock()  # guards _seen
        self._seen: dict[tuple[str, str], float] = {}

    def admit(self, access_key_id: str, nonce: str, now: float) -> bool:
        """True for a nonce that this key did not use in the last 15 minutes; it is then remembered."""
        if len(nonce) > MAX_NONCE_CHARACTERS:
            nonce = hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).hexdigest()
        horizon = now - self._memory_seconds
        with self._lock:
            if self._seen.get((access_key_id, nonce), horizon) > horizon:
                return False
            self._seen.pop((access_key_id, nonce), None)
            while self._seen and (len(self._seen) >= MAX_NONCES or next(iter(self._seen.values())) <= horizon):
                del self._seen[next(iter(self._seen))]
            self._seen[access_key_id, nonce] = now
            return True
