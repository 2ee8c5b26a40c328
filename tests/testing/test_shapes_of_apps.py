"""Where apps keep their provider, and what tests do to time and environment: all works at the first try."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import functools
import os
import pickle
import queue
import threading
import unittest
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ramrole_creds import (
    CredentialProvider,
    EcsRamRoleProvider,
    RamRoleArnProvider,
    RamRoleError,
    Signer,
    default_provider,
    shared_provider,
    signing,
)
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.testing import FakeCloud, RamRoleTestCase, cloud_in_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ramrole_creds.testing import VirtualClock

HEADERS = {"x-acs-action": "GetCallerIdentity", "x-acs-version": "2015-04-01"}
needs_time_machine = pytest.mark.skipif(find_spec("time_machine") is None, reason="time-machine is not installed")
needs_freezegun = pytest.mark.skipif(find_spec("freezegun") is None, reason="freezegun is not installed")


def whoami(endpoint: str, provider: CredentialProvider) -> str:
    auth = RequestsAuth(Signer(provider, signing.ACS3()))
    answer = requests.post(endpoint, headers=HEADERS, auth=auth, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["Arn"])


class Service:
    provider = default_provider()


@dataclass
class Config:
    provider: CredentialProvider = field(default_factory=default_provider)


@functools.cache
def cached_provider() -> CredentialProvider:
    return default_provider()


def default_of_an_argument(provider: CredentialProvider = default_provider()) -> CredentialProvider:  # noqa: B008  # as apps do
    return provider


MODULE_LEVEL, ECS, ROLE = default_provider(), EcsRamRoleProvider(), EcsRamRoleProvider("web")
SHARED = shared_provider()
CONFIG = Config()
SHAPES: dict[str, Callable[[], CredentialProvider]] = {
    "module": lambda: MODULE_LEVEL,
    "ecs": lambda: ECS,
    "role": lambda: ROLE,
    "shared": lambda: SHARED,
    "class": lambda: Service.provider,
    "dataclass": lambda: CONFIG.provider,
    "new dataclass": lambda: Config().provider,
    "cached": cached_provider,
    "argument": default_of_an_argument,
    "pickled": lambda: pickle.loads(pickle.dumps(MODULE_LEVEL)),  # what was just written
    "copied": lambda: copy.deepcopy(MODULE_LEVEL),
}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_provider_rotates_in_every_test_wherever_it_is_kept(
    ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, shape: str, number: int
) -> None:
    keys = set()
    for _ in range(3):
        assert "assumed-role/web/" in whoami(ramrole_cloud.sts_endpoint, SHAPES[shape]())
        keys.add(ramrole_cloud.requests[-1].access_key_id)
        ramrole_clock.advance(hours=7)
    assert len(keys) == 3, number


@pytest.fixture(scope="session")
def provider_of_the_run() -> CredentialProvider:
    return default_provider()


@pytest.mark.parametrize("number", [1, 2])
def test_a_provider_of_a_session_fixture(
    provider_of_the_run: CredentialProvider, ramrole_cloud: FakeCloud, number: int
) -> None:
    assert "assumed-role/web/" in whoami(ramrole_cloud.url, provider_of_the_run), number


@pytest.fixture(scope="session")
def worker() -> Callable[[str], str]:
    """A thread that is older than each test's cloud."""
    asked: queue.Queue[str] = queue.Queue()
    answered: queue.Queue[str] = queue.Queue()

    def work() -> None:
        while True:
            answered.put(whoami(asked.get(), MODULE_LEVEL))

    threading.Thread(target=work, daemon=True).start()

    def ask(endpoint: str) -> str:
        asked.put(endpoint)
        return answered.get(timeout=10)

    return ask


@pytest.mark.parametrize("number", [1, 2])
def test_a_thread_that_was_started_before(
    worker: Callable[[str], str], ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, number: int
) -> None:
    assert "assumed-role/web/" in worker(ramrole_cloud.url), number
    ramrole_clock.advance(hours=7)
    assert "assumed-role/web/" in worker(ramrole_cloud.url)


def test_each_asyncio_run_of_a_test(ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
    first = asyncio.run(MODULE_LEVEL.get_credentials_async())
    ramrole_clock.advance(hours=7)
    assert asyncio.run(MODULE_LEVEL.get_credentials_async()) != first
    ramrole_cloud.assert_called("credentials", 2)


@pytest.mark.ramrole(role="api")
def test_a_role_of_the_marker_reaches_providers_of_the_module(ramrole_cloud: FakeCloud) -> None:
    assert "assumed-role/api/" in whoami(ramrole_cloud.url, MODULE_LEVEL)


@pytest.mark.usefixtures("no_metadata")
@pytest.mark.parametrize("shape", ["module", "ecs", "class", "cached"])
def test_without_a_metadata_service_none_of_them_has_credentials(shape: str) -> None:
    with pytest.raises(RamRoleError):
        SHAPES[shape]().get_credentials()


@needs_time_machine
@pytest.mark.parametrize("tick", [True, False], ids=["ticking", "standing"])
@pytest.mark.parametrize("move", [True, False], ids=["together", "apart"])
def test_time_machine_in_the_test(tick: bool, move: bool) -> None:
    import time_machine

    travelled = time_machine.travel(dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc), tick=tick)
    with travelled, FakeCloud() as cloud, cloud_in_place(cloud, move_system_time=move):
        for _ in range(2):
            assert "assumed-role/web/" in whoami(cloud.url, MODULE_LEVEL)
            cloud.clock.advance(hours=7)


