"""Arguments are checked when they are given, and the message says what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests

from ramrole_creds import (
    ConfigurationError,
    Credentials,
    EnvironmentProvider,
    FetchError,
    FunctionProvider,
    StaticProvider,
)
from ramrole_creds.integrations.function_compute import push_from_headers
from ramrole_creds.integrations.mns import MnsCredentials
from ramrole_creds.integrations.oss_v2 import WarmProvider
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.retry import retry_on_rejected

if TYPE_CHECKING:
    from collections.abc import Callable

TAKE_PROVIDERS: dict[str, Callable[[Any], object]] = {
    "mns": MnsCredentials,
    "oss_v2": WarmProvider,
    "refreshing_client": lambda given: RefreshingClient(given, lambda _: None),
    "retry": retry_on_rejected,
}
WRONG: dict[str, tuple[Any, str]] = {
    "credentials": (
        Credentials("LTAI5tFake", "secret"),
        r"not Credentials, which cannot be .*StaticProvider\(",
    ),
    "class": (EnvironmentProvider, r"not the class EnvironmentProvider: write EnvironmentProvider\(\)"),
    "number": (7, r"Pass a provider, for instance default_provider\(\), not int"),
    "none": (None, "not NoneType"),
}


@pytest.mark.parametrize("name", TAKE_PROVIDERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_helper_says_what_to_pass_instead_of_something_that_is_not_a_provider(name: str, wrong: str) -> None:
    given, says = WRONG[wrong]
    with pytest.raises(ConfigurationError, match=says):
        TAKE_PROVIDERS[name](given)


@pytest.mark.parametrize("name", TAKE_PROVIDERS)
def test_a_helper_takes_the_url_of_a_provider(name: str) -> None:
    TAKE_PROVIDERS[name]("env://")


def test_a_call_in_place_of_the_provider_is_reported_with_what_to_write() -> None:
    call: Any = print
    with pytest.raises(ConfigurationError, match=r"write retry_on_rejected\(provider\)\(call\)"):
        retry_on_rejected(call)


def test_what_cannot_take_pushed_credentials_is_refused_when_they_come() -> None:
    provider: Any = EnvironmentProvider()
    with pytest.raises(ConfigurationError, match="must be a PushProvider, not EnvironmentProvider"):
        push_from_headers(provider, {"x-fc-access-key-id": "id", "x-fc-access-key-secret": "secret"})


def with_requests(provider: Any) -> object:
    return requests.Request("GET", "http://h/", auth=provider).prepare()


def with_httpx(provider: Any) -> object:
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        return client.get("http://h/", auth=provider)


@pytest.mark.parametrize("call", [with_requests, with_httpx], ids=["requests", "httpx"])
def test_a_provider_in_place_of_an_auth_is_reported_with_what_to_write(call: Callable[[Any], object]) -> None:
    with pytest.raises(ConfigurationError, match=r"write auth=RequestsAuth\(Signer\(provider, signing\.ACS3\(\)\)\)"):
        call(StaticProvider("LTAI5tFake", "secret"))


async def test_a_provider_in_place_of_a_middleware_is_reported_with_what_to_write() -> None:
    middlewares: Any = (StaticProvider("LTAI5tFake", "secret"),)
    async with aiohttp.ClientSession(middlewares=middlewares) as session:
        with pytest.raises(ConfigurationError, match=r"middlewares=\(AiohttpAuth"):
            await session.get("http://127.0.0.1:9/")


@pytest.mark.parametrize("name", ["get_access_key_id", "get_security_token", "access_key_secret"])
def test_a_provider_says_why_it_has_no_getters_for_single_parts(name: str) -> None:
    provider = StaticProvider("LTAI5tFake", "secret")
    with pytest.raises(AttributeError, match=r"three generations of credentials\. Call get_credentials\(\) once"):
        getattr(provider, name)
    assert not hasattr(provider, name), "SDKs that look for it must not find it"


def test_an_unknown_attribute_of_a_provider_is_an_ordinary_error() -> None:
    provider: Any = StaticProvider("LTAI5tFake", "secret")
    with pytest.raises(AttributeError, match=r"'StaticProvider' object has no attribute 'credentials'$"):
        provider.credentials  # noqa: B018  # read for its error


class CredentialModel:
    """What the official client returns."""

    def __init__(self, access_key_id: Any, access_key_secret: Any, security_token: Any = None) -> None:
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self.security_token = security_token


def test_a_function_may_return_the_object_of_the_official_client() -> None:
    provider = FunctionProvider(lambda: CredentialModel("STS.NTfake", "secret", "token"))  # type: ignore[arg-type]  # by its attributes
    assert provider.get_credentials() == Credentials("STS.NTfake", "secret", "token")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (CredentialModel(None, None), "must return Credentials, not CredentialModel"),
        (CredentialModel("a b", "secret"), "returned an unusable object"),
        ({"access_key_id": "id"}, "not dict"),
    ],
    ids=["empty", "blank", "dict"],
)
def test_a_function_that_returns_something_else_is_reported(given: Any, says: str) -> None:
    with pytest.raises(FetchError, match=says):
        FunctionProvider(lambda: given).get_credentials()


def test_an_official_client_in_place_of_a_function_is_reported_with_its_method() -> None:
    class Client:
        def get_credential(self) -> None:
            """As the official client."""

    client: Any = Client()
    with pytest.raises(ConfigurationError, match="not Client: pass its method get_credential"):
        FunctionProvider(client)
    inner: Any = StaticProvider("LTAI5tFake", "secret")
    with pytest.raises(ConfigurationError, match="StaticProvider is a provider already"):
        FunctionProvider(inner)
