"""A provider on its way to another process: its configuration travels, nothing that was fetched, and it stays one."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    EcsRamRoleProvider,
    EnvironmentProvider,
    ProviderChain,
    RefreshPolicy,
    StaticProvider,
)
from ramrole_creds._pickling import restore
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.masking import leaked_marker


def test_a_provider_that_comes_back_is_the_one_that_left() -> None:
    provider = EcsRamRoleProvider("web", endpoint="http://127.0.0.1:9")
    assert pickle.loads(pickle.dumps(provider)) is provider


def test_tasks_that_were_sent_the_same_provider_share_one() -> None:
    sent = pickle.dumps(EcsRamRoleProvider("travels", endpoint="http://127.0.0.1:9"))
    gc.collect()
    gate = threading.Barrier(8)

    def unpickle(_: int) -> Any:
        gate.wait(10)
        return pickle.loads(sent)

    with ThreadPoolExecutor(8) as pool:
        arrived = list(pool.map(unpickle, range(8)))
    assert len({id(one) for one in arrived}) == 1


def test_different_configurations_arrive_as_different_providers() -> None:
    sent = [
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9"),
        EcsRamRoleProvider("b", endpoint="http://127.0.0.1:9"),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:8"),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9", connect_timeout=1),
        EcsRamRoleProvider("a", endpoint="http://127.0.0.1:9", connect_timeout=1.0, policy=RefreshPolicy(jitter=0.2)),
    ]
    arrived = [pickle.loads(pickle.dumps(one)) for one in sent]
    assert len({id(one) for one in arrived}) == len(sent)


def test_one_that_arrives_in_another_environment_is_made_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "first")
    sent = pickle.dumps(ProviderChain(EcsRamRoleProvider(endpoint="http://127.0.0.1:9")))
    first = pickle.loads(sent)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA", "second")
    second = pickle.loads(sent)
    assert ("'first'" in first.explain(), "'second'" in second.explain()) == (True, True)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "of no account: it is read at each fetch")
    assert pickle.loads(sent) is second


def test_one_that_is_sent_on_from_another_environment_does_not_arrive_in_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "second")
    sent = pickle.dumps(CliProfileProvider(path="/nonexistent"))
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "first")
    first = CliProfileProvider(path="/nonexistent")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "second")
    pickle.dumps(first)
    assert pickle.loads(sent) is not first
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "first")
    assert pickle.loads(sent) is first


def test_nothing_that_was_fetched_travels() -> None:
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        provider = EcsRamRoleProvider(endpoint=cloud.url)
        credentials = provider.get_credentials()
        sent = pickle.dumps(provider).decode("latin-1")
        provider.close()
    assert leaked_marker(sent) is None
    assert credentials.access_key_id not in sent


def test_in_another_process_it_fetches_by_itself_and_only_once() -> None:
    program = (
        "import pickle, sys; sent = bytes.fromhex(sys.argv[1]); "
        "ids = {pickle.loads(sent).get_credentials().access_key_id for _ in range(3)}; "
        "one = pickle.loads(sent); ids.add(one.get_credentials().access_key_id); print(*ids)"
    )
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        chain = ProviderChain(EcsRamRoleProvider(endpoint=cloud.url), name="mine")
        sent = pickle.dumps(chain).hex()
        done = subprocess.run([sys.executable, "-c", program, sent], capture_output=True, text=True, check=True)
        assert len(done.stdout.split()) == 1
        chain.close()


def test_a_provider_of_secrets_refuses_to_travel() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(StaticProvider("LTAIid", "MarkerSecret"))


def test_a_copy_is_the_provider_itself() -> None:
    provider = EcsRamRoleProvider(endpoint="http://127.0.0.1:9")
    assert copy.copy(provider) is provider
    assert copy.deepcopy([provider])[0] is provider


def test_one_that_nobody_holds_is_not_kept_alive() -> None:
    pickle.dumps(EcsRamRoleProvider("forgotten", endpoint="http://127.0.0.1:9"))
    first = restore(EcsRamRoleProvider, ("forgotten",), {"endpoint": "http://127.0.0.1:9"})
    address = id(first)
    del first
    gc.collect()
    again = restore(EcsRamRoleProvider, ("forgotten",), {"endpoint": "http://127.0.0.1:9"})
    assert again.status().fetches == 0
    assert isinstance(address, int)


def test_the_token_of_a_configuration_is_the_same_everywhere_and_tells_no_argument() -> None:
    program = (
        "from ramrole_creds import EcsRamRoleProvider; "
        "print(*EcsRamRoleProvider('web', endpoint='http://127.0.0.1:9').__dask_tokenize__())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = EcsRamRoleProvider("web", endpoint="http://127.0.0.1:9").__dask_tokenize__()
    assert tuple(done.stdout.split()) == here
    assert "127.0.0.1" not in "".join(here)
    assert EcsRamRoleProvider("db", endpoint="http://127.0.0.1:9").__dask_tokenize__() != here


def test_a_chain_comes_back_as_itself_though_an_equal_one_left_before() -> None:
    earlier, later = (ProviderChain(EnvironmentProvider(), EcsRamRoleProvider("web")) for _ in range(2))
    assert pickle.loads(pickle.dumps(earlier)) is earlier
    assert pickle.loads(pickle.dumps(later)) is later


def test_chains_of_equal_links_arrive_as_one() -> None:
    contents = [pickle.dumps(ProviderChain(EnvironmentProvider(), EcsRamRoleProvider("api"))) for _ in range(8)]
    arrived = [pickle.loads(content) for content in contents]
    assert len({id(chain) for chain in arrived}) == 1
