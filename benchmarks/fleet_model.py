"""Policies of credential caches for whole fleets at once, as arrays.

`Ours` computes what `ramrole_creds._cache` decides: the windows come from the real `RefreshPolicy`, and
`fleet_check.py` compares the times of all requests with those of real caches. The peers have no jitter: their
windows are those of their sources, and a program that holds expiring credentials asks again at each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ramrole_creds._cache.policy import (
    LONG_OUTAGE_CEILING_SECONDS,
    LONG_OUTAGE_FAILURES,
    LONG_OUTAGE_LEFT_SECONDS,
    MIN_DELAY_CEILING_SECONDS,
)
from ramrole_creds._cache.snapshot import LAST_TRY_FRACTION, LAST_TRY_SECONDS, MAX_UNCHECKED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import RefreshPolicy

    Draw = Callable[[Any, Any], tuple[Any, Any]]

Array = Any  # of numpy, whose generic types say nothing here
CALL_SECONDS = 1.0


@dataclass(frozen=True)
class Service:
    """What issues the credentials.

    Args:
        name: of the service.
        life: seconds of their life.
        overlap: seconds before the end at which the next ones are issued; until then the old ones are repeated. None
            where each call issues new ones.
    """

    name: str
    life: float
    overlap: float | None

    @property
    def cycle(self) -> float:
        """Seconds between two issues; those of a service that issues at each call are the caller's."""
        return self.life - (self.overlap or 0.0)

    def expiration(self, first: Array, now: Array) -> Array:
        """When the credentials end that are returned `now` to instances whose first ones were issued at `first`."""
        if self.overlap is None:
            return now + self.life
        return first + np.floor((now - first) / self.cycle + 1e-9) * self.cycle + self.life


METADATA = Service("metadata", 21600.0, 1800.0)
STS = Service("STS", 3600.0, None)


@dataclass
class Fleet:
    """Processes, one value of each array for each of them.

    Args:
        service: whom they ask.
        first: when their first credentials were issued.
        held_until: when those end that they hold at the beginning.
        next_at: when each asks next.
        down: (begin, end) of an outage.
    """

    service: Service
    first: Array
    held_until: Array
    next_at: Array
    down: tuple[float, float] = (np.inf, np.inf)


@dataclass
class Requests:
    """Every request of a fleet: when, by which process, and whether it was answered."""

    times: Array
    processes: Array


