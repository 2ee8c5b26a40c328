"""Put a clock in place of the system's, for everything in this process that was given no clock."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ramrole_creds.clock import DEFAULT_CLOCK
from ramrole_creds.metadata.answered import forget_answered
from ramrole_creds.provider import restart_providers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.clock import Clock


@contextlib.contextmanager
def process_clock(clock: Clock) -> Iterator[None]:
    """Let every provider, client and signer that was given no clock follow this one, whenever it was made.

    At the beginning and at the end those providers start again: they drop what they fetched and read the environment
    again, so that nothing of one test is served in the next. A provider of a class outside of this library only drops
    what it fetched.

    Args:
        clock: the clock to follow, for instance `cloud.clock`.
    """
    before, DEFAULT_CLOCK.target = DEFAULT_CLOCK.target, clock
    restart_providers()
    forget_answered()
    try:
        yield
    finally:
        DEFAULT_CLOCK.target = before
        restart_providers()
        forget_answered()
