"""Pools of processes: multiprocessing by each start method, and joblib, over two rotations."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.testing.masking import leaked_marker
from tests.engines.conftest import Figures, assert_outlived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches
    from tests.engines.work import Report

HERE = Path(__file__).parent
WORKERS = 2
TASKS = 4
METHODS = ["spawn", "forkserver", "fork"]

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:joblib"),
]


@pytest.fixture
def pool_work(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of tasks, under the name by which workers import it."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=":")
    import pool_work  # type: ignore[import-not-found,unused-ignore]

    return pool_work


@pytest.fixture
def provider(fetches: Fetches) -> Iterator[EcsRamRoleProvider]:
    """A provider that has fetched in the parent."""
    with EcsRamRoleProvider(endpoint=fetches.url) as provider:
        provider.get_credentials()
        yield provider


def executed(pool: str, method: str, module: Any, provider: Any, url: str) -> list[Report]:
    """What the tasks of a pool report."""
    context = multiprocessing.get_context(method)
    if pool == "ProcessPoolExecutor":
        with ProcessPoolExecutor(WORKERS, mp_context=context) as executor:
            return [future.result() for future in [executor.submit(module.work, provider, url) for _ in range(TASKS)]]
    if pool == "ProcessPoolExecutor with initializer":
        with ProcessPoolExecutor(WORKERS, context, module.keep, (provider, url)) as executor:
            return [future.result() for future in [executor.submit(module.work_with_kept) for _ in range(TASKS)]]
    if pool == "Pool with initializer":
        with context.Pool(WORKERS, module.keep, (provider, url)) as workers:
            return [one.get() for one in [workers.apply_async(module.work_with_kept) for _ in range(TASKS)]]
    with context.Pool(WORKERS, maxtasksperchild=1) as workers:
        return workers.starmap(module.work, [(provider, url)] * TASKS, chunksize=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "pool",
    ["ProcessPoolExecutor", "ProcessPoolExecutor with initializer", "Pool with initializer", "Pool of one task each"],
    ids=lambda pool: pool.replace(" ", "-"),
)
def test_tasks_of_a_pool_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud,
    fetches: Fetches,
    provider: EcsRamRoleProvider,
    pool_work: Any,
    figures: Figures,
    method: str,
    pool: str,
) -> None:
    assert leaked_marker(pickle.dumps((pool_work.work, provider, cloud.url)).decode("latin-1")) is None

    reports = executed(pool, method, pool_work, provider, cloud.url)

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports, beside=1)
    figures.record("multiprocessing", sys.version.split()[0], workers, fetches, ["pickled tasks"])


def test_processes_forked_while_threads_fetch_outlive_rotations(
    cloud: FakeCloud, fetches: Fetches, provider: EcsRamRoleProvider, pool_work: Any, figures: Figures
) -> None:
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            provider.get_credentials()
            stopping.wait(0.001)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with multiprocessing.get_context("fork").Pool(WORKERS, maxtasksperchild=1) as workers:
            reports = workers.starmap(pool_work.work, [(provider, cloud.url)] * TASKS, chunksize=1)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()

    assert_outlived(reports)
    workers_seen = fetches.assert_one_per_process_and_set(reports, beside=1)
    figures.record("multiprocessing", sys.version.split()[0], workers_seen, fetches, ["pickled tasks"])


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["function", "retried-method"])
def test_tasks_of_joblib_outlive_rotations_with_one_fetch_each(
    cloud: FakeCloud,
    fetches: Fetches,
    provider: EcsRamRoleProvider,
    pool_work: Any,
    figures: Figures,
    backend: str,
    wrapped: bool,
) -> None:
    function = retry_on_rejected(provider)(pool_work.Job(provider).work) if wrapped else pool_work.work
    arguments = (cloud.url,) if wrapped else (provider, cloud.url)
    with joblib.parallel_backend(backend, n_jobs=WORKERS):
        reports = joblib.Parallel()(joblib.delayed(function)(*arguments) for _ in range(TASKS))

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports, beside=1)
    figures.record("joblib", metadata.version("joblib"), workers, fetches, ["pickled tasks"])
