from __future__ import annotations

import pickle
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    CredentialsExpired,
    FetchError,
    ProviderChain,
    ProviderUnavailable,
    PushProvider,
)
from ramrole_creds.events import RefreshForced
from ramrole_creds.testing import VirtualClock

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

IN_AN_HOUR = datetime.now(timezone.utc) + timedelta(hours=1)


class TestPush:
    def test_what_was_given_last_is_served_at_once_even_where_it_ends_sooner(self) -> None:
        provider = PushProvider()
        with pytest.raises(ProviderUnavailable):
            provider.get_credentials()
        provider.update(Credentials("first", "s", "t", IN_AN_HOUR))
        assert provider.get_credentials().access_key_id == "first"
        provider.update(access_key_id="second", access_key_secret="s", security_token="t")
        assert provider.get_credentials().access_key_id == "second"
        provider.update(Credentials("third", "s", "t", IN_AN_HOUR - timedelta(minutes=30)))
        assert provider.get_credentials().access_key_id == "third"
        assert provider.get_credentials().provider_name == "push"

    def test_the_same_credentials_once_more_change_nothing(self) -> None:
        events: list[object] = []
        provider = PushProvider(on_event=events.append)
        provider.update(Credentials("first", "s", "t", IN_AN_HOUR))
        held = provider.get_credentials()
        for _ in range(3):
            provider.update(access_key_id="first", access_key_secret="s", security_token="t", expiration=IN_AN_HOUR)
        assert provider.get_credentials() is held
        assert [event for event in events if isinstance(event, RefreshForced)] == []

    def test_expired_credentials_that_were_not_replaced_are_an_error(self, cloud: FakeCloud) -> None:
        provider = PushProvider(clock=cloud.clock)
        ends = cloud.clock.now() + timedelta(minutes=10)
        provider.update(Credentials("first", "s", "t", ends))
        assert provider.get_credentials().access_key_id == "first"
        cloud.clock.advance(minutes=11)
        with pytest.raises((CredentialsExpired, FetchError), match=r"update\(\) has not been called"):
            provider.get_credentials()
        provider.update(Credentials("second", "s", "t", ends + timedelta(hours=1)))
        assert provider.get_credentials().access_key_id == "second"

    def test_anything_else_than_credentials_is_refused_by_update(self) -> None:
        wrong: Any = "LTAI"
        with pytest.raises(ConfigurationError, match="not str"):
            PushProvider().update(wrong)

    def test_refused_ones_are_not_given_again(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("first", "s", "t"))
        with pytest.raises(FetchError, match="rejected"):
            provider.refresh(rejected=provider.get_credentials())

    def test_many_threads_that_push_leave_the_last_one(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("before", "s", "t"))
        provider.get_credentials()
        threads = [
            threading.Thread(target=provider.update, args=(Credentials(f"key-{number}", "s", "t"),))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.update(Credentials("last", "s", "t"))
        assert provider.get_credentials().access_key_id == "last"

    def test_it_refuses_to_be_pickled_since_what_it_was_given_is_all_that_it_is(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("first", "keep-me-here", "t"))
        with pytest.raises(TypeError, match=r"call its update\(\) there"):
            pickle.dumps(provider)
        with pytest.raises(TypeError, match="PushProvider"):
            pickle.dumps(ProviderChain(provider))


def test_expired_credentials_that_are_pushed_are_an_error_of_the_next_caller() -> None:
    clock = VirtualClock()
    provider = PushProvider(clock=clock)
    end = datetime.fromtimestamp(clock.time() + 3600, timezone.utc)
    provider.update(access_key_id="first", access_key_secret="s", security_token="t", expiration=end)
    provider.get_credentials()
    past = datetime.fromtimestamp(clock.time() - 3600, timezone.utc)
    provider.update(access_key_id="second", access_key_secret="s", security_token="t", expiration=past)
    with pytest.raises(FetchError, match="expired at"):
        provider.refresh()
