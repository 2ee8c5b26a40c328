"""The one background thread: started when something expires, serves every provider, goes with the last."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import Credentials, FunctionProvider, StaticProvider
from ramrole_creds._cache.refresher import ThreadRefresher, threads_are_refused
from ramrole_creds.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.clock import Pending

MAX_SECONDS = 20.0


def run(program: str, seconds: float = 30.0) -> str:
    """What a program prints in an interpreter of its own, which must end in time and well."""
    done = subprocess.run(
        [sys.executable, "-c", PREFACE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout.strip()


PREFACE = """
import gc, os, threading, time
from datetime import datetime, timedelta, timezone
from ramrole_creds import Credentials, FunctionProvider, RefreshPolicy, StaticProvider
fetched = []
def mint(life=3600.0):
    fetched.append(1)
    ends = datetime.now(timezone.utc) + timedelta(seconds=life)
    return Credentials(f"STS.NT{len(fetched):012d}", "secret", "token", ends)
def wait_until(ready, seconds=20.0):
    end = time.monotonic() + seconds
    while not ready() and time.monotonic() < end:
        time.sleep(0.005)
    return ready()
def names():
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("ramrole"))
"""


def test_a_thousand_providers_share_one_thread_and_it_goes_with_the_last() -> None:
    program = """
        providers = [FunctionProvider(mint) for _ in range(1000)]
        for provider in providers:
            provider.get_credentials()
        assert wait_until(lambda: names() == ["ramrole-creds-refresh"]), names()
        for provider in providers[:500]:
            provider.close()
        del providers, provider
        gc.collect()
        print(wait_until(lambda: not names()), threading.active_count())
    """
    assert run(program) == "True 1"


def test_a_provider_that_goes_at_once_does_not_take_the_refresher_along() -> None:
    program = """
        for _ in range(200):
            FunctionProvider(mint).get_credentials()
        kept = FunctionProvider(lambda: mint(1.0))
        first = kept.get_credentials()
        print(wait_until(lambda: kept.status().generation > 1))
    """
    assert run(program) == "True"


def test_no_thread_runs_for_what_never_expires() -> None:
    program = """
        StaticProvider("LTAI5tabcdefgh1234", "secret").get_credentials()
        print(wait_until(lambda: not names()))
    """
    assert run(program) == "True"


def test_a_program_that_sleeps_finds_fresh_credentials_without_having_read() -> None:
    program = """
        provider = FunctionProvider(lambda: mint(1.0))
        provider.get_credentials()
        assert wait_until(lambda: len(fetched) >= 4)
        begin = time.perf_counter()
        provider.get_credentials()
        print(provider.status().state)
    """
    assert run(program) in ("fresh", "advisory")


def test_exit_is_not_delayed_by_a_fetch_that_hangs() -> None:
    program = """
        provider = FunctionProvider(lambda: time.sleep(3600), name="hung")
        try:
            provider.get_credentials(timeout=0.05)
        except TimeoutError:
            print("out")
    """
    began = time.monotonic()
    assert run(program) == "out"
    assert time.monotonic() - began < MAX_SECONDS


def test_credentials_can_be_had_while_the_interpreter_ends() -> None:
    program = """
        import atexit
        provider = FunctionProvider(mint)
        atexit.register(lambda: print(provider.get_credentials().access_key_id))
    """
    assert run(program) == "STS.NT000000000001"


class Due:
    """Something to be served."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.called = threading.Event()
        self._then = then

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    def has_leapt(self) -> bool:
        return False

    def expires_at(self) -> float:
        return 0.0

    def on_due(self) -> Pending | None:
        self.called.set()
        self._then()
        return None


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_whatever_one_provider_raises_the_others_are_served(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    refresher = ThreadRefresher()
    bad, good = Due(fail), Due()
    assert refresher.schedule(bad, bad.monotonic())
    assert bad.called.wait(MAX_SECONDS)
    assert refresher.schedule(good, good.monotonic() + 0.01)
    assert good.called.wait(MAX_SECONDS)


def test_what_is_scheduled_again_is_called_at_the_later_word_only() -> None:
    refresher = ThreadRefresher()
    moved, other = Due(), Due()
    refresher.schedule(moved, moved.monotonic() + 0.05)
    refresher.schedule(moved, moved.monotonic() + 3600)
    refresher.schedule(other, other.monotonic() + 0.1)
    assert other.called.wait(MAX_SECONDS)
    assert not moved.called.is_set()
    refresher.forget(moved)


def test_schedule_reports_a_machine_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    due = Due()
    refresher = ThreadRefresher()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not refresher.schedule(due, due.monotonic())
        provider = FunctionProvider(_mint)
        assert provider.get_credentials() is provider.get_credentials()
    assert refresher.schedule(due, due.monotonic())
    assert due.called.wait(MAX_SECONDS)


def test_a_collected_provider_leaves_nothing_behind() -> None:
    provider = FunctionProvider(_mint)
    provider.get_credentials()
    cache = provider.__dict__["_cache"]
    gone = threading.Event()
    weakref.finalize(cache, gone.set)
    del provider, cache
    # The thread that fetched may hold it a moment longer, and a free-threaded interpreter frees it in this thread only.
    deadline = time.monotonic() + MAX_SECONDS
    while not gone.wait(0.01) and time.monotonic() < deadline:
        gc.collect()
    assert gone.is_set()
    StaticProvider("LTAI5tabcdefgh1234", "secret").close()


def _mint() -> Credentials:
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    return Credentials("STS.NT000000000001", "secret", "token", ends)


def test_no_thread_is_started_where_the_interpreter_ends_or_a_start_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert threads_are_refused() == ""
    names: dict[str, Any] = {"__name__": "threading", "refused": threads_are_refused}
    exec("def start(): return refused()", names)  # as a signal handler that runs inside of Thread.start()
    assert names["start"]() == "the start of another thread was interrupted"
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert threads_are_refused() == "the interpreter is ending"
