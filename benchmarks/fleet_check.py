"""The same fleets played by real `CredentialCache`s on a clock that the script moves; one thread, no waiting."""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime, timezone
from itertools import count
from typing import TYPE_CHECKING

from ramrole_creds import Credentials
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.state import CacheState, StateCell
from ramrole_creds.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_model import Service

    from ramrole_creds import FetchContext, RefreshPolicy
    from ramrole_creds._cache.runtime import Refreshable
    from ramrole_creds._cache.signals import Signal
    from ramrole_creds.clock import Clock

EPOCH = 1_800_000_000.0
SLICE_SECONDS = 60.0


class Time:
    """The clock of all caches, and what falls due on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wall_offset = EPOCH
        self.work: deque[Callable[[], None]] = deque()
        self.due: list[tuple[float, int, Host]] = []
        self.numbers = count()

    def time(self) -> float:
        """Unix seconds by the local wall clock."""
        return self.now + self.wall_offset

    def monotonic(self) -> float:
        """Seconds of the cache's clock."""
        return self.now

    def do_work(self) -> None:
        """Run what was given to workers."""
        while self.work:
            self.work.popleft()()


class InlineSignal:
    """A signal whose waiter does the work that sets it."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._set = False

    def set(self) -> None:
        """Release the waiter."""
        self._set = True

    def is_set(self) -> bool:
        """True once it was set."""
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        """Do the work, which takes no time."""
        del timeout
        self._time.do_work()
        return self._set


class Host:
    """The runtime of one process, and its cache.

    Args:
        time: of the whole fleet.
        draws: what each random draw gives, in order.
        fetch: what the service answers.
        policy: of the cache.
    """

    def __init__(
        self,
        time: Time,
        draws: Sequence[float],
        fetch: Callable[[FetchContext], Credentials],
        policy: RefreshPolicy,
    ) -> None:
        self._time = time
        self._draws = iter(draws)
        self._process = 1
        self._latest = -1
        self.cache = CredentialCache(fetch, name="fleet", policy=policy, clock=time, runtime=self)

    def fork(self) -> None:
        """Go on as a child of the process."""
        self._process += 1
        self._latest = -1
        self.cache.after_fork_in_child()
        self.cache.get()

    def serve(self, number: int) -> None:
        """Call on the cache, where this is what was scheduled last."""
        if number == self._latest:
            self.cache.on_due()
            self._time.do_work()

    def look_for_leap(self) -> None:
        """What the refresher does once a minute."""
        if self.cache.has_leapt():
            self.cache.on_due()
            self._time.do_work()

    # The runtime

    def cell(self, state: CacheState) -> StateCell:
        """As in a process of its own."""
        return StateCell(state)

    def signal(self) -> Signal:
        """A new signal."""
        return InlineSignal(self._time)

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        """Do it when somebody waits, or at the end of the moment."""
        del purpose
        self._time.work.append(work)

    def holds_foreign_lock(self) -> bool:
        """There is one thread."""
        return False

    def process_id(self) -> int:
        """Changes with a fork."""
        return self._process

    def monotonic(self) -> float:
        """Patience is measured on the same clock."""
        return self._time.now

    def random(self) -> float:
        """The next draw."""
        return next(self._draws)

    def refresher(self, clock: Clock) -> Host:
        """The fleet's heap calls on it."""
        del clock
        return self

    def schedule(self, cache: Refreshable, when: float) -> bool:
        """See `Refresher`."""
        del cache
        self._latest = next(self._time.numbers)
        heapq.heappush(self._time.due, (when, self._latest, self))
        return True

    def forget(self, cache: Refreshable) -> None:
        """See `Refresher`."""
        del cache
        self._latest = -1


class RealFleet:
    """Real caches, one for each process."""

    def __init__(self, service: Service, policy: RefreshPolicy, down: tuple[float, float]) -> None:
        self.time = Time()
        self.times: list[float] = []
        self.processes: list[int] = []
        self.hosts: list[Host] = []
        self._service, self._policy, self._down = service, policy, down

    def start(self, at: float, draws: Sequence[float], *, counted: bool = True) -> Host:
        """A process that starts and fetches at this moment."""
        self.advance(at)
        index = len(self.hosts)
        counts = [counted]

        def fetch(context: FetchContext) -> Credentials:
            now = self.time.now
            if counts[0]:
                self.times.append(now)
                self.processes.append(index)
            counts[0] = True
            if self._down[0] <= now < self._down[1]:
                raise FetchError("The service does not answer.")
            context.record_server_time(EPOCH + now)
            end = EPOCH + float(self._service.expiration(at, now))
            return Credentials(f"STS.{index}.{end}", "secret", "token", datetime.fromtimestamp(end, timezone.utc))

        host = Host(self.time, draws, fetch, self._policy)
        self.hosts.append(host)
        host.cache.get()
        self.time.do_work()
        return host

    def advance(self, until: float) -> None:
        """Let time pass, and do what falls due."""
        time = self.time
        while time.due and time.due[0][0] <= until:
            when, number, host = heapq.heappop(time.due)
            time.now = max(time.now, when)
            host.serve(number)
        time.now = until

    def set_clocks(self, seconds: float, looks_at: Sequence[float]) -> None:
        """Move every wall clock; each process looks at its own within a minute."""
        self.time.wall_offset += seconds
        for at, host in sorted(zip(looks_at, self.hosts, strict=True), key=lambda each: each[0]):
            self.advance(at)
            host.look_for_leap()
