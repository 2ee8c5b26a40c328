"""Code that takes neither a clock nor a provider is testable as it is written."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CredentialProvider,
    Credentials,
    EcsRamRoleProvider,
    PushProvider,
    Signer,
    default_provider,
    signing,
)
from ramrole_creds.clock import DEFAULT_CLOCK, SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud, VirtualClock, cloud_in_place, process_clock

if TYPE_CHECKING:
    from ramrole_creds import FetchContext

REQUEST = signing.Request("POST", "http://sts.aliyuncs.com/", headers={"x-acs-action": "GetCallerIdentity"})

provider = default_provider()
signer = Signer(provider, signing.ACS3())


@pytest.mark.parametrize("number", [1, 2])
def test_a_provider_of_the_module_has_credentials_of_each_test_s_cloud(ramrole_cloud: FakeCloud, number: int) -> None:
    credentials = provider.get_credentials()
    assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)
    ramrole_cloud.assert_called_once("credentials")
    assert number


def test_a_provider_of_the_module_follows_the_clock_and_refreshes_on_time(ramrole_cloud: FakeCloud) -> None:
    first = provider.get_credentials()
    ramrole_cloud.clock.advance(hours=5, minutes=50)
    used = len(ramrole_cloud.requests)
    assert provider.get_credentials() != first
    assert len(ramrole_cloud.requests) == used, "it was refreshed while the clock moved"


def test_an_app_that_makes_its_own_provider_can_be_rotated(ramrole_cloud: FakeCloud) -> None:
    own = default_provider()
    first = own.get_credentials()
    ramrole_cloud.clock.advance(days=2)
    second = own.get_credentials()
    assert second != first
    assert ramrole_cloud.is_valid(second.access_key_id, second.security_token)
    assert not second.is_expired()


def test_a_signer_without_a_clock_dates_by_the_cloud_s(ramrole_cloud: FakeCloud) -> None:
    ramrole_cloud.clock.advance(days=400)
    date = signer.sign(REQUEST).header("x-acs-date")
    assert date == ramrole_cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_provider_made_in_one_test_is_of_use_in_the_next() -> None:
    made: list[EcsRamRoleProvider] = []
    for _ in range(2):
        with FakeCloud() as cloud, cloud_in_place(cloud):
            if not made:
                made.append(EcsRamRoleProvider())
            credentials = made[0].get_credentials()
            assert cloud.is_valid(credentials.access_key_id, credentials.security_token)


def test_a_chain_looks_for_its_source_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = default_provider()
    with FakeCloud() as cloud, cloud_in_place(cloud):
        assert chain.get_credentials().provider_name == "default/ecs_ram_role"
    with FakeCloud() as cloud, cloud_in_place(cloud):
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFAKEofThisTest0000")
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "9kFAKESECRETofThisTest00000000")
        assert chain.get_credentials().provider_name == "default/env"


def test_afterwards_the_machine_s_clock_counts_again() -> None:
    clock = VirtualClock(0)
    with process_clock(clock):
        assert DEFAULT_CLOCK.time() == 0
        with process_clock(VirtualClock(7)):
            assert DEFAULT_CLOCK.time() == 7
        assert DEFAULT_CLOCK.time() == 0
    assert abs(DEFAULT_CLOCK.time() - SYSTEM_CLOCK.time()) < 5


def test_a_provider_with_a_clock_keeps_both_clock_and_credentials(ramrole_cloud: FakeCloud) -> None:
    clock = VirtualClock(ramrole_cloud.clock.time())
    with EcsRamRoleProvider(clock=clock) as own:
        first = own.get_credentials()
        with process_clock(VirtualClock()):
            assert own.get_credentials() is first
        ramrole_cloud.assert_called_once("credentials")


def test_a_closed_provider_stays_closed() -> None:
    from ramrole_creds import ConfigurationError

    closed = default_provider()
    closed.close()
    with FakeCloud() as cloud, cloud_in_place(cloud), pytest.raises(ConfigurationError, match="closed"):
        closed.get_credentials()


class Counted(CredentialProvider):
    name = "counted"

    def __init__(self) -> None:
        self.made = getattr(self, "made", 0) + 1
        self.fetches = 0

    def fetch(self, context: FetchContext) -> Credentials:
        self.fetches += 1
        return Credentials(f"id{self.fetches}", "secret")


def test_a_provider_of_another_package_only_drops_what_it_fetched() -> None:
    own = Counted()
    assert own.get_credentials().access_key_id == "id1"
    with process_clock(VirtualClock()):
        assert own.get_credentials().access_key_id == "id2"
    assert own.get_credentials().access_key_id == "id3"
    assert own.made == 1


def test_what_was_pushed_is_still_served() -> None:
    pushed = PushProvider()
    pushed.update(access_key_id="LTAIpushed", access_key_secret="secret")
    with process_clock(VirtualClock()):
        assert pushed.get_credentials().access_key_id == "LTAIpushed"


@pytest.mark.parametrize("package", ["time_machine", "freezegun"])
def test_the_time_of_the_process_follows_on_demand(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(package)
    from ramrole_creds.testing import machine_time, system_time

    monkeypatch.setattr(machine_time, "find_spec", lambda name: name == package or None)
    clock = VirtualClock(datetime(2030, 1, 1, tzinfo=timezone.utc))
    before = time.time()
    with system_time(clock):
        assert time.time() == clock.time()
        clock.advance(hours=8)
        assert datetime.now(timezone.utc).isoformat() == "2030-01-01T08:00:00+00:00"
        clock.step_wall(-3600)
        assert time.time() == clock.time()
    assert 0 <= time.time() - before < 60


def test_without_a_package_for_it_the_error_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from ramrole_creds.testing import machine_time, system_time

    monkeypatch.setattr(machine_time, "find_spec", lambda _name: None)
    with pytest.raises(RuntimeError, match="pip install time-machine"), system_time(VirtualClock()):
        pass
