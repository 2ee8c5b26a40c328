"""The proof notices mistakes: each plausible one in the cache fails a scenario or a schedule."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cachesim.exploration import explore
from cachesim.mutants import mutated_cache
from cachesim.scenario import Player
from cachesim.world import Stuck

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = [
    case
    for path in sorted((Path(__file__).parents[1] / "scenarios").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
SCHEDULES = 300

MISTAKES = {
    "expired credentials are served": (
        "cache",
        "if held is None or now >= snapshot.expires_at or snapshot.expires_at - now < ask.valid_for:",
        "if held is None or snapshot.expires_at - now < ask.valid_for < 0:",
    ),
    "every caller fetches for itself": (
        "cache",
        "            if flight is None and self.snapshot is snapshot:\n                self._refuse_in_vain",
        "            if True:\n                self._refuse_in_vain",
    ),
    "the flight is cleared without the lock being asked who flies": (
        "cache",
        "            if not abandoned:\n                desk.flight = None\n",
        "            desk.flight = None\n",
    ),
    "the late answer of an abandoned fetch overwrites a newer one": (
        "cache",
        "if abandoned and (self._closed or isinstance(outcome, Exception) or self.snapshot is not flight.held):",
        "if abandoned and (self._closed or isinstance(outcome, Exception)):",
    ),
    "a late answer wipes out the pause": ("cache", "            if not late:\n", "            if True:\n"),
    "credentials that end sooner replace better ones": (
        "admission",
        "return None not in (old.expiration, new.expiration) and expires_at < held.expires_at",
        "return False",
    ),
    "the same credentials again count as new": (
        "admission",
        "        return old.expiration == new.expiration or new.expiration is None",
        "        return False",
    ),
    "an error leaves no pause": (
        "pacing",
        "        self.not_before = snapshot.last_try_before(now + pause, now) if left",
        "        self.not_before = now if left",
    ),
    "the pause never grows": ("policy", "2.0 ** min(failures, 60)", "2.0 ** 0"),
    "the pause has no ceiling": ("policy", "draw * min(grown, self.pause_ceiling(left))", "draw * grown"),
    "the pause runs past the last chance before expiry": (
        "policy",
        "            if now < moment < not_before:\n                return moment",
        "            if now < moment < not_before:\n                return not_before",
    ),
    "jitter opens the window later": ("policy", "* (1 + self.jitter * draw)", "* (1 - self.jitter * draw)"),
    "windows are fixed instead of proportional": (
        "policy",
        "min(self.prefetch_window, PREFETCH_PART * life)",
        "self.prefetch_window",
    ),
    "waiters are not let go when a fetch fails": (
        "cache",
        "            self._schedule(desk)\n            flight.finish()\n",
        "            self._schedule(desk)\n            flight.error or flight.finish()\n",
    ),
    "a hung fetch is never abandoned": (
        "cache",
        "if flight.done() or self._runtime.monotonic() < flight.deadline:",
        "if True:",
    ),
    "a hung fetch that nobody waits for blocks the next": (
        "cache",
        "        if flight is not None:  # perhaps one that all its waiters have left\n",
        "        if False:\n",
    ),
    "a reader in the mandatory window waits for the whole fetch": (
        "cache",
        "until = min(ask.flight.started + self._policy.wait_bound, ask.deadline)",
        "until = min(ask.flight.started + self._policy.fetch_timeout, ask.deadline)",
    ),
    "a reader in the prefetch window waits": (
        "cache",
        "        if desk.busy() or now < due:\n            return None\n",
        """\
        if desk.busy():
            ask.flight = desk.flight or ask.flight
            return self._brief_wait(ask)
""",
    ),
    "readers leave a refresher asleep": (
        "cache",
        "desk.refresher_runs = self._refresher.schedule(self, now)",
        "pass",
    ),
    "readers never stand in for a refresher": ("cache", "now - due <= window / 2", "now - due <= window * 2"),
    "readers stand in at once": ("cache", "now - due <= window / 2", "now - due <= 0"),
    "the refresher is not told of new credentials": (
        "cache",
        "        finally:\n            self._schedule(desk)\n            flight.finish()\n",
        "        finally:\n            flight.finish()\n",
    ),
    "the process id is not looked at": (
        "cache",
        "        process_id = self._runtime.process_id()\n",
        "        process_id = 1\n",
    ),
    "a child in the prefetch window asks at once": (
        "pacing",
        "        if snapshot.prefetch_at <= now",
        "        if now < snapshot.prefetch_at <= now",
    ),
    "a forked child forgets when upstream was looked at": (
        "cache",
        "self._hold_again(self.snapshot.looked_at)",
        "self._hold_again(self.snapshot.fetched_at)",
    ),
    "the local clock is trusted over the server's": (
        "admission",
        "    if context.server_time is not None:",
        "    if False:",
    ),
    "rejected credentials that were replaced are fetched again": (
        "cache",
        "if alive and held is not None and not same_keys(held, rejected):",
        "if False:",
    ),
    "a rejection keeps no pause": (
        "cache",
        "                    if self._asked_in_vain(desk):",
        "                    if False:",
    ),
    "too short is not remembered": ("cache", "            if known or pausing:", "            if pausing:"),
    "an unknown expiry is fresh for ever": (
        "policy",
        "seconds = math.inf if credentials.security_token is None else UNKNOWN",
        "seconds = math.inf if True else UNKNOWN",
    ),
    "a key that may change is never looked at again": ("flight", "        self.refetch_after = after\n", ""),
    "a thread waits for what never ends": ("cache", " or (flight is None and not snapshot.ends)", ""),
    "a forked child forgets that a key may change": ("cache", "refetch_after=held.refetch_after", "refetch_after=None"),
    "readers come late to a key that may change": ("cache", "self._policy.prefetch_window, lived)", "1500.0)"),
    "a BaseException leaves its waiters": (
        "cache",
        "        except BaseException as error:  # noqa: BLE001  # whatever",
        "        except Exception as error:  # whatever",
    ),
    "a state is told at every look": (
        "cache",
        "            new = desk.state = snapshot",
        "            new = snapshot",
    ),
    "after a fetch that failed the next starts at once": (
        "cache",
        "        elif pausing and pacing.error is not None:",
        "        elif False:",
    ),
    "unrecoverable errors are remembered for ever longer": (
        "pacing",
        "pause = max(pause, remembered) if left else remembered",
        "pause = 3600.0",
    ),
    "closing leaves waiters": (
        "cache",
        "            flight.finish()  # who waited looks again and finds this closed\n",
        "            pass\n",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "ramrole_creds")
    make_cache = mutated_cache(*MISTAKES[mistake])
    with pytest.raises((AssertionError, Stuck)):
        prove(make_cache)


def prove(make_cache: Callable[..., Any]) -> None:
    """Every scenario, then schedules; raises at the first that fails."""
    for case in CASES:
        Player(case, make_cache).play()
    for seed in range(SCHEDULES):
        explore(seed, make_cache)
