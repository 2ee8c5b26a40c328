from __future__ import annotations

import pickle
from typing import Any

import pytest

from ramrole_creds import (
    BearerTokenProvider,
    ConfigurationError,
    FetchError,
    ProviderUnavailable,
)


class TestBearerToken:
    def test_a_token_is_given_in_the_form_that_openapi_clients_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        credential = BearerTokenProvider("the-token").get_credential()
        assert (credential.type, credential.bearer_token, credential.access_key_id) == ("bearer", "the-token", None)
        assert "the-token" not in repr(credential)
        monkeypatch.setenv("ALIBABA_CLOUD_BEARER_TOKEN", "from-the-environment")
        assert BearerTokenProvider().get_bearer_token() == "from-the-environment"
        fresh = BearerTokenProvider(lambda: "fresh")
        assert (fresh.get_bearer_token(), fresh.get_type(), fresh.get_provider_name()) == ("fresh", "bearer", "bearer")

    async def test_coroutines_are_given_it_too(self) -> None:
        credential = await BearerTokenProvider(lambda: " fresh\n").get_credential_async()
        assert (credential.get_bearer_token(), credential.get_provider_name()) == ("fresh", "bearer")
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(credential)

    @pytest.mark.parametrize("token", ["two words", "\u00fc", "a\x00b"])
    def test_what_cannot_be_a_token_is_refused_without_showing_it(self, token: str) -> None:
        with pytest.raises(FetchError) as raised:
            BearerTokenProvider(token).get_credential()
        assert token not in str(raised.value)
        wrong: Any = 5
        with pytest.raises(ConfigurationError):
            BearerTokenProvider(wrong)

    def test_an_empty_token_counts_as_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_BEARER_TOKEN", "from-the-variable")
        assert BearerTokenProvider("").get_bearer_token() == "from-the-variable"

    def test_no_token_and_no_pickle(self) -> None:
        with pytest.raises(ProviderUnavailable):
            BearerTokenProvider().get_credential()
        with pytest.raises(TypeError):
            pickle.dumps(BearerTokenProvider("x"))


def test_a_tool_that_prints_every_attribute_finds_no_token() -> None:
    credential = BearerTokenProvider("bearer-of-nobody").get_credential()
    assert "bearer-of-nobody" not in repr([getattr(credential, name) for name in dir(credential)])
    assert credential.bearer_token == "bearer-of-nobody"


def test_an_error_of_the_callable_is_reported_without_its_text() -> None:
    def fail() -> str:
        raise ValueError("bearer-of-nobody")

    with pytest.raises(FetchError, match="raised ValueError at ") as raised:
        BearerTokenProvider(fail).get_bearer_token()
    assert "bearer-of-nobody" not in str(raised.value)


def test_an_error_of_this_library_that_the_callable_raises_is_raised_unchanged() -> None:
    error = ProviderUnavailable("The vault has no token.")

    def fail() -> str:
        raise error

    with pytest.raises(ProviderUnavailable) as raised:
        BearerTokenProvider(fail).get_bearer_token()
    assert raised.value is error
