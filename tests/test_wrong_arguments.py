"""Mistakes of a first day: each is told where it is made."""

from __future__ import annotations

from typing import Any

import pytest

from ramrole_creds import (
    ConfigurationError,
    EnvironmentProvider,
    ProviderChain,
    StaticProvider,
    provider_from_url,
)


def test_a_class_in_place_of_a_provider_is_called_a_class() -> None:
    link: Any = EnvironmentProvider
    with pytest.raises(ConfigurationError, match="not the class EnvironmentProvider: call the class"):
        ProviderChain(link)


def test_text_in_place_of_refused_credentials_is_refused_without_showing_it() -> None:
    rejected: Any = "STS.looks-like-a-key"
    with (
        StaticProvider("LTAI5tExample", "secret") as provider,
        pytest.raises(ConfigurationError, match="rejected must be the Credentials") as caught,
    ):
        provider.refresh(rejected)
    assert rejected not in str(caught.value)


@pytest.mark.parametrize("url", [None, 7, b"env://"])
def test_what_is_no_text_is_no_url(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes a URL as text"):
        provider_from_url(url)
