"""Processes that split: children work at once, whatever their parent was doing."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.state import CacheState, StateCell
from ramrole_creds._cache.threads import ThreadRuntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not split processes")
MAX_SECONDS = 20.0


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
        self.go.wait(MAX_SECONDS)
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
    end = time.monotonic() + MAX_SECONDS
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
    assert source.entered.wait(MAX_SECONDS)

    def work() -> int:
        source.go = threading.Event()
        source.go.set()
        provider.get_credentials()
        return source.count

    assert in_child(work) == 2
    source.go.set()
    caller.join(MAX_SECONDS)
    assert not caller.is_alive()


def test_a_child_forked_amid_a_change_of_state_does_not_deadlock() -> None:
    """The thread that was about to change it does not exist in the child."""
    source = Source()
    runtime = ForkingRuntime()
    cache = CredentialCache(lambda _: source(), runtime=runtime)
    cache.get()
    statuses: list[int] = []

    def work() -> int:
        cache.refresh()
        return source.count

    def fork_once() -> None:
        if not statuses:
            statuses.append(0)
            statuses[0] = in_child(work)

    runtime.before_swap = fork_once
    cache.refresh()
    assert statuses == [2]


def test_a_child_whose_server_ran_no_handlers_notices_its_process_id() -> None:
    source = Source()
    runtime = ForkingRuntime()
    cache = CredentialCache(lambda _: source(), runtime=runtime)
    cache.get()
    runtime.child = True
    result: list[Credentials] = []
    caller = threading.Thread(target=lambda: result.append(cache.refresh()), daemon=True)
    caller.start()
    caller.join(MAX_SECONDS)
    assert [credentials.access_key_id[-1] for credentials in result] == ["2"]


class HookedCell(StateCell):
    __slots__ = ("_runtime",)

    def __init__(self, state: CacheState, runtime: ForkingRuntime) -> None:
        super().__init__(state)
        self._runtime = runtime

    def swap(self, old: CacheState, new: CacheState) -> bool:
        self._runtime.before_swap()
        return super().swap(old, new)


class ForkingRuntime(ThreadRuntime):
    """Calls a hook before each change of state, and can be another process all of a sudden."""

    child = False
    before_swap: Callable[[], None] = staticmethod(lambda: None)

    def cell(self, state: CacheState) -> StateCell:
        return HookedCell(state, self)

    def process_id(self) -> int:
        return super().process_id() + self.child


def test_a_child_has_its_own_refresher() -> None:
    source = Source()
    provider = FunctionProvider(source)
    provider.get_credentials()

    def work() -> int:
        before = {thread.name for thread in threading.enumerate()}
        provider.get_credentials()
        end = time.monotonic() + MAX_SECONDS
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


SPLIT_IN_C = """
import ctypes, os, threading, time
from datetime import datetime, timedelta, timezone
from ramrole_creds import Credentials, FunctionProvider
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.threads import ThreadRuntime

fetched = []
entered, go = threading.Event(), threading.Event()
go.set()
life = 6 * 3600.0

def mint():
    fetched.append(1)
    entered.set()
    go.wait(20)
    ends = datetime.now(timezone.utc) + timedelta(seconds=life)
    return Credentials(f"STS.NT{len(fetched):012d}", "secret", "token", ends)

def wait_until(ready):
    end = time.monotonic() + 20
    while not ready() and time.monotonic() < end:
        time.sleep(0.002)
    return ready()

def split(work):
    # A C library's fork, as uWSGI's: none of Python's fork handlers run. `PyDLL` keeps the interpreter's lock, which
    # a child could not get back. No thread may be asking for that lock meanwhile, or the interpreter itself hangs in
    # the child: its condition variable is then in the middle of something.
    for thread in threading.enumerate():
        if thread.name == "ramrole-creds-fetch" and go.is_set():
            thread.join()
    time.sleep(0.05)
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    found = []
    def ended():
        if not found or not found[0]:
            found[:] = os.waitpid(child, os.WNOHANG)
        return found[0]
    if not wait_until(ended):
        os.kill(child, 9)
        os.waitpid(child, 0)
        return "hung"
    return os.waitstatus_to_exitcode(found[1])
