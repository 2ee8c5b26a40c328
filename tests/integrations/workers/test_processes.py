"""A provider that is sent to other processes arrives as configuration, and as one provider for each process."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import Credentials, EcsRamRoleProvider, FetchError, StaticProvider, default_provider
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = 8
show = operator.methodcaller("__call__")  # tasks are made of names that a fresh interpreter can import


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud() as cloud:
        yield cloud


def task(cloud: FakeCloud) -> RefreshingClient[str]:
    """What a task is sent: a provider, and something to do with its credentials."""
    return RefreshingClient(EcsRamRoleProvider(endpoint=cloud.url), Credentials.get_access_key_id)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_eight_tasks_in_one_worker_fetch_once(cloud: FakeCloud, method: str) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        shown = list(pool.map(show, [task(cloud)] * TASKS))

    assert len(set(shown)) == 1
    cloud.assert_called_once("credentials")


def test_eight_tasks_one_after_another_fetch_once(cloud: FakeCloud) -> None:
    """Nothing in the worker holds the provider between two tasks."""
    sent = task(cloud)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for _ in range(TASKS):
            pool.submit(show, sent).result()

    cloud.assert_called_once("credentials")


def test_a_pool_of_multiprocessing_takes_providers_too(cloud: FakeCloud) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert len(set(pool.map(show, [task(cloud)] * TASKS))) == 1

    cloud.assert_called_once("credentials")


def test_one_task_that_closes_its_provider_does_not_take_it_from_the_next(cloud: FakeCloud) -> None:
    pickled = pickle.dumps(EcsRamRoleProvider(endpoint=cloud.url))

    with pickle.loads(pickled) as first:
        first.get_credentials()

    assert pickle.loads(pickled).get_credentials()


def test_no_secret_travels(cloud: FakeCloud) -> None:
    provider = EcsRamRoleProvider(endpoint=cloud.url)
    held = provider.get_credentials()

    pickled = pickle.dumps(provider)

    for secret in (held.access_key_secret, held.security_token, held.access_key_id):
        assert str(secret).encode() not in pickled


def test_a_static_provider_refuses_to_travel_and_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"EnvironmentProvider|EcsRamRoleProvider|instead"):
        pickle.dumps(StaticProvider("id", "secret"))


def test_credentials_refuse_to_travel(cloud: FakeCloud) -> None:
    with pytest.raises(TypeError, match="Pickle the provider instead"):
        pickle.dumps(EcsRamRoleProvider(endpoint=cloud.url).get_credentials())


def test_the_name_of_a_configuration_is_the_same_everywhere_and_tells_nothing(cloud: FakeCloud) -> None:
    def name(provider: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = provider.__dask_tokenize__()
        return found

    one = name(EcsRamRoleProvider(endpoint=cloud.url, role_name="web"))

    assert one == name(EcsRamRoleProvider(endpoint=cloud.url, role_name="web"))
    assert one != name(EcsRamRoleProvider(endpoint=cloud.url, role_name="other"))
    assert "web" not in one[-1]


@pytest.mark.parametrize("guarded", [False, True], ids=["free", "guarded"])
def test_a_task_gets_the_role_of_its_place_and_a_guard_refuses_another(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", cloud.url)
    provider = default_provider(expect_role="web") if guarded else default_provider()
    assert provider.get_credentials().identity == "web"
    sent = RefreshingClient(provider, operator.attrgetter("identity"))

    with FakeCloud(role="worker") as elsewhere:
        monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", elsewhere.url)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            task = pool.submit(show, sent)
            if not guarded:
                assert task.result() == "worker"
                return
            with pytest.raises(FetchError, match="worker") as raised:
                task.result()
    assert "'web'" in str(raised.value)
