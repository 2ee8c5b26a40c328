"""Arguments are checked when they are given, and the message says what to write."""

from __future__ import annotations

from datetime import datetime, timezone
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
    Signer,
    StaticProvider,
    signing,
)
from ramrole_creds.integrations import takeover
from ramrole_creds.integrations.aiohttp import AiohttpAuth
from ramrole_creds.integrations.function_compute import push_from_headers
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.mns import MnsCredentials
from ramrole_creds.integrations.oss_v2 import WarmProvider
from ramrole_creds.integrations.refreshing_client import RefreshingClient
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.integrations.retry import retry_on_rejected
from ramrole_creds.integrations.urllib3 import SigningPool

if TYPE_CHECKING:
    from collections.abc import Callable

# An object like the client of the official library, whose get_credentials() makes a provider of a configuration.
OFFICIAL: Any = type(
    "Client",
    (),
    {"__module__": "alibabacloud_credentials.client", "get_credential": lambda self: self, "get_credentials": print},
)()
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
    "official client": (
        OFFICIAL,
        r"not Client\. Wrap its method: FunctionProvider\(client\.get_credential\)",
    ),
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


@pytest.mark.parametrize("wrong", [name for name in WRONG if name != "none"])
def test_a_takeover_says_what_to_pass_instead_of_something_that_is_not_a_provider(wrong: str) -> None:
    given, says = WRONG[wrong]
    try:
        with pytest.raises(ConfigurationError, match=says):
            takeover.install(given)
    finally:
        takeover.uninstall()


def test_a_provider_in_place_of_a_call_is_reported() -> None:
    provider: Any = EnvironmentProvider()
    with pytest.raises(ConfigurationError, match="wraps a function or method, not EnvironmentProvider"):
        retry_on_rejected(provider)(provider)


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


SIGNER = Signer(StaticProvider("LTAI5tFake", "secret"), signing.ACS3())
SIGNERS: dict[str, tuple[Callable[[], object], str]] = {
    "swapped": (lambda: Signer(signing.ACS3(), StaticProvider("a", "b")), r"swapped: write Signer\(provider, scheme\)"),  # type: ignore[arg-type]
    "class": (lambda: Signer(EnvironmentProvider, signing.ACS3()), r"not the class EnvironmentProvider: write Env"),  # type: ignore[arg-type]
    "official client": (lambda: Signer(OFFICIAL, signing.ACS3()), r"FunctionProvider\(client\.get_credential\)"),
    "retry of a value": (lambda: retry_on_rejected(StaticProvider("a", "b"))(3), "wraps a function or method, not int"),  # type: ignore[arg-type]
    "hosts": (lambda: RequestsAuth(SIGNER, hosts=5), "hosts must be the names of hosts"),  # type: ignore[arg-type]
    "hosts of numbers": (lambda: HttpxAuth(SIGNER, hosts=[5]), "hosts must be the names of hosts"),  # type: ignore[list-item]
    "empty host": (lambda: AiohttpAuth(SIGNER, hosts=["a.com", ""]), "hosts must be the names of hosts"),
    "pool": (lambda: SigningPool(SIGNER, 5), "pool must be a PoolManager of urllib3, not int"),  # type: ignore[arg-type]
    "requests": (lambda: requests.get("http://127.0.0.1:9/", auth=SIGNER, timeout=1), r"RequestsAuth\(signer\)"),  # type: ignore[arg-type]
    "httpx": (lambda: httpx.get("http://127.0.0.1:9/", auth=SIGNER), r"auth=HttpxAuth\(signer\)"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signer_and_its_helpers_say_what_to_write(name: str) -> None:
    call, says = SIGNERS[name]
    with pytest.raises(ConfigurationError, match=says):
        call()


def test_a_function_may_return_what_has_getters_only_as_the_official_providers_do() -> None:
    class Official:
        def __init__(self, end: int) -> None:
            self._end = end

        def get_access_key_id(self) -> str:
            return "STS.official"

        def get_access_key_secret(self) -> str:
            return "secret"

        def get_security_token(self) -> str:
            return "token"

        def get_expiration(self) -> int:
            return self._end

    (found, unknown) = (
        FunctionProvider(lambda end=end: Official(end)).get_credentials()  # type: ignore[arg-type]  # no Credentials
        for end in (4_000_000_000, 0)
    )
    assert (found.access_key_id, found.access_key_secret, found.security_token) == ("STS.official", "secret", "token")
    assert found.expiration == datetime(2096, 10, 2, 7, 6, 40, tzinfo=timezone.utc)
    assert unknown.expiration is None


def test_a_function_that_returns_the_official_client_gets_the_name_of_the_method_to_pass() -> None:
    with pytest.raises(FetchError, match="Pass its method get_credential to FunctionProvider"):
        FunctionProvider(lambda: OFFICIAL).get_credentials()
