"""A provider may be asked from wherever a program can be: each of these once waited for itself."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import Credentials, FetchError, FunctionProvider, RamRoleError, RefreshPolicy, events
from ramrole_creds._cache.credential_cache import CredentialCache
from ramrole_creds._cache.threads import ThreadRuntime
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds import FetchContext

MAX_SECONDS = 5.0
PATIENT = RefreshPolicy(fetch_timeout=600)


def within(seconds: float, work: Callable[[], object]) -> None:
    """Run it on a thread, which must end in time."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits for itself"


def minted(number: int = 1) -> Credentials:
    return Credentials(f"STS.NT{number:012d}", "secret", "token", VirtualClock().now() + timedelta(hours=1))


PREFACE = """
import logging, logging.config, sys, threading, time
from datetime import datetime, timedelta, timezone
from ramrole_creds import Credentials, EcsRamRoleProvider, FunctionProvider, RefreshPolicy
from ramrole_creds.testing import FakeCloud
def mint():
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    return Credentials("STS.NT000000000001", "secret", "token", ends)
"""


def run(program: str) -> str:
    """What a program prints in its own interpreter, which must end well and in time."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PREFACE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # it traces exits
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout.strip()


def test_a_handler_that_dict_config_makes_may_ask_a_cold_provider() -> None:
    """`dictConfig` holds the lock of the logging package, which a worker's first log line needs."""
    program = """
        with FakeCloud() as cloud:
            provider = EcsRamRoleProvider(endpoint=cloud.metadata_endpoint)

            class Shipping(logging.Handler):
                def __init__(self):
                    super().__init__()
                    self.key = provider.get_credentials().access_key_id

                def emit(self, record):
                    pass

            began = time.monotonic()
            logging.config.dictConfig({
                "version": 1,
                "handlers": {"shipping": {"()": Shipping}},
                "root": {"level": "DEBUG", "handlers": ["shipping"]},
            })
            print(time.monotonic() - began < 5, logging.getLogger().handlers[0].key[:4])
    """
    assert run(program) == "True STS."


def test_a_root_handler_may_ask_a_cold_provider_whose_fetch_logs() -> None:
    program = """
        with FakeCloud() as cloud:
            provider = EcsRamRoleProvider(endpoint=cloud.metadata_endpoint)
            keys = []

            class Shipping(logging.Handler):
                def emit(self, record):
                    try:
                        keys.append(provider.get_credentials().access_key_id[:4])
                    except Exception as error:
                        keys.append(type(error).__name__)

            logging.getLogger().addHandler(Shipping())
            logging.getLogger().setLevel(logging.DEBUG)
            began = time.monotonic()
            logging.getLogger("app").info("first line")
            print(time.monotonic() - began < 5, keys[-1])
    """
    assert run(program) == "True STS."


def test_an_import_hook_that_logs_may_ask_a_cold_provider() -> None:
    program = """
        with FakeCloud() as cloud:
            provider = EcsRamRoleProvider(endpoint=cloud.metadata_endpoint)

            class Shipping(logging.Handler):
                def emit(self, record):
                    try:
                        provider.get_credentials()
                    except Exception:
                        pass

            class Hook:
                def find_spec(self, name, path=None, target=None):
                    logging.getLogger("imports").warning("importing %s", name)

            logging.getLogger("imports").addHandler(Shipping())
            logging.getLogger("imports").propagate = False
            sys.meta_path.insert(0, Hook())
            began = time.monotonic()
            import colorsys
            print(provider.get_credentials().access_key_id[:4], time.monotonic() - began < 5)
    """
    assert run(program) == "STS. True"


def test_a_finalizer_may_ask_a_provider_for_the_first_time_while_the_interpreter_ends() -> None:
    program = """
        class Last:
            def __init__(self, provider):
                self.provider = provider

            def __del__(self):
                print(self.provider.get_credentials().access_key_id)

        key = Credentials("LTAI1", "secret")  # with an expiry, CPython 3.13.0 itself crashes in datetime at this point
        last = Last(FunctionProvider(lambda: key))
    """
    assert run(program) == "LTAI1"


def test_no_thread_is_left_in_a_sub_interpreter() -> None:
    """A legacy one that ends while a thread of it runs aborts the process."""
    program = """
        try:
            import _interpreters as interpreters
            made = interpreters.create("legacy")
        except ImportError:
            import _xxsubinterpreters as interpreters
            made = interpreters.create(isolated=False)
        work = '''
        import sys
        sys.path[:] = PATH
        import threading
        from datetime import datetime, timedelta, timezone
        from ramrole_creds import Credentials, FunctionProvider
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        provider = FunctionProvider(lambda: Credentials("STS.NT1", "secret", "token", ends))
        assert provider.get_credentials().access_key_id == "STS.NT1"
        assert threading.active_count() == 1, threading.enumerate()
        '''
        import textwrap
        text = textwrap.dedent(work).replace("PATH", repr(sys.path))
        run = getattr(interpreters, "exec", None) or interpreters.run_string
        failure = run(made, text)
        interpreters.destroy(made)
        print("ended well", failure)
    """
    assert run(program) == "ended well None"


