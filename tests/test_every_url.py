"""Every place that takes a URL refuses what URL parsers read differently, before anything is looked up or connected."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CloudSsoProvider,
    ConfigurationError,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    IniProfileProvider,
    InstanceRoles,
    OAuthProvider,
    OAuthTokens,
    OidcRoleArnProvider,
    RamRoleArnProvider,
    RamRoleError,
    RsaKeyPairProvider,
    Signer,
    StaticProvider,
    default_provider,
    default_region,
    provider_from_config,
    provider_from_url,
    signing,
)
from ramrole_creds.integrations.requests import RequestsAuth
from ramrole_creds.metadata import MetadataClient
from ramrole_creds.sts import StsClient
from ramrole_creds.testing import redirect_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NO_URLS = [
    "http://good\\@evil/",
    "http://attacker\\@127.0.0.1/",
    "https://good\uff0f@evil/",
    "https://evil\u3002com/",
    "https://evil\uff0ecom",
    "https://evil\uff61com",
    "https://good\uff20evil",
    "https://g\u043e\u043ed/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.x]/",
    "https://[::1",
    "https://0x7f.1/",
    "https://127.1/",
    "https://2130706433",
    "https://017700000001",
    "https://127.0.0.1./",
    "https://good:0/",
    "https://good:99999",
    "https://good:",
    "https://good:\u0661",
    "https://:80",
    "https://",
    "https:///x",
    "https:good",
    "//good",
    "https://a b/",
    "https://a\tb",
    "https://a..b",
    "https://g%6fod",
    "https://good;x",
    "https://good@evil@x/",
    "https://" + "a" * 300,
    "ftp://good",
    "file:///etc/passwd",
    "http+unix://x",
]
ROLE = "acs:ram::1:role/web"
KEY = StaticProvider("LTAI5tFake", "secret")
VARIABLES: dict[str, Callable[[], object]] = {
    "RAMROLE_CREDS_METADATA_ENDPOINT": lambda: MetadataClient().region_id,
    "ALIBABA_CLOUD_IMDS_ENDPOINT": lambda: MetadataClient().region_id,
    "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT": lambda: EcsRamRoleProvider("web").get_credentials(),
    "ALIBABA_CLOUD_STS_ENDPOINT": lambda: RamRoleArnProvider(KEY, ROLE).get_credentials(),
    "ALIBABA_CLOUD_CREDENTIALS_URI": lambda: CredentialsUriProvider().get_credentials(),
}


def from_config(url: str, **fields: str) -> object:
    return provider_from_config({name: url if value == "URL" else value for name, value in fields.items()})


ARGUMENTS: dict[str, Callable[[str], Any]] = {
    "MetadataClient": lambda url: MetadataClient(url).region_id,
    "EcsRamRoleProvider": lambda url: EcsRamRoleProvider("web", endpoint=url).get_credentials(),
    "default_provider": lambda url: default_provider(only=["ecs_ram_role"], endpoint=url).get_credentials(),
    "default_provider STS": lambda url: default_provider(only=["cli_profile"], sts_endpoint=url).get_credentials(),
    "default_region": lambda url: default_region(endpoint=url),
    "StsClient": lambda url: StsClient(endpoint=url),
    "RamRoleArnProvider": lambda url: RamRoleArnProvider(KEY, ROLE, endpoint=url).get_credentials(),
    "OidcRoleArnProvider": lambda url: OidcRoleArnProvider(
        ROLE, "acs:ram::1:oidc-provider/p", token=lambda: "t", endpoint=url
    ).get_credentials(),
    "RsaKeyPairProvider": lambda url: RsaKeyPairProvider("LTAI5tFake", "/dev/null", endpoint=url).get_credentials(),
    "CredentialsUriProvider": lambda url: CredentialsUriProvider(url).get_credentials(),
    "CredentialsUriProvider over http": lambda url: CredentialsUriProvider(url, allow_http=True).get_credentials(),
    "OAuthProvider": lambda url: OAuthProvider(OAuthTokens("refresh", "access", 4e9), endpoint=url).get_credentials(),
    "CloudSsoProvider": lambda url: CloudSsoProvider(url, "1", "config", access_token="token").get_credentials(),
    "InstanceRoles for ECS": lambda url: InstanceRoles(KEY, "cn-hangzhou", ecs_endpoint=url).instances(),
    "InstanceRoles for RAM": lambda url: InstanceRoles(KEY, "cn-hangzhou", ram_endpoint=url).list_roles(),
    "ODPSV2": signing.ODPSV2,
    "ODPSV4": lambda url: signing.ODPSV4(url, "cn-hangzhou"),
    "Request": lambda url: signing.Request("GET", url),
    "presign": lambda url: Signer(KEY, signing.OSSV4("cn-hangzhou", "b")).presign(signing.Request("GET", url), 60),
    "hosts": lambda url: RequestsAuth(Signer(KEY, signing.ACS3()), hosts=url.partition("//")[2].strip("/")),
    "Config credentials_uri": lambda url: from_config(url, type="credentials_uri", credentials_uri="URL"),
    "Config sts_endpoint": lambda url: from_config(
        url, type="ram_role_arn", access_key_id="a", access_key_secret="b", role_arn=ROLE, sts_endpoint="URL"
    ),
    "redirect_metadata": lambda url: redirect_metadata(url).__enter__(),
}
# What is left of these without the scheme is a host.
HOSTS = frozenset({"ftp://good", "http+unix://x", "//good", "https:good", "https:///x"})


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What is looked up or connected to; nothing is reached."""
    found: list[object] = []

    def refuse(host: Any, *_: Any, **__: Any) -> Any:
        found.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "not in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield found
    assert not found


