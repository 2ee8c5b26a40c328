"""Opens and closes the port of a fake cloud, as the endpoint's state and the faults say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.faults.script import Faults
    from ramrole_creds.testing.server.http_server import HttpServer, Listening


class Port:
    """The port of one fake cloud, which faults may close for some time; they report their changes here."""

    def __init__(self, server: HttpServer, faults: Faults, clock: Clock) -> None:
        self._server = server
        self._faults = faults
        self._clock = clock
        self._wanted: Listening = "open"
        self._timer: threading.Timer | None = None
        faults.on_change = self.update

    def switch(self, state: Listening) -> None:
        """Set the state that holds while no fault says otherwise."""
        self._wanted = state
        self.update()

    def update(self) -> None:
        """Switch the port to the state that it should have now."""
        fault = self._faults.listening()
        self._server.listening(self._wanted if fault == "open" else fault)
        change = self._faults.next_change()
        if change is not None and not hasattr(self._clock, "call_at"):
            self.cancel()
            self._timer = threading.Timer(max(0.0, change - self._clock.time()) + 0.001, self.update)
            self._timer.daemon = True
            self._timer.name = f"fake-cloud-{self._server.port}-faults"
            self._timer.start()

    def cancel(self) -> None:
        """Stop waiting for the next change."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