@pytest.mark.parametrize("ask", ["get", "refresh", "another thread"])
def test_a_fetch_that_asks_its_own_provider_gets_a_typed_error_at_once(ask: str) -> None:
    outcomes: list[str] = []

    def ask_in_thread() -> None:
        def nested() -> None:
            try:
                provider.get_credentials(timeout=60)
            except RamRoleError as error:
                outcomes.append(type(error).__name__)

        thread = threading.Thread(target=nested, daemon=True)
        thread.start()
        thread.join(0.2)  # a thread of the user's that waits is beyond what can be known: its patience is its own

    def fetch() -> Credentials:
        if ask == "another thread":
            ask_in_thread()
            return minted()
        try:
            provider.get_credentials() if ask == "get" else provider.refresh()
        except RamRoleError as error:
            outcomes.append(type(error).__name__)
        return minted()

    provider = FunctionProvider(fetch, policy=PATIENT, clock=VirtualClock())
    within(MAX_SECONDS, provider.get_credentials)
    assert outcomes == ([] if ask == "another thread" else ["FetchError"])
    assert provider.get_credentials().access_key_id.endswith("1")


def test_two_providers_that_ask_each_other_do_not_wait_for_each_other() -> None:
    """Their workers are two threads: the circle is found although no thread waits for itself."""
    outcomes: list[str] = []

    def ask_other(other: str) -> Credentials:
        try:
            return providers[other].get_credentials()
        except FetchError as error:
            outcomes.append(str(error))
            return minted(2)

    clock = VirtualClock()
    providers = {
        name: FunctionProvider(partial(ask_other, other), name=name, policy=PATIENT, clock=clock)
        for name, other in (("first", "second"), ("second", "first"))
    }
    within(MAX_SECONDS, providers["first"].get_credentials)
    assert providers["first"].get_credentials().access_key_id.endswith("2")
    assert "requested from within their own fetch" in outcomes[0]


def test_a_listener_that_asks_and_one_that_shares_a_lock_with_the_caller_hold_nobody() -> None:
    lock = threading.Lock()
    seen: list[str] = []

    def listen(_: events.Event) -> None:
        with lock:
            seen.append(provider.get_credentials().access_key_id)

    provider = FunctionProvider(minted, clock=VirtualClock(), policy=PATIENT, on_event=listen)

    def call() -> None:
        with lock:
            provider.get_credentials()

    within(MAX_SECONDS, call)
    end = time.monotonic() + MAX_SECONDS
    while len(seen) < 2 and time.monotonic() < end:
        time.sleep(0.005)
    assert seen == ["STS.NT000000000001"] * 2


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no interval timers")
def test_a_signal_handler_may_ask_while_the_main_thread_is_inside() -> None:
    program = """
        import signal
        clock_calls = [0]
        provider = FunctionProvider(mint)
        done = [0]

        def handle(number, frame):
            provider.status()
            try:
                provider.get_credentials(valid_for=60)
                provider.refresh()
            except Exception:
                pass
            done[0] += 1

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0007)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                provider.get_credentials(valid_for=30)
                provider.refresh()
                provider.status()
            except Exception as error:
                assert "within their own fetch" in str(error), error
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(done[0] > 20)
    """
    assert run(program) == "True"


class Cyclic:
    """Is in a circle of references, so that only the collector finalizes it."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.circle = self
        self._then = then

    def __del__(self) -> None:
        with suppress(RamRoleError):
            self._then()


def test_a_finalizer_that_the_collector_runs_within_a_call_may_ask() -> None:
    provider = FunctionProvider(minted, clock=VirtualClock(), policy=PATIENT)
    threshold = gc.get_threshold()

    def call() -> None:
        gc.set_threshold(5, 1, 1)
        for _ in range(200):
            for _ in range(3):
                Cyclic(lambda: provider.get_credentials(valid_for=60))
            provider.refresh()

    try:
        within(6 * MAX_SECONDS, call)
    finally:
        gc.set_threshold(*threshold)


class RefusingRuntime(ThreadRuntime):
    """Its threads start only once `error` is None."""

    error: BaseException | None = None

    def spawn(self, work: Callable[[], None], purpose: str) -> None:
        if self.error is not None:
            raise self.error
        super().spawn(work, purpose)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=["KeyboardInterrupt", "MemoryError"])
def test_the_next_caller_does_not_wait_for_a_fetch_whose_start_was_interrupted(error: BaseException) -> None:
    clock, runtime = VirtualClock(), RefusingRuntime()
    cache = CredentialCache(lambda _: minted(), clock=clock, runtime=runtime, policy=PATIENT)
    runtime.error = error
    with pytest.raises((KeyboardInterrupt, FetchError)):
        cache.get()
    runtime.error = None
    clock.advance(5)
    within(MAX_SECONDS, cache.get)
    assert cache.get().access_key_id.endswith("1")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_swallowed_where_no_thread_can_be_started(error: type[BaseException]) -> None:
    runtime = RefusingRuntime()
    runtime.error = RuntimeError("can't start new thread")
    interrupted = [False]

    def fetch(_: FetchContext) -> Credentials:
        if not interrupted[0]:
            interrupted[0] = True
            raise error
        return minted()

    cache = CredentialCache(fetch, clock=VirtualClock(), runtime=runtime, policy=PATIENT)
    with pytest.raises(error):
        cache.get()
    assert cache.get().access_key_id.endswith("1")


def test_log_records_of_a_source_are_never_made_on_the_callers_thread() -> None:
    makers: list[str] = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            makers.append(threading.current_thread().name)

    handler = Recorder(logging.DEBUG)
    logger = logging.getLogger("ramrole_creds")
    logger.addHandler(handler)
    try:
        with FunctionProvider(minted, clock=VirtualClock()) as provider:
            provider.get_credentials()
            provider.refresh()
    finally:
        logger.removeHandler(handler)
    assert makers
    assert threading.current_thread().name not in makers
