"""A provider whose arguments hold a secret is not pickled: queues, files and other processes would get it."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import pytest

from ramrole_creds import Credentials, CredentialsUriProvider, FunctionProvider, ProcessProvider, ProviderChain


class Vault(FunctionProvider):
    """A provider of a user, with a secret among its arguments."""

    def __init__(self, path: str, token: str = "", *, token_file: str = "", api_password: str = "") -> None:
        super().__init__(lambda: Credentials("LTAI", "s"))
        del path, token, token_file, api_password


class Mapped(FunctionProvider):
    """A provider of a user, whose settings are a mapping."""

    def __init__(self, settings: dict[str, dict[str, str]]) -> None:
        super().__init__(lambda: Credentials("LTAI", "s"))
        del settings


def ask(password: str, user: str = "") -> Credentials:
    return Credentials("LTAI", password + user)


def closure(token: str) -> Any:
    """A function that only cloudpickle and dill can pickle, with what it has closed over."""
    return lambda: Credentials("LTAI", token)


class Client:
    """A client of a user, whose method is the function."""

    def __init__(self, api_token: str) -> None:
        self.api_token = api_token

    def read(self) -> Credentials:
        return Credentials("LTAI", self.api_token)


class Careful(Client):
    """A client that decides itself what is pickled."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), ("",)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda: Vault("p", "hunter2"), "argument 'token'", id="position"),
        pytest.param(lambda: Vault("p", api_password="hunter2"), "argument 'api_password'", id="keyword"),
        pytest.param(lambda: ProcessProvider(["tool", "--token", "hunter2"]), "argument of its command", id="list"),
        pytest.param(lambda: ProcessProvider("tool --db-password=hunter2"), "argument of its command", id="text"),
        pytest.param(lambda: ProcessProvider("curl https://u:hunter2@x/"), "argument of its command", id="url"),
        pytest.param(lambda: FunctionProvider(partial(ask, password="hunter2")), "argument 'password'", id="partial"),
        pytest.param(lambda: FunctionProvider(partial(ask, "hunter2")), "argument 'password'", id="partial position"),
        pytest.param(lambda: FunctionProvider(closure("hunter2")), "argument 'token'", id="closure"),
        pytest.param(lambda: FunctionProvider(Client("hunter2").read), "argument 'api_token'", id="method"),
        pytest.param(lambda: FunctionProvider(partial(Client("hunter2").read)), "argument 'api_token'", id="bound"),
        pytest.param(lambda: Mapped({"a": {"api_token": "hunter2"}}), "argument 'api_token'", id="mapping"),
        pytest.param(lambda: CredentialsUriProvider("https://u:hunter2@x/"), "of its URL", id="user"),
        pytest.param(lambda: CredentialsUriProvider("https://x/?k=hunter2"), "of its URL", id="query"),
    ],
)
def test_a_provider_with_a_secret_among_its_arguments_refuses_with_the_reason(make: Any, says: str) -> None:
    for provider in (make(), ProviderChain(make())):
        with pytest.raises(TypeError, match=f"cannot be pickled: .*{says}") as raised:
            pickle.dumps(provider)
        assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Vault("p", token_file="/t"), id="file"),
        pytest.param(lambda: Vault("p", ""), id="empty"),
        pytest.param(lambda: ProcessProvider("tool --token-file=/t --json"), id="option"),
        pytest.param(lambda: ProcessProvider("curl https://x:8443/y@z"), id="command with a url"),
        pytest.param(lambda: FunctionProvider(partial(ask, "", user="u")), id="partial"),
        pytest.param(lambda: Mapped({"a": {"token_file": "/t"}}), id="mapping"),
        pytest.param(lambda: CredentialsUriProvider("https://x/y"), id="url"),
    ],
)
def test_a_provider_that_only_names_where_a_secret_is_can_be_pickled(make: Any) -> None:
    provider = make()
    assert pickle.loads(pickle.dumps(provider)) is provider


def test_a_url_of_the_environment_does_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "https://u:hunter2@x/?k=hunter2")
    assert b"hunter2" not in pickle.dumps(CredentialsUriProvider())


def test_an_object_that_decides_itself_what_is_pickled_is_not_looked_into() -> None:
    assert b"hunter2" not in pickle.dumps(FunctionProvider(Careful("hunter2").read))