"""


needs_global_lock = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="a free-threaded interpreter itself crashes where it is split behind its back (Python's, not ours to mend)",
)


def split_in_c(program: str) -> str:
    """What a program prints in an interpreter of its own, where no threads run but those it starts."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SPLIT_IN_C + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout.strip()


@needs_global_lock
def test_a_child_split_in_c_from_a_warm_parent_goes_on_with_what_that_held() -> None:
    program = """
        provider = FunctionProvider(mint)
        held = provider.get_credentials()
        assert wait_until(lambda: "ramrole-creds-refresh" in {thread.name for thread in threading.enumerate()})

        def work():
            got = []
            threads = [threading.Thread(target=lambda: got.append(provider.get_credentials())) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if got != [held] * 4 or len(fetched) != 1:
                return 97
            return int(provider.refresh().access_key_id[-3:])

        print(split(work), len(fetched), provider.get_credentials() is held)
    """
    assert split_in_c(program) == "2 1 True"


@needs_global_lock
def test_a_child_split_in_c_has_its_own_refresher_once_it_has_read_in_the_advisory_window() -> None:
    """Until then it knows nothing of the split: a read of what is fresh looks at nothing but the time."""
    program = """
        life = 1.0
        provider = FunctionProvider(mint)
        held = provider.get_credentials()

        def work():
            if not wait_until(lambda: provider.get_credentials() != held):
                return 1
            read = len(fetched)
            return 0 if wait_until(lambda: len(fetched) >= read + 2) else 2

        print(split(work))
    """
    assert split_in_c(program) == "0"


@needs_global_lock
def test_a_child_split_in_c_from_a_cold_parent_fetches() -> None:
    program = """
        provider = FunctionProvider(mint)
        print(split(lambda: int(provider.get_credentials().access_key_id[-3:])), len(fetched))
    """
    assert split_in_c(program) == "1 0"


@needs_global_lock
def test_a_child_split_in_c_during_a_fetch_does_not_wait_for_it() -> None:
    program = """
        provider = FunctionProvider(mint)
        go.clear()
        caller = threading.Thread(target=provider.get_credentials)
        caller.start()
        assert entered.wait(20)

        def work():
            global go
            go = threading.Event()
            go.set()
            return int(provider.get_credentials().access_key_id[-3:])

        status = split(work)
        go.set()
        caller.join(20)
        print(status, len(fetched), provider.get_credentials().access_key_id[-3:])
    """
    assert split_in_c(program) == "2 1 001"


@needs_global_lock
def test_no_thread_runs_in_the_master_of_uwsgi_and_the_children_have_theirs() -> None:
    """Where uWSGI runs without threads, one that waits for the interpreter's lock would hang the workers."""
    program = """
        import sys, types

        sys.modules["uwsgi"] = types.SimpleNamespace(masterpid=lambda master=os.getpid(): master)
        life = 1.0
        provider = FunctionProvider(mint)
        held = provider.get_credentials()
        print(threading.active_count())

        def work():
            wait_until(lambda: provider.get_credentials() != held)
            read = len(fetched)
            return 0 if wait_until(lambda: len(fetched) >= read + 2) else 2

        print(split(work))
    """
    assert split_in_c(program) == "1\n0"


IMPORTING = """
import os, sys, threading, time
from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing import FakeCloud

with FakeCloud() as cloud:
    provider = EcsRamRoleProvider(endpoint=cloud.metadata_endpoint)
    threading.Thread(target=provider.get_credentials, daemon=True).start()
    while sys.argv[1] not in sys.modules:
        time.sleep(0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if provider.get_credentials(timeout=10).has_keys() else 2
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("module", ["ramrole_creds._http.connection", "requests", "requests.models"])
def test_a_child_forked_while_the_first_fetch_loads_its_modules_can_load_them_too(module: str) -> None:
    """A module half loaded by a thread that the child does not have would stay so."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTING, module],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "0", done.stderr


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