@needs_freezegun
@pytest.mark.parametrize("move", [True, False], ids=["together", "apart"])
def test_freezegun_in_the_test(move: bool) -> None:
    import freezegun

    frozen = freezegun.freeze_time("2030-01-01")
    with frozen as time, FakeCloud() as cloud, cloud_in_place(cloud, move_system_time=move):
        for _ in range(2):
            assert "assumed-role/web/" in whoami(cloud.url, MODULE_LEVEL)
            cloud.clock.advance(hours=7)
            time.tick(dt.timedelta(hours=7))


@needs_freezegun
def test_a_connection_that_stays_open_while_freezegun_moves_the_time(ramrole_cloud: FakeCloud) -> None:
    import freezegun

    start = ramrole_cloud.clock.now()
    with freezegun.freeze_time(start) as frozen, requests.Session() as session:
        for hours in (8, 16):
            body = (b"x" for _ in range(3))  # of several packets
            assert session.put(f"{ramrole_cloud.url}/data/key", body, timeout=10).status_code == 404
            frozen.move_to(start + dt.timedelta(hours=hours))


def test_an_environment_that_the_test_empties(ramrole_cloud: FakeCloud) -> None:
    with mock.patch.dict(os.environ, {"PATH": os.environ["PATH"]}, clear=True):
        assert "assumed-role/web/" in whoami(ramrole_cloud.url, MODULE_LEVEL)
        assert "assumed-role/web/" in whoami(ramrole_cloud.url, default_provider())


def test_keys_that_the_test_puts_into_the_environment(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ramrole_cloud.access_key()
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.access_key_secret)
    assert "user/alice" in whoami(ramrole_cloud.url, default_provider())


def test_a_test_that_changes_the_directory(
    ramrole_cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "assumed-role/web/" in whoami(ramrole_cloud.url, MODULE_LEVEL)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(hours=st.integers(0, 30))
def test_hypothesis_with_the_cloud_of_a_test(ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, hours: int) -> None:
    ramrole_clock.advance(hours=hours)
    credentials = MODULE_LEVEL.get_credentials()
    assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)


@settings(max_examples=3)
@given(hours=st.integers(0, 30))
def test_hypothesis_with_a_cloud_for_each_example(hours: int) -> None:
    with FakeCloud() as cloud, cloud_in_place(cloud):
        cloud.clock.advance(hours=hours)
        credentials = MODULE_LEVEL.get_credentials()
        assert cloud.is_valid(credentials.access_key_id, credentials.security_token)


class TestAsyncUnittest(RamRoleTestCase, unittest.IsolatedAsyncioTestCase):
    async def test_it_rotates(self) -> None:
        first = await MODULE_LEVEL.get_credentials_async()
        self.clock.advance(hours=7)
        assert await MODULE_LEVEL.get_credentials_async() != first


class TestUnittestWithTheFixture(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _inject(self, ramrole_cloud: FakeCloud) -> None:
        self.cloud = ramrole_cloud

    def test_it_runs_as_the_role(self) -> None:
        assert "assumed-role/web/" in whoami(self.cloud.url, MODULE_LEVEL)


def test_a_role_that_the_app_assumes_without_an_endpoint(ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
    role = ramrole_cloud.add_role("reports")
    with RamRoleArnProvider(default_provider(), role.arn, region="cn-hangzhou") as provider:
        first = provider.get_credentials()
        assert ramrole_cloud.is_valid(first.access_key_id, first.security_token)
        ramrole_clock.advance(hours=2)
        assert provider.get_credentials() != first


def test_a_pod_that_assumes_its_role_by_a_token_of_the_cluster(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    role = ramrole_cloud.add_role("pod", trust=ramrole_cloud.oidc.trust("system:serviceaccount:default:app"))
    token = tmp_path / "token"
    token.write_text(ramrole_cloud.oidc.token("system:serviceaccount:default:app"))
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", role.arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", ramrole_cloud.oidc.provider_arn)
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(token))
    assert default_provider().get_credentials().provider_name == "default/oidc_role_arn"
    ramrole_cloud.assert_called_once("AssumeRoleWithOIDC", status=200)