@pytest.mark.parametrize("place", ARGUMENTS)
def test_an_argument(place: str, tried: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile(tmp_path / ".aliyun" / "config.json", mode="RamRoleArn", ram_role_arn=ROLE, **KEYS)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url in NO_URLS:
        if place == "hosts" and url in HOSTS:
            continue
        with pytest.raises((RamRoleError, ValueError)):
            ARGUMENTS[place](url)
        assert not tried, url


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable(variable: str, tried: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    for url in NO_URLS:
        monkeypatch.setenv(variable, url)
        with pytest.raises(RamRoleError):
            VARIABLES[variable]()
        assert not tried, url


KEYS = {"access_key_id": "LTAI5tFake", "access_key_secret": "secret", "ram_session_name": "s"}
PROFILES: dict[str, dict[str, object]] = {
    "credentials_uri": {"mode": "CredentialsURI", "credentials_uri": "URL"},
    "sts_endpoint": {"mode": "RamRoleArn", "ram_role_arn": ROLE, **KEYS, "sts_endpoint": "URL"},
    "sts_region": {"mode": "RamRoleArn", "ram_role_arn": ROLE, **KEYS, "sts_region": "URL"},
    "cloud_sso_sign_in_url": {
        "mode": "CloudSSO", "cloud_sso_sign_in_url": "URL", "access_token": "t", "cloud_sso_account_id": "1",
        "cloud_sso_access_config": "c", "cloud_sso_access_token_expire": 4000000000,
    },
}  # fmt: skip


def profile(path: Path, **fields: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"current": "p", "profiles": [{"name": "p", **fields}]}))
    path.chmod(0o600)


@pytest.mark.parametrize("field", PROFILES)
def test_a_field_of_a_cli_profile(field: str, tried: list[object], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for url in NO_URLS:
        profile(path, **{name: url if value == "URL" else value for name, value in PROFILES[field].items()})
        with pytest.raises(RamRoleError) as caught:
            CliProfileProvider("p", path=path).get_credentials()
        assert not tried, (url, caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        "type=credentials_uri\ncredentials_uri=URL",
        f"type=ram_role_arn\naccess_key_id=a\naccess_key_secret=b\nrole_arn={ROLE}\nsts_endpoint=URL",
    ],
    ids=["credentials_uri", "sts_endpoint"],
)
def test_a_field_of_an_ini_profile(lines: str, tried: list[object], tmp_path: Path) -> None:
    path = tmp_path / "credentials.ini"
    for url in NO_URLS:
        path.write_text(f"[default]\nenable=true\n{lines.replace('URL', url)}\n", encoding="utf-8")
        path.chmod(0o600)
        with pytest.raises(RamRoleError):
            IniProfileProvider(path=path).get_credentials()
        assert not tried, url


@pytest.mark.parametrize("place", ["ecs-ram-role://web?endpoint=", "credential-uri://?uri="])
def test_an_argument_in_the_url_of_a_provider(place: str, tried: list[object]) -> None:
    for url in NO_URLS:
        if "%" not in url:  # a provider's URL is percent-encoded itself
            with pytest.raises(RamRoleError):
                provider_from_url(place + url).get_credentials()
            assert not tried, url


@pytest.mark.parametrize("url", ["ecs-ram-role://we\tb", "ecs-ram-role://web\n", "ecs-ram-role://web#x", "env://\x00"])
def test_a_url_of_a_provider_of_which_the_parser_would_drop_a_part(url: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encoded"):
        provider_from_url(url)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://good\\@evil:3128",
        "http://good\uff20evil",
        "http://[::1%25lo]:1",
        "http://127.1:1",
        "ftp://good",
        "a b:1",
    ],
    ids=range(6),
)
def test_a_proxy_of_the_environment(proxy: str, tried: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(RamRoleError, match=r"(?i)the address of the proxy is not valid"):
        CredentialsUriProvider("https://credentials.example/").get_credentials()
    assert not tried


@pytest.mark.parametrize(
    "proxy", ["HOST:3128", "http://host:3128/", "http://u^s:p%40w@host:3128"], ids=["bare", "slash", "user"]
)
def test_an_ordinary_proxy_is_asked(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        asked.append((host, port))
        raise socket.gaierror(socket.EAI_NONAME, "not in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(RamRoleError):
        CredentialsUriProvider("https://credentials.example/").get_credentials()
    assert set(asked) == {("host", 3128)}


@pytest.mark.parametrize("hosts", ["http://x", ".", "", "x/y", "x:y", "*.aliyuncs.com", "good\\@evil"])
def test_what_is_not_a_host_is_refused_in_hosts(hosts: str) -> None:
    with pytest.raises(ConfigurationError, match="hosts"):
        RequestsAuth(Signer(KEY, signing.ACS3()), hosts=(hosts,))
