"""Waits at the start of a program until there are credentials."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ramrole_creds._checks import checked_seconds
from ramrole_creds.clock import is_scheduling
from ramrole_creds.errors import ConfigurationError, IdentityMismatch, RamRoleError, WaitTimeout

if TYPE_CHECKING:
    from typing import Protocol

    from ramrole_creds.clock import Clock
    from ramrole_creds.credentials import Credentials

    class GetCredentials(Protocol):
        """As `CredentialProvider.get_credentials`."""

        def __call__(self, *, timeout: float | None) -> Credentials: ...


FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 1.0


def wait_until_ready(get_credentials: GetCredentials, clock: Clock, timeout: float) -> Credentials:
    """Call `get_credentials` until it succeeds or the time is over.

    Its own back-off decides when the source is asked again: between two fetches it raises the last error at once.

    Raises:
        RamRoleError: the last error when the time is over.
        ConfigurationError, IdentityMismatch: `get_credentials` raised one; waiting does not help.
        ConfigurationError: `timeout` is not a number of seconds.
    """
    deadline = clock.monotonic() + checked_seconds("timeout", timeout)
    pause, last = FIRST_PAUSE_SECONDS, None
    while True:
        remaining = deadline - clock.monotonic()
        try:
            return get_credentials(timeout=max(0.0, remaining))
        except (ConfigurationError, IdentityMismatch):
            raise
        except RamRoleError as error:
            if last is None or not isinstance(error, WaitTimeout):
                last = error
        remaining = deadline - clock.monotonic()
        if remaining <= 0:
            raise last
        _sleep(clock, min(pause, remaining))
        pause = min(pause * 2, MAX_PAUSE_SECONDS)


def _sleep(clock: Clock, seconds: float) -> None:
    """Wait on the clock if it runs what is due, as a test's does; else on the machine's."""
    over = threading.Event()
    if is_scheduling(clock):
        clock.call_at(clock.monotonic() + seconds, over.set)
        over.wait()
    else:
        over.wait(seconds)
