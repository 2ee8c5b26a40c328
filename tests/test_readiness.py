"""`wait_ready`: patience at the start of a program."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    ConfigurationError,
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    FetchError,
    FunctionProvider,
    IdentityMismatch,
    MetadataUnreachable,
    NoCredentialsError,
    RamRoleError,
    RefreshPolicy,
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


def error_of_waiting(provider: CredentialProvider, clock: VirtualClock, seconds: float) -> RamRoleError:
    """What `wait_ready` raises when its time is over."""
    errors: list[RamRoleError] = []

    def wait() -> None:
        try:
            provider.wait_ready(seconds)
        except RamRoleError as error:
            errors.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    advance_until(clock, lambda: not waiter.is_alive())
    return errors[0]


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


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (EcsRamRoleProvider, MetadataUnreachable, "127.0.0.1:9"),
        (default_provider, NoCredentialsError, "ecs_ram_role"),
    ],
    ids=["one source", "chain"],
)
def test_at_the_end_of_the_time_the_last_error_is_raised(
    make: Callable[..., CredentialProvider], kind: type[RamRoleError], text: str
) -> None:
    clock = VirtualClock()
    error = error_of_waiting(make(endpoint="http://127.0.0.1:9", clock=clock), clock, 60)
    assert isinstance(error, kind)
    assert text in str(error)


def test_an_identity_that_is_not_the_expected_one_is_an_error_at_once() -> None:
    with FakeCloud(role="node") as cloud:
        provider = default_provider(endpoint=cloud.url, expect_role="pod", clock=cloud.clock)
        with pytest.raises(IdentityMismatch, match="belong to the role 'node', but the expected role is 'pod'"):
            provider.wait_ready(300)


def test_the_source_is_asked_with_back_off() -> None:
    calls: list[int] = []

    def fail() -> Credentials:
        calls.append(1)
        raise FetchError("not yet")

    clock = VirtualClock()
    error = error_of_waiting(FunctionProvider(fail, clock=clock), clock, 60)
    assert str(error) == "not yet"
    assert 3 <= len(calls) <= 60, "retry_initial is a second, and the delay grows to 15 s"


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


def test_the_error_of_the_source_is_raised_and_not_that_a_later_attempt_hung() -> None:
    gate = threading.Event()
    calls: list[int] = []

    def fail_then_hang() -> Credentials:
        calls.append(1)
        if len(calls) > 1:
            gate.wait(10)
        raise FetchError("not yet")

    policy = RefreshPolicy(retry_initial=0.01, retry_max=0.01)
    with pytest.raises(FetchError, match="not yet"):
        FunctionProvider(fail_then_hang, policy=policy).wait_ready(0.5)
    gate.set()
    assert len(calls) > 1, "the second attempt hung"
