"""What holds for every test: no network, no environment of the developer's, no secret in anything that is printed."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from ramrole_creds.testing.environment import isolated_environment
from ramrole_creds.testing.masking import leaked_marker, mask_text
from ramrole_creds.testing.network import forbid_network
from tests.own_network import no_namespaces, own_network

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.own_network import Trap

# A busy machine is not a failure: an import inside of the first example may take longer than hypothesis' limit.
settings.register_profile("any machine", parent=settings(), deadline=None)
# `tox run -e fuzz` takes this many.
settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("RAMROLE_CREDS_FUZZ_EXAMPLES", "10000")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("any machine")

pytest_plugins = ["pytester"]
FOREIGN_THREADS = "non-blocking-refresh"


@pytest.fixture(autouse=True, scope="session")
def _network() -> Iterator[list[str]]:
    """Every connection that leaves loopback fails; what was tried is noted."""
    with forbid_network() as tried:
        yield tried


@pytest.fixture(autouse=True, scope="session")
def _trap() -> Iterator[Trap | None]:
    """Where it can be made, a network of loopback alone, also for child processes and for code that connects in C."""
    if no_namespaces():
        yield None
        return
    with own_network() as trap:
        yield trap


@pytest.fixture
def trap(_trap: Trap | None) -> Trap:
    """For tests whose children could reach the real metadata address where the redirect is broken."""
    if _trap is None:
        pytest.skip(no_namespaces())
    return _trap


@pytest.fixture(autouse=True)
def _only_loopback(_network: list[str], _trap: Trap | None) -> Iterator[None]:
    """A test that tries to leave loopback fails, even where the code under test swallowed the error."""
    before = len(_network)
    yield
    assert not _network[before:], f"this test tried to connect to {_network[before:]}"
    assert _trap is None or not _trap.caught(), "something that this test started asked the real metadata address"


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No credentials, profiles and proxies of whoever runs the tests; nothing listens at the metadata address."""
    with isolated_environment("http://127.0.0.1:9", tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and every child process would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _no_foreign_timers() -> Iterator[None]:
    """The official client starts a thread that asks again every minute, also when its test is long over."""
    if find_spec("apscheduler") is None:
        yield
        return
    from apscheduler.schedulers.background import BackgroundScheduler

    with pytest.MonkeyPatch.context() as patch:
        for name in ("start", "shutdown"):  # the latter is registered to be called at exit
            patch.setattr(BackgroundScheduler, name, lambda *_args, **_options: None)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """The official client fetches ahead on threads: let them end while the test's cloud is still there."""
    module = sys.modules.get("alibabacloud_credentials.provider.refreshable")
    if module is not None and any(thread.name.startswith(FOREIGN_THREADS) for thread in threading.enumerate()):
        module.EXECUTOR.shutdown(wait=True)
        vars(module)["EXECUTOR"] = ThreadPoolExecutor(thread_name_prefix=FOREIGN_THREADS)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """A test fails where a secret of the fake cloud shows in its output, its log (debug level) or its error."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    texts = [text for title, text in report.sections if "fake cloud" not in title]
    leak = next((leak for leak in map(leaked_marker, [*texts, report.longreprtext]) if leak is not None), None)
    if leak is not None and item.get_closest_marker("may_leak") is None:
        report.outcome = "failed"
        report.sections = [(title, mask_text(text)) for title, text in report.sections]
        report.longrepr = f"A secret was printed during {report.when} of this test:\n{leak}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "may_leak: this test prints a secret on purpose")
    logging.getLogger("ramrole_creds").setLevel(logging.DEBUG)