class Ours:
    """The policy of ramrole-creds."""

    name = "ramrole-creds"

    def __init__(self, policy: RefreshPolicy, draw: Draw) -> None:
        self._policy = policy
        self._draw = draw

    def opens_at(self, fetched_at: Array, expires_at: Array, random: Array) -> Array:
        """When the refresher asks for credentials that were fetched and end then: the opening of the window."""
        policy, life = self._policy, expires_at - fetched_at
        # `RefreshPolicy.advisory_left` for many lives: its ceiling is reached where the life is long enough.
        window = np.minimum(policy.advisory_left(np.inf, 0.0), 0.25 * life) * (1 + policy.jitter * random)
        return np.minimum(expires_at - window, fetched_at + MAX_UNCHECKED_SECONDS)

    def run(self, fleet: Fleet, until: float) -> Requests:
        """All requests before `until`."""
        next_at, ends = fleet.next_at.copy(), fleet.held_until.copy()
        lives = np.full(len(ends), fleet.service.life)
        failures: Array = np.zeros(len(ends), int)
        fetches: Array = np.ones(len(ends), int)
        times: list[Array] = [np.empty(0)]
        processes: list[Array] = [np.empty(0, int)]
        while len(who := np.flatnonzero(next_at < until)):
            now = next_at[who]
            times.append(now)
            processes.append(who)
            first_random, second_random = self._draw(who, fetches[who])
            fetches[who] += 1
            down = (fleet.down[0] <= now) & (now < fleet.down[1])
            end = fleet.service.expiration(fleet.first[who], now)
            newer = ~down & (end > ends[who])
            left = np.maximum(0.0, ends[who] - now)
            failures[who] = np.where(down, failures[who] + 1, 0)
            delay = np.where(
                down,
                self.delay_after_failure(failures[who], left, second_random),
                self.delay_after_unchanged(left, second_random),
            )
            again = self._last_try_before(now + delay, now, ends[who], lives[who])
            next_at[who] = np.where(newer, self.opens_at(now, end, first_random), again)
            lives[who] = np.where(newer, end - now, lives[who])
            ends[who] = np.where(newer, end, ends[who])
        return Requests(np.concatenate(times), np.concatenate(processes))

    def delay_after_failure(self, failures: Array, left: Array, random: Array) -> Array:
        """`RefreshPolicy.delay_after_failure` for many."""
        policy = self._policy
        by_life = np.maximum(MIN_DELAY_CEILING_SECONDS, left / 10)
        long = failures >= LONG_OUTAGE_FAILURES
        slow = np.maximum(LONG_OUTAGE_CEILING_SECONDS, (left - LONG_OUTAGE_LEFT_SECONDS) / 10)
        ceiling = np.minimum(policy.retry_max, np.where(long, slow, by_life))
        ceiling = np.minimum(policy.retry_initial * 2.0 ** np.minimum(failures, 60), ceiling)
        least = np.where(long, ceiling / 2, 0.0)
        return np.maximum(policy.retry_initial, least + random * (ceiling - least))

    def delay_after_unchanged(self, left: Array, random: Array) -> Array:
        """`RefreshPolicy.delay_after_unchanged` for many."""
        policy = self._policy
        return np.maximum(policy.retry_initial, (0.5 + random / 2) * np.minimum(policy.retry_max, left / 10))

    @staticmethod
    def _last_try_before(again: Array, now: Array, ends: Array, lives: Array) -> Array:
        """`Snapshot.last_try_before` for many."""
        last = ends - np.minimum(LAST_TRY_SECONDS, LAST_TRY_FRACTION * lives)
        moved = np.where((now < ends) & (ends < again), ends, again)
        return np.where((now < last) & (last < again), last, moved)


class Peer:
    """A cache without jitter and without pauses, whose fetches are made by calls, one call a second.

    Args:
        name: of the library.
        opens: when it asks, of the moment of the last fetch and the end of what that returned.
    """

    def __init__(self, name: str, opens: Callable[[Array, Array], Array]) -> None:
        self.name = name
        self._opens = opens

    def opens_at(self, fetched_at: Array, expires_at: Array, random: Array) -> Array:
        """When it asks next; the first call after that moment does."""
        opens = np.maximum(self._opens(fetched_at, expires_at), fetched_at)
        return opens + random * CALL_SECONDS

    def run(self, fleet: Fleet, until: float) -> Requests:
        """All requests before `until`."""
        next_at, ends = fleet.next_at.copy(), fleet.held_until.copy()
        times: list[Array] = [np.empty(0)]
        processes: list[Array] = [np.empty(0, int)]
        generator = np.random.default_rng(7)
        while len(who := np.flatnonzero(next_at < until)):
            now = next_at[who]
            times.append(now)
            processes.append(who)
            down = (fleet.down[0] <= now) & (now < fleet.down[1])
            end = fleet.service.expiration(fleet.first[who], now)
            newer = ~down & (end > ends[who])
            ends[who] = np.where(newer, end, ends[who])
            opens = self.opens_at(now, ends[who], generator.random(len(who)))
            next_at[who] = np.where(down, now + CALL_SECONDS, np.maximum(opens, now + CALL_SECONDS))
        return Requests(np.concatenate(times), np.concatenate(processes))


def official(service: Service) -> Peer:
    """alibabacloud-credentials 1.0: an hour after the fetch, or with 15 minutes left; STS: with 15 minutes left."""
    if service is STS:
        return Peer("alibabacloud-credentials", lambda _, end: end - 900.0)
    return Peer("alibabacloud-credentials", lambda at, end: np.minimum(at + 3600.0, end - 900.0))


def botocore(service: Service) -> Peer:
    """botocore: with 15 minutes left, whatever the service."""
    del service
    return Peer("botocore", lambda _, end: end - 900.0)
