"""Plays cases written as data; `tests/scenarios/README.md` says what each word means."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.policy import RefreshPolicy
from tests.cachesim.upstream import Upstream, serial_of
from tests.cachesim.world import Task, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials

Case = dict[str, Any]
SLACK_SECONDS = 1e-6


class Player:
    """One case being played."""

    def __init__(self, case: Case, make_cache: Callable[..., Any] = CredentialCache) -> None:
        self._case = case
        self._world = World()
        self._world.random_fraction = case.get("chance", 0.5)
        self._world.step_wall(case.get("wall_clock_off_by", 0.0))
        self._policy = RefreshPolicy(**case.get("policy", {}))
        self._upstream = Upstream(self._world, life=case.get("life", 21600.0), dated=case.get("dated", True))
        self._waiting: dict[str, list[Task[Credentials]]] = {}
        self._seen: dict[int, Credentials] = {}
        self._events: list[str] = []
        self._requests_before = 0
        self._cache = make_cache(
            self._upstream.fetch,
            name="upstream",
            policy=self._policy,
            clock=self._world.clock,
            runtime=self._world,
            on_event=lambda event: self._events.append(type(event).__name__),
        )

    def play(self) -> None:
        """Every step, and whether what came of it is what the case expects."""
        at: Any = "what is given"
        try:
            self._bring_about(self._case["given"])
            for number, step in enumerate(self._case["steps"], 1):
                at = f"step {number}, {step}"
                self._take(step)
        except AssertionError as error:
            raise AssertionError(f"{self._case['name']}, {at}: {error}") from error
        finally:
            self._world.close()

    def _bring_about(self, given: str) -> None:
        if given == "none":
            return
        self._world.call(self._get)
        life = self._upstream.life
        advisory, mandatory = self._policy.advisory_left(life, 0.0), self._policy.mandatory_left(life)
        lefts = {"valid": life, "advisory": (advisory + mandatory) / 2, "mandatory": mandatory / 2, "expired": -1.0}
        with self._world.refresher_at_rest():
            self._world.settle()
            self._world.suspend(life - lefts[given])
        self._requests_before = len(self._upstream.requests)
        self._events.clear()

    def _get(self, valid_for: float = 0.0, timeout: float | None = None) -> Credentials:
        credentials: Credentials = self._cache.get(valid_for, timeout)
        self._seen[serial_of(credentials)] = credentials
        return credentials

    def _take(self, step: dict[str, Any]) -> None:
        (action,) = [key for key in step if key != "expect"]
        what = step[action]
        own: Callable[[Any], list[Task[Credentials]] | None] | None = getattr(self, f"_do_{action}", None)
        tasks = own(what) if own is not None else getattr(self._world, action)(what)
        self._world.settle()
        self._check(step.get("expect", {}), tasks or [])

    def _do_get(self, what: dict[str, Any]) -> list[Task[Credentials]]:
        return self._start(self._get, what)

    def _do_refresh(self, what: dict[str, Any]) -> list[Task[Credentials]]:
        rejected = self._seen[what["rejected"]] if "rejected" in what else None
        return self._start(self._cache.refresh, {**what, "rejected": rejected})

    def _do_join(self, name: str) -> list[Task[Credentials]]:
        return [self._world.join(task) for task in self._waiting.pop(name)]

    def _do_upstream(self, what: dict[str, Any]) -> None:
        for name, value in what.items():
            setattr(self._upstream, name, value)

    def _do_machine(self, what: dict[str, bool]) -> None:
        for name, value in what.items():
            setattr(self._world, f"{name}_allowed", value)

    def _do_stop_refresher(self, what: dict[str, bool]) -> None:
        self._world.stop_refresher(dozes=what["dozes"])

    def _do_chance(self, what: float) -> None:
        self._world.random_fraction = what

    def _do_fork(self, what: dict[str, bool]) -> None:
        self._world.fork(self._cache, handlers=what["handlers"])

    def _do_cancelled_get(self, what: object) -> None:
        task = self._world.call(self._cancelled_get)
        assert task.error is None, repr(task.error)

    def _do_close(self, what: object) -> None:
        self._cache.close()

    def _start(self, work: Callable[..., Credentials], what: dict[str, Any]) -> list[Task[Credentials]]:
        arguments = {name: value for name, value in what.items() if name not in ("callers", "name")}
        tasks = [self._world.start(lambda: work(**arguments)) for _ in range(what.get("callers", 1))]
        if "name" in what:
            self._waiting[what["name"]] = tasks
            return []
        return [self._world.join(task) for task in tasks]

    def _cancelled_get(self) -> None:
        async def cancel_one() -> None:
            task = asyncio.ensure_future(self._cache.get_async())
            for _ in range(5):
                await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()

        asyncio.run(cancel_one())

    def _check(self, expected: dict[str, Any], tasks: list[Task[Credentials]]) -> None:
        for task in tasks:
            self._check_result(expected, task)
        status = self._cache.status()
        found = {
            "requests": len(self._upstream.requests) - self._requests_before,
            "state": status.state,
            "failures": status.failures,
            "generation": status.generation,
            "threads": self._world.spawned,
        }
        wanted = {name: value for name, value in expected.items() if name in found}
        assert {name: found[name] for name in wanted} == wanted
        for name, count in expected.get("events", {}).items():
            assert self._events.count(name) == count, (name, self._events)

    def _check_result(self, expected: dict[str, Any], task: Task[Credentials]) -> None:
        if "error" in expected:
            assert type(task.error).__name__ == expected["error"], (task.error, task.result)
            assert expected.get("mentions", "") in str(task.error), task.error
            if "available" in expected:
                assert round(task.error.available) == expected["available"]  # type: ignore[union-attr]
        else:
            assert task.error is None, repr(task.error)
            assert task.result is not None
            serial = serial_of(task.result)
            assert self._upstream.ends[serial] > self._world.clock.true_seconds() - (
                self._world.now - (task.ended or 0.0)
            )
            assert serial == expected.get("credentials", serial), f"got credentials {serial}"
        if "within" in expected:
            assert task.seconds <= expected["within"] + SLACK_SECONDS, f"took {task.seconds} s"
        if "takes" in expected:
            assert abs(task.seconds - expected["takes"]) < SLACK_SECONDS, f"took {task.seconds} s"
