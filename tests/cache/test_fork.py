"""Processes that split: children work at once, whatever their parent was doing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds.cache import CredentialCache
from ramrole_creds.threads import ThreadRuntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not split processes")
MOST_SECONDS = 20.0


class Source:
    """Counts its fetches, and parks them where it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> Credentials:
        self.count += 1
        self.entered.set()
        self.go.wait(MOST_SECONDS)
        ends = datetime.now(timezone.utc) + timedelta(hours=6)
        return Credentials(f"STS.NT{self.count:012d}", "secret", "token", ends)


def in_child(work: Callable[[], int]) -> int:
    """The exit status of a child that calls `work`; 99 where it raised, 98 where it hung."""
    return wait_for(split(work))


def split(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return child


def wait_for(child: int) -> int:
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 98


def test_forty_eight_workers_forked_from_a_warm_parent_ask_for_nothing() -> None:
    source = Source()
    provider = FunctionProvider(source)
    held = provider.get_credentials()

    def work() -> int:
        threads = [threading.Thread(target=provider.get_credentials) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return source.count if provider.get_credentials() == held else 97

    children = [split(work) for _ in range(48)]
    assert [wait_for(child) for child in children] == [1] * 48


def test_a_child_forked_from_a_cold_parent_fetches() -> None:
    source = Source()
    provider = FunctionProvider(source)
    assert in_child(lambda: (provider.get_credentials(), source.count)[1]) == 1
    assert source.count == 0


def test_a_child_forked_during_a_fetch_does_not_wait_for_it() -> None:
    source = Source()
    source.go.clear()
    provider = FunctionProvider(source)
    caller = threading.Thread(target=provider.get_credentials)
    caller.start()
    assert source.entered.wait(MOST_SECONDS)

    def work() -> int:
        source.go = threading.Event()
        source.go.set()
        provider.get_credentials()
        return source.count

    assert in_child(work) == 2
    source.go.set()
    caller.join(MOST_SECONDS)
    assert not caller.is_alive()


def test_a_child_forked_while_the_cache_is_locked_does_not_deadlock() -> None:
    """The lock belongs to a thread that the child does not have."""
    source = Source()
    runtime = LockedRuntime()
    cache = CredentialCache(lambda _: source(), runtime=runtime)
    cache.get()
    runtime.locks[-1].acquire()

    def work() -> int:
        cache.refresh()
        return source.count

    assert in_child(work) == 2


def test_a_child_whose_server_ran_no_handlers_notices_its_process_id() -> None:
    source = Source()
    runtime = LockedRuntime()
    cache = CredentialCache(lambda _: source(), runtime=runtime)
    cache.get()
    runtime.locks[-1].acquire()
    runtime.child = True
    result: list[Credentials] = []
    caller = threading.Thread(target=lambda: result.append(cache.refresh()), daemon=True)
    caller.start()
    caller.join(MOST_SECONDS)
    assert [credentials.access_key_id[-1] for credentials in result] == ["2"]


class LockedRuntime(ThreadRuntime):
    """Remembers the locks it gave, and can be another process all of a sudden."""

    child = False

    def __init__(self) -> None:
        super().__init__()
        self.locks: list[threading.Lock] = []

    def lock(self) -> threading.Lock:
        self.locks.append(threading.Lock())
        return self.locks[-1]

    def process_id(self) -> int:
        return super().process_id() + self.child


def test_a_child_has_a_refresher_of_its_own() -> None:
    source = Source()
    provider = FunctionProvider(source)
    provider.get_credentials()

    def work() -> int:
        before = {thread.name for thread in threading.enumerate()}
        provider.get_credentials()
        end = time.monotonic() + MOST_SECONDS
        while "ramrole-creds-refresh" not in {thread.name for thread in threading.enumerate()}:
            if time.monotonic() > end:
                return 1
            time.sleep(0.002)
        return 2 if "ramrole-creds-refresh" in before else 0

    assert in_child(work) == 0


def test_making_providers_registers_no_fork_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They could never be taken back, and would leak."""
    registered: list[object] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **handlers: registered.append(handlers))
    for _ in range(10):
        FunctionProvider(Source()).get_credentials()
    assert not registered


POOL = """
import multiprocessing, sys
from ramrole_creds import EnvironmentProvider

def ask(provider):
    return provider.get_credentials().access_key_id

if __name__ == "__main__":
    provider = EnvironmentProvider()
    provider.get_credentials()
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(*set(pool.map_async(ask, [provider] * 8).get(20)))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_workers_get_credentials(method: str, tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL, encoding="utf-8")
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI5tworker0000000001", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    done = subprocess.run(
        [sys.executable, str(script), method],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "LTAI5tworker0000000001", done.stderr
