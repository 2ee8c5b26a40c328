"""What the public constructors and functions refuse, each in words that name the argument."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

import ramrole_creds as rc
from ramrole_creds import ConfigurationError, FetchError, OAuthTokens, ProviderUnavailable, SigningError, signing
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARN = "acs:ram::123:role/app"
URL = "https://example.com/"
SOON = "role_session_expiration = soon"

CONFIGURATIONS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a source and an ARN that are swapped": (
        lambda _: rc.RamRoleArnProvider(ARN, rc.StaticProvider("LTAI5tFake", "secret")),  # type: ignore[arg-type]
        "arguments are swapped",
    ),
    "a source that is a class": (
        lambda _: rc.RamRoleArnProvider(rc.EnvironmentProvider, ARN),  # type: ignore[arg-type]
        "source must be a provider, not the class EnvironmentProvider",
    ),
    "a source that is text": (lambda _: rc.RamRoleArnProvider("x", ARN), "source must be a provider"),  # type: ignore[arg-type]
    "a token and a file": (
        lambda _: rc.OidcRoleArnProvider(ARN, "acs:ram::1:oidc-provider/x", "f", token=lambda: "t"),
        "not both",
    ),
    "a token as text": (
        lambda _: rc.OidcRoleArnProvider(ARN, "acs:ram::1:oidc-provider/x", token="t"),  # type: ignore[arg-type]
        "must be a callable",
    ),
    "an unknown on_error": (lambda _: rc.ProviderChain(rc.PushProvider(), on_error="go"), "on_error must be"),  # type: ignore[arg-type]
    "a chain of nothing": (lambda _: rc.ProviderChain(), "at least one"),
    "a flag in words": (
        lambda _: rc.provider_from_url("credential-uri://?uri=https://x/&allow_http=maybe"),
        "true or false",
    ),
    "a URL with a broken host": (lambda _: rc.provider_from_url("ecs-ram-role://?endpoint=http://[::1/"), "endpoint"),
    "a sign-in page that is not a URL": (
        lambda _: rc.CloudSsoProvider("not a url", "1", "ac", access_token="t"),
        "sign_in_url must be",
    ),
    "a sign-in without a token": (lambda _: rc.CloudSsoProvider(URL, "1", "ac", access_token=""), "access_token"),
    "a site that does not exist": (lambda _: rc.OAuthProvider(OAuthTokens("a"), site="EU"), "site must be"),
    "a long session of a key pair": (lambda _: rc.RsaKeyPairProvider("id", "key", duration=7200), "duration must be"),
}
REQUESTS: dict[str, tuple[Callable[[], object], str]] = {
    "a method that is not a word": (lambda: signing.Request("GET /", URL), "must be a word"),
    "a lone surrogate": (lambda: signing.Request("GET", URL, params={"a": "\ud800"}), "lone surrogate"),
    "parameters that are numbers": (lambda: signing.Request("GET", URL, params=[1, 2]), "pairs of name and value"),  # type: ignore[list-item]
    "a presigned URL of a scheme without": (
        lambda: signing.Signer(rc.Credentials("id", "secret"), signing.ACS3()).presign(signing.Request("GET", URL), 60),
        "has no presigned URLs",
    ),
    "a form of a scheme without": (
        lambda: signing.Signer(rc.Credentials("id", "secret"), signing.ACS3()).post_form({"conditions": []}),
        "has no upload forms",
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_argument_that_is_not_valid_is_named(name: str) -> None:
    make, said = CONFIGURATIONS[name]
    with pytest.raises(ConfigurationError, match=said):
        make(None)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_cannot_be_signed_is_refused_with_its_reason(name: str) -> None:
    make, said = REQUESTS[name]
    with pytest.raises(SigningError, match=said):
        make()


def test_tokens_of_a_sign_in_are_values_that_show_nothing() -> None:
    tokens = OAuthTokens("access", "refresh", 7.0)
    assert tokens == OAuthTokens("access", "refresh", 7.0)
    assert tokens != OAuthTokens("access", "refresh", 8.0)
    assert tokens != "access"
    assert hash(tokens) == hash(OAuthTokens("access", "refresh", 7.0))
    assert copy.copy(tokens) is copy.deepcopy(tokens) is tokens
    assert "access" not in repr(tokens)
    with pytest.raises(AttributeError, match="immutable"):
        tokens.access_token = "other"  # type: ignore[misc]  # on purpose
    with pytest.raises(AttributeError, match="immutable"):
        del tokens.access_token


def test_a_request_is_equal_to_requests_only() -> None:
    request = signing.Request("GET", URL)
    assert request == signing.Request("GET", URL)
    assert request != URL


def test_sign_ins_say_what_they_would_do() -> None:
    assert "would exchange" in rc.CloudSsoProvider(f"{URL}start", "1", "ac", access_token="t").explain()
    assert "would exchange" in rc.OAuthProvider(OAuthTokens("a")).explain()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("[other]\ntype = access_key\n", ProviderUnavailable, "no credentials"),
        ("[default]\nregion = cn-hangzhou\n", rc.ProfileError, "are missing"),
        ("[default]\ntype = sts\naccess_key_id = 'LTAI5t'\n", rc.ProfileError, "access_key_secret"),
        (
            f"[default]\naccess_key_id = a\naccess_key_secret = b\ntype = ram_role_arn\nrole_arn = {ARN}\n{SOON}\n",
            rc.ProfileError,
            "number of seconds",
        ),
    ],
    ids=["no such section", "nothing in it", "half a pair", "a number in words"],
)
def test_an_ini_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, kind: type[Exception], said: str) -> None:
    file = tmp_path / "credentials.ini"
    file.write_text(text)
    with pytest.raises(kind, match=said) as raised:
        rc.IniProfileProvider(path=file).get_credentials()
    assert str(file) in str(raised.value)


def test_a_profile_without_credentials_is_passed_over_where_nobody_named_it(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"current": "a", "profiles": [{"name": "a", "mode": "", "region_id": "cn-hangzhou"}]}')
    with pytest.raises(ProviderUnavailable, match="no credentials"):
        rc.CliProfileProvider(path=file).get_credentials()


def test_a_path_that_no_system_has_is_an_error(tmp_path: Path) -> None:
    for path in ("a\0b", tmp_path):
        with pytest.raises((FetchError, ConfigurationError)):
            rc.CliProfileProvider(path=path).get_credentials()


def test_no_region_anywhere_is_said_with_what_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"current": "a", "profiles": [{"name": "a", "mode": "EcsRamRole"}]}')
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", str(file))
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    with pytest.raises(ProviderUnavailable, match="No region is configured") as raised:
        rc.default_region()
    assert "does not name a region" in str(raised.value)


def test_sts_that_throttles_says_what_helps() -> None:
    with FakeCloud() as cloud:
        cloud.faults.add("sts", 429, times=None)
        source = rc.EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
        cloud.add_role("app")
        provider = rc.RamRoleArnProvider(source, ARN, endpoint=cloud.url, clock=cloud.clock)
        with pytest.raises(rc.StsError):
            provider.get_credentials()
