"""One provider per process for the same arguments and environment."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ConfigurationError, ProviderChain, RefreshPolicy, default_provider, shared_provider

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud


def test_a_client_per_request_fetches_once(cloud: FakeCloud) -> None:
    for _ in range(100):
        shared_provider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
        gc.collect(0)
    assert cloud.requests.counts() == {"token": 1, "role": 1, "credentials": 1}
    shared_provider(endpoint=cloud.url, clock=cloud.clock).close()


def test_threads_get_the_same_one() -> None:
    gate = threading.Barrier(8)

    def share(_: int) -> ProviderChain:
        gate.wait(10)
        return shared_provider(only=("env",), expect_role="threads")

    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(share, range(8))}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"only": ["env", "profile"]}, {"only": ("env", "profile")}),
        ({"only": {"env", "profile"}}, {"only": frozenset(("profile", "env"))}),
        ({"only": "env"}, {"only": ["env"]}),
        ({}, {"policy": None, "clock": None, "on_event": None, "only": None}),
        ({"policy": RefreshPolicy(jitter=0.2)}, {"policy": RefreshPolicy(jitter=0.2)}),
    ],
    ids=["list", "set", "one name", "none", "policy"],
)
def test_the_same_arguments_written_differently_are_the_same_provider(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shared_provider(**one) is shared_provider(**other)


def test_other_arguments_or_another_environment_are_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    first = shared_provider()
    assert shared_provider() is first
    assert shared_provider(expect_role="web") is not first
    assert shared_provider(only=["env"]) is not first
    assert default_provider() is not first
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "other")
    assert shared_provider() is not first
    monkeypatch.delenv("ALIBABA_CLOUD_PROFILE")
    assert shared_provider() is first


def test_after_close_the_next_call_makes_a_new_one() -> None:
    first = shared_provider(expect_role="closed")
    first.close()
    assert shared_provider(expect_role="closed") is not first


def test_wrong_arguments_are_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="nobody"):
        shared_provider(only=("nobody",))
