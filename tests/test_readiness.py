"""`wait_ready`: patience at the start of a program."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    EcsRamRoleProvider,
    FetchError,
    FunctionProvider,
    MetadataUnreachable,
    NoCredentialsError,
    WaitTimeout,
    default_provider,
)
from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = Credentials("LTAIkey", "secret")


def advance_until(clock: VirtualClock, done: Callable[[], bool]) -> None:
    """Let time pass while another thread waits on the clock."""
    for _ in range(2000):
        if done():
            return
        clock.advance(0.25)
        time.sleep(0.001)  # lets the other thread run
    raise AssertionError("not done after 500 s of the clock")


def test_a_metadata_service_that_starts_after_the_program_is_waited_for() -> None:
    with FakeCloud(role="web") as cloud:
        cloud.disable_endpoint("refuse")
        provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
        ready: list[Credentials] = []
        waiter = threading.Thread(target=lambda: ready.append(provider.wait_ready(300)))
        waiter.start()
        advance_until(cloud.clock, lambda: provider.status().failures > 1)
        assert not ready
        cloud.enable_endpoint()
        advance_until(cloud.clock, lambda: not waiter.is_alive())
        waiter.join(5)
        assert [one.identity for one in ready] == ["web"]


def test_at_the_end_of_the_time_the_last_error_is_raised() -> None:
    with pytest.raises(MetadataUnreachable, match=r"127\.0\.0\.1:9"):
        EcsRamRoleProvider(endpoint="http://127.0.0.1:9").wait_ready(0.3)
    with pytest.raises(NoCredentialsError, match="ecs_ram_role"):
        default_provider(endpoint="http://127.0.0.1:9").wait_ready(0.3)


def test_the_source_is_asked_with_back_off() -> None:
    calls: list[int] = []

    def fail() -> Credentials:
        calls.append(1)
        raise FetchError("not yet")

    with pytest.raises(FetchError, match="not yet"):
        FunctionProvider(fail).wait_ready(0.5)
    assert len(calls) == 1, "retry_initial is a second"


def test_a_first_fetch_that_hangs_ends_in_a_wait_timeout() -> None:
    gate = threading.Event()

    def hang() -> Credentials:
        gate.wait(10)
        return KEYS

    with pytest.raises(WaitTimeout):
        FunctionProvider(hang).wait_ready(0.2)
    gate.set()


def test_what_is_there_is_returned_at_once() -> None:
    assert FunctionProvider(lambda: KEYS).wait_ready(10) is KEYS


def test_a_closed_provider_and_a_wrong_timeout_are_errors_at_once() -> None:
    provider = FunctionProvider(lambda: KEYS)
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds above 0"):
        provider.wait_ready(-1)
    provider.close()
    with pytest.raises(ConfigurationError, match="closed"):
        provider.wait_ready(10)
