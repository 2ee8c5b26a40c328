"""Move the time of the whole process with a virtual clock, for code that reads the system's time."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timezone
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing.clocks import VirtualClock

# freezegun stops `time.monotonic` too, which would stop the time limits of real connections.
_IN_REAL_TIME = ["ramrole_creds._http", "ramrole_creds.testing.server", "urllib3", "http.client", "asyncio"]


@contextlib.contextmanager
def system_time(clock: VirtualClock) -> Iterator[None]:
    """Let `time.time()` and `datetime.now()` of this process follow the clock while the context lasts.

    Uses time-machine, or else freezegun; inside of freezegun always freezegun, since the two exclude each other.

    Args:
        clock: the clock to follow.

    Raises:
        RuntimeError: neither of them is installed.
    """
    if find_spec("time_machine") is not None and not _is_frozen():
        context = _by_time_machine(clock)
    elif find_spec("freezegun") is not None:
        context = _by_freezegun(clock)
    else:
        raise RuntimeError("Moving the system's time needs a package for it. Run: pip install time-machine")
    with context as move_to, clock.watched(move_to):
        yield


def _is_frozen() -> bool:
    """True while freezegun stops the time of the process."""
    return time.time.__module__.startswith("freezegun")


@contextlib.contextmanager
def _by_time_machine(clock: VirtualClock) -> Iterator[Callable[[float], object]]:
    import time_machine

    with time_machine.travel(clock.time(), tick=False) as traveller:
        yield lambda seconds: traveller.move_to(seconds, tick=False)


@contextlib.contextmanager
def _by_freezegun(clock: VirtualClock) -> Iterator[Callable[[float], object]]:
    import freezegun

    with freezegun.freeze_time(_moment(clock.time()), ignore=_IN_REAL_TIME) as frozen:
        yield lambda seconds: frozen.move_to(_moment(seconds))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
