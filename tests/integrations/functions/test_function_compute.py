from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import ProviderUnavailable, PushProvider
from ramrole_creds.integrations.function_compute import PushingAsgi, PushingWsgi, push_from_context

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.fixture
def provider() -> PushProvider:
    return PushProvider()


def start(*_arguments: object) -> None:
    """WSGI's start_response."""


def context(**fields: object) -> SimpleNamespace:
    return SimpleNamespace(credentials=SimpleNamespace(**fields))


def test_a_handler_pushes_its_context_in_both_spellings(provider: PushProvider) -> None:
    assert push_from_context(provider, context(access_key_id="a", access_key_secret="s", security_token="t"))
    assert provider.get_credentials().access_key_id == "a"
    assert push_from_context(provider, context(accessKeyId="b", accessKeySecret="s", securityToken="t"))
    assert provider.get_credentials().access_key_id == "b"


def test_a_function_without_a_role_pushes_nothing(provider: PushProvider) -> None:
    assert not push_from_context(provider, context(access_key_id="", access_key_secret=""))
    assert not push_from_context(provider, object())
    with pytest.raises(ProviderUnavailable):
        provider.get_credentials()


def test_what_is_no_key_pair_breaks_no_request(provider: PushProvider) -> None:
    assert not push_from_context(provider, context(access_key_id="a b", access_key_secret="s"))


def test_a_wsgi_application_signs_with_the_request_and_does_not_see_its_keys(provider: PushProvider) -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        return [provider.get_credentials().access_key_id.encode()]

    environ = {
        "HTTP_X_FC_ACCESS_KEY_ID": "STS.one",
        "HTTP_X_FC_ACCESS_KEY_SECRET": "s",
        "HTTP_X_FC_SECURITY_TOKEN": "t",
        "HTTP_HOST": "x",
    }
    assert list(PushingWsgi(app, provider)(dict(environ), start)) == [b"STS.one"]
    assert seen == {"HTTP_HOST": "x"}
    assert list(PushingWsgi(app, provider)({**environ, "HTTP_X_FC_ACCESS_KEY_ID": "STS.two"}, start)) == [b"STS.two"]
    assert list(PushingWsgi(app, provider)({}, start)) == [b"STS.two"]


async def test_an_asgi_application_does_too(provider: PushProvider) -> None:
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append((scope.get("headers"), (await provider.get_credentials_async()).access_key_id))

    headers = [
        (b"X-Fc-Access-Key-Id", b"STS.one"),
        (b"x-fc-access-key-secret", b"s"),
        (b"x-fc-security-token", b"t"),
        (b"host", b"x"),
    ]
    await PushingAsgi(app, provider)({"type": "http", "headers": headers}, None, None)
    await PushingAsgi(app, provider)({"type": "lifespan"}, None, None)
    assert seen == [([(b"host", b"x")], "STS.one"), (None, "STS.one")]
    await PushingAsgi(app, provider)({"type": "http", "headers": headers[1:]}, None, None)
    assert seen[2] == ([(b"host", b"x")], "STS.one")  # half of them is not shown to it either
