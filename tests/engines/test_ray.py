"""Ray: tasks and actors in worker processes outlive two rotations."""

from __future__ import annotations

import operator
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray
import requests

from ramrole_creds import EcsRamRoleProvider, Signer, default_provider, signing
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing.masking import leaked_marker
from tests.engines import work
from tests.engines.conftest import Figures, assert_no_secret_below, assert_outlived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import CredentialProvider
    from ramrole_creds.testing import FakeCloud
    from tests.engines.fetches import Fetches

TASKS = 4
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ray on this machine, with two workers at most."""
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    variables = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    context = ray.init(
        num_cpus=2, include_dashboard=True, dashboard_host="127.0.0.1", _node_ip_address="127.0.0.1",
        runtime_env={"env_vars": variables}, log_to_driver=False,
    )  # fmt: skip
    yield context
    ray.shutdown()


def test_tasks_and_actors_outlive_rotations_and_leak_nothing(
    cloud: FakeCloud, fetches: Fetches, session: Any, figures: Figures
) -> None:
    provider = EcsRamRoleProvider(endpoint=fetches.url)
    task = ray.remote(work.work)

    class Keeper:
        """An actor that is given a provider once."""

        def __init__(self, given: EcsRamRoleProvider) -> None:
            self._given = given

        def work(self, url: str) -> work.Report:
            """Work with the provider that is kept."""
            return work.work(self._given, url)

    provider.get_credentials()
    assert leaked_marker(ray.cloudpickle.dumps(provider).decode("latin-1")) is None
    reports = ray.get([task.remote(provider, cloud.url) for _ in range(TASKS)], timeout=120)
    actor = ray.remote(Keeper).remote(provider)
    reports += ray.get([actor.work.remote(cloud.url)], timeout=120)

    assert_outlived(reports)
    workers = fetches.assert_one_per_process_and_set(reports, beside=1)
    by_process: dict[int, int] = {}
    for report in reports:
        by_process[report["process"]] = by_process.get(report["process"], 0) + 1
    assert max(by_process.values()) >= 2, "at least one worker ran two tasks"
    assert_no_secret_below([Path(session.address_info["session_dir"]) / "logs"])
    for name in ("tasks", "actors", "workers", "objects", "runtime_envs"):
        page = requests.get(f"http://{session.dashboard_url}/api/v0/{name}?detail=1", timeout=30)
        assert page.status_code == 200
        assert leaked_marker(page.text) is None
    searched = ["logs of the session", "the dashboard's lists of tasks, actors, workers, objects", "pickled arguments"]
    figures.record("ray", metadata.version("ray"), workers, fetches, searched)


@pytest.fixture
def keys(cloud: FakeCloud) -> dict[str, str]:
    """The key of a user, as variables."""
    key = cloud.access_key()
    return {"ALIBABA_CLOUD_ACCESS_KEY_ID": key.access_key_id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.access_key_secret}


def whose(provider: CredentialProvider | None, expect_role: str | None = None) -> tuple[str, str | None, str]:
    """Whose credentials a task gets, and what the provider says of it."""
    provider = provider or default_provider(expect_role=expect_role)
    credentials = provider.get_credentials()
    return credentials.provider_name, credentials.identity, str(provider.status().as_dict())


@pytest.mark.usefixtures("session")
def test_keys_in_a_runtime_env_are_used_in_the_order_of_the_chain_and_said(
    cloud: FakeCloud, keys: dict[str, str]
) -> None:
    """A provider that names its source uses no keys of the environment; the default chain uses them first."""
    place = {"RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url}
    task = ray.remote(whose)
    with_keys = task.options(runtime_env={"env_vars": {**place, **keys}})
    without = task.options(runtime_env={"env_vars": place})
    role = EcsRamRoleProvider(endpoint=cloud.url)

    by_chain, by_role, by_place = ray.get(
        [with_keys.remote(None), with_keys.remote(role), without.remote(None)], timeout=120
    )

    assert by_chain[0] == "default/env"
    assert by_role[:2] == ("ecs_ram_role", "web")
    assert by_place[:2] == ("default/ecs_ram_role", "web")
    assert "env" in by_chain[2]
    assert leaked_marker(str([by_chain, by_role, by_place])) is None


@pytest.mark.usefixtures("session")
def test_a_guard_refuses_the_keys_of_a_runtime_env(cloud: FakeCloud, keys: dict[str, str]) -> None:
    place = {"RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url, "ALIBABA_CLOUD_STS_ENDPOINT": cloud.url}
    task = ray.remote(whose).options(runtime_env={"env_vars": {**place, **keys}})

    with pytest.raises(ray.exceptions.RayTaskError, match="'web'") as raised:
        ray.get(task.remote(None, "web"), timeout=120)
    assert "user/alice" in str(raised.value)
    assert leaked_marker(str(raised.value)) is None


@pytest.mark.usefixtures("session")
def test_the_object_store_carries_signers_and_handles(cloud: FakeCloud, fetches: Fetches) -> None:
    provider = EcsRamRoleProvider(endpoint=fetches.url)
    handle = RefreshingClient(provider, operator.attrgetter("identity"))
    session = requests.Session()
    session.trust_env = False
    session.auth = RequestsAuth(Signer(provider, signing.ACS3()))

    url = cloud.url

    def use(given: Any) -> Any:
        handle, session = given
        headers = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
        return handle(), session.post(url, headers=headers, timeout=10).status_code, os.getpid()

    kept = ray.put((handle, session))
    reports = ray.get([ray.remote(use).remote(kept) for _ in range(TASKS)], timeout=120)

    assert {report[:2] for report in reports} == {("web", 200)}
    assert fetches.processes() == {process for _, _, process in reports}
    assert max(fetches.counts.values()) == 1


@pytest.mark.usefixtures("session")
def test_credentials_are_refused_as_an_argument_and_as_a_result(cloud: FakeCloud) -> None:
    held = EcsRamRoleProvider(endpoint=cloud.url).get_credentials()
    with pytest.raises(TypeError, match="Pickle the provider instead"):
        ray.remote(whose).remote(held)
    with pytest.raises(TypeError, match="Pickle the provider instead"):
        ray.put(held)
    with pytest.raises(ray.exceptions.RayTaskError, match="Pickle the provider instead"):
        ray.get(ray.remote(lambda given: given.get_credentials()).remote(EcsRamRoleProvider(endpoint=cloud.url)))
