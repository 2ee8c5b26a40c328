"""A provider as an argument of dask tasks, in real worker processes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import pytest
from dask.base import tokenize
from distributed import Client, LocalCluster

from ramrole_creds import Credentials, EcsRamRoleProvider, Signer, signing
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 2
TASKS = 8

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_worker_process_fetches_once_for_all_its_tasks(tmp_path: Path) -> None:
    with (
        FakeCloud() as cloud,
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1",
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        handle = RefreshingClient(EcsRamRoleProvider(endpoint=cloud.url), Credentials.get_access_key_id)
        show = operator.methodcaller("__call__")
        tasks = [client.submit(show, handle, key=f"task-{number}") for number in range(TASKS)]

        shown = set(client.gather(tasks))

        assert len(shown) == 1
        assert 1 <= len(cloud.requests.to("credentials")) <= WORKERS


def test_what_is_scattered_or_kept_by_an_actor_fetches_once_in_its_worker(tmp_path: Path) -> None:
    with (
        FakeCloud() as cloud,
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1",
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        provider = EcsRamRoleProvider(endpoint=cloud.url)
        handle = RefreshingClient(provider, operator.attrgetter("identity"))
        scattered = client.scatter(handle)
        kept = client.submit(RefreshingClient, provider, operator.attrgetter("identity"), actor=True).result()
        call = operator.methodcaller("__call__")

        shown = [client.submit(call, scattered).result(), kept.__call__().result()]

        assert shown == ["web", "web"]
        cloud.assert_called_once("credentials")


def test_dask_names_signers_and_handles_by_their_configuration() -> None:
    def made() -> list[object]:
        provider = EcsRamRoleProvider("web", endpoint="http://127.0.0.1:1")
        signer = Signer(provider, signing.OSSV4("cn-hangzhou"))
        return [signer, RequestsAuth(signer), RefreshingClient(provider, operator.attrgetter("identity"))]

    assert [tokenize(one) for one in made()] == [tokenize(one) for one in made()]


def test_dask_names_a_provider_by_its_configuration() -> None:
    one = EcsRamRoleProvider(endpoint="http://127.0.0.1:1", role_name="web")
    same = EcsRamRoleProvider(endpoint="http://127.0.0.1:1", role_name="web")
    other = EcsRamRoleProvider(endpoint="http://127.0.0.1:1", role_name="other")

    assert tokenize(one) == tokenize(same)
    assert tokenize(one) != tokenize(other)
