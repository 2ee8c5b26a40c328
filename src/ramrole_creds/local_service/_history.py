"""What happened lately, for the status page and the metrics; holds no secrets."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from ramrole_creds._pickling import BoundToProcess

if TYPE_CHECKING:
    from ramrole_creds.events import Event

MAX_EVENTS = 200


class History(BoundToProcess):
    """The last events of providers and the number of requests by outcome; thread-safe.

    Give it as `on_event=` to the providers of a service, and to the service.
    """

    _instead = "it counts what happens in this process. Send a provider without it as `on_event`."

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three below
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._requests: Counter[str] = Counter()
        self._total = 0

    def __call__(self, event: Event) -> None:
        """Take an event of a provider."""
        with self._lock:
            self._events.append(event)
            self._total += 1

    def count(self, outcome: str) -> None:
        """Count a request."""
        with self._lock:
            self._requests[outcome] += 1

    def events(self) -> list[Event]:
        """The events, oldest first."""
        with self._lock:
            return list(self._events)

    def total(self) -> int:
        """How many events there were, those that were dropped included."""
        with self._lock:
            return self._total

    def requests(self) -> dict[str, int]:
        """The number of requests by outcome."""
        with self._lock:
            return dict(self._requests)
