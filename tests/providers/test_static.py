"""Credentials that the program passes in."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

from ramrole_creds import ConfigurationError, CredentialsExpired, RamRoleError, StaticProvider


def test_keys_with_and_without_a_token_are_named_as_the_official_sdks_do() -> None:
    assert StaticProvider("LTAI5tExample", "s").get_credentials().provider_name == "static_ak"
    provider = StaticProvider("STS.Example", "s", "t")
    assert provider.get_credentials().provider_name == provider.get_provider_name() == "static_sts"
    assert "keys given to it" in provider.explain()


def test_expired_credentials_are_not_served() -> None:
    provider = StaticProvider("STS.Example", "s", "t", datetime(2020, 1, 1, tzinfo=timezone.utc))
    with pytest.raises(RamRoleError) as raised:
        provider.get_credentials()
    assert isinstance(raised.value, CredentialsExpired) or "expired" in str(raised.value)


@pytest.mark.parametrize("wrong", [{"access_key_id": ""}, {"access_key_secret": "a b"}, {"security_token": "t\n"}])
def test_values_that_are_not_keys_are_refused_when_they_are_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        StaticProvider(**{"access_key_id": "LTAI5tExample", "access_key_secret": "s", **wrong})


def test_it_can_be_copied_but_not_pickled() -> None:
    provider = StaticProvider("LTAI5tExample", "hunter2")
    assert copy.deepcopy(provider) is provider
    with pytest.raises(TypeError, match="cannot be pickled") as raised:
        pickle.dumps(provider)
    assert "hunter2" not in str(raised.value)
