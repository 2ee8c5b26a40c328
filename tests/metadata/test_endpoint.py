"""The address of the metadata service."""

from __future__ import annotations

import pytest

from ramrole_creds.errors import ConfigurationError
from ramrole_creds.metadata import DEFAULT_ENDPOINT, ENDPOINT_VARIABLES, MetadataClient


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINT_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_documented_address_is_the_default() -> None:
    assert MetadataClient().endpoint == DEFAULT_ENDPOINT == "http://100.100.100.200"


def test_the_argument_wins_then_our_variable_then_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]
    names = (
        "ALIBABA_CLOUD_ECS_METADATA_SERVICE_ENDPOINT",
        "ALIBABA_CLOUD_IMDS_ENDPOINT",
        "RAMROLE_CREDS_METADATA_ENDPOINT",
    )
    for name, endpoint in zip(names, expected, strict=True):
        monkeypatch.setenv(name, endpoint)
        assert MetadataClient().endpoint == endpoint
    assert MetadataClient("http://127.0.0.1:4").endpoint == "http://127.0.0.1:4"


def test_an_empty_one_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "")
    monkeypatch.setenv("ALIBABA_CLOUD_IMDS_ENDPOINT", "http://127.0.0.1:2")
    assert MetadataClient("").endpoint == "http://127.0.0.1:2"


def test_the_environment_is_read_when_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    client = MetadataClient()
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:2")
    assert client.endpoint == DEFAULT_ENDPOINT


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("HTTP://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[::0001]:8080", "http://[::1]:8080"),
        ("https://metadata.internal", "https://metadata.internal"),
        ("http://a-b.c_d:1", "http://a-b.c_d:1"),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(given: str, kept: str) -> None:
    assert MetadataClient(given).endpoint == kept


@pytest.mark.parametrize(
    "endpoint",
    [
        "127.0.0.1",
        "127.0.0.1:80",
        "//127.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http:///latest",
        "http://user:hunter2hunter2@127.0.0.1",
        "http://@127.0.0.1",
        "http://127.0.0.1/latest",
        "http://127.0.0.1?x=1",
        "http://127.0.0.1?",
        "http://127.0.0.1#x",
        "http://127.0.0.1#",
        "http://127.0.0.1\r\nX-Injected: 1",
        "http://127.0.0.1\t",
        " http://127.0.0.1",
        "http://127.0.0.1 ",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1:-1",
        "http://127.0.0.1:",
        "http://127.0.0.1:http",
        "http://[::1",
        "http://::1",
        "http://a b",
        "http://a\\b",
        "http://a\\@b",
        "http://a%00b",
        "http://ä.example",
        "http://" + "a" * 300,
        "http://a..b",
        "http://.",
        "http://a^b",
    ],
)
def test_anything_else_is_refused_before_any_request(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^endpoint must be the address of a metadata service") as raised:
        MetadataClient(endpoint)
    assert "hunter2" not in str(raised.value)
    monkeypatch.setenv("ALIBABA_CLOUD_IMDS_ENDPOINT", endpoint.replace("\x00", ""))
    with pytest.raises(ConfigurationError, match=r"^ALIBABA_CLOUD_IMDS_ENDPOINT must be the address"):
        MetadataClient()
