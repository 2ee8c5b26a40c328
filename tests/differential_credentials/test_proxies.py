"""STS, sign-ins and https URIs through the proxy and with the CA bundle that the environment names."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CloudSsoProvider,
    CredentialProvider,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    FetchError,
    OidcRoleArnProvider,
    RamRoleArnProvider,
)
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ramrole_creds.testing import WireRequest
    from tests.differential_credentials.tls_front import TlsFront

if importlib.util.find_spec("cryptography") is None:
    pytest.skip("cryptography is not installed", allow_module_level=True)

METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"
CHUNK = 65536


class ConnectProxy:
    """A proxy that lets TLS through, and notes whereto."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._stopped.set()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(near,)))
                self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        near.settimeout(5)
        with near, contextlib.suppress(OSError):
            head = near.recv(CHUNK).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            self.asked.append(f"{method} {target}")
            if method != "CONNECT":
                near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=5) as far:
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(far, near))
                back.start()
                pump(near, far)
                back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(CHUNK):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class CloudSso:
    name = "sign-in"

    def recognizes(self, request: WireRequest) -> bool:
        return request.path == "/cloud-credentials"

    def handle(self, request: WireRequest) -> WireResponse:
        del request
        keys = {"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "t", "Expiration": "2099-01-01T00:00:00Z"}
        body = json.dumps({"CloudCredential": keys}).encode()
        return WireResponse(200, (("Content-Type", "application/json"),), body)


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    cloud = FakeCloud("web", clock=SYSTEM_CLOCK)
    cloud.services.insert(0, CloudSso())
    with cloud:
        cloud.add_role("app")
        cloud.add_role("pod", trust=cloud.oidc.trust())
        yield cloud


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, front: TlsFront) -> Iterator[ConnectProxy]:
    proxy = ConnectProxy()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(front.ca_file))
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)
    yield proxy
    proxy.close()


def ram_role_arn(cloud: FakeCloud, front: TlsFront, _: Path) -> CredentialProvider:
    # Its source asks the metadata service, which is never asked through a proxy.
    return RamRoleArnProvider(EcsRamRoleProvider(endpoint=cloud.url), cloud.role("app").arn, endpoint=front.host)


def oidc_role_arn(cloud: FakeCloud, front: TlsFront, _: Path) -> CredentialProvider:
    role = cloud.role("pod").arn
    return OidcRoleArnProvider(role, cloud.oidc.provider_arn, token=cloud.oidc.token, endpoint=front.host)


def cloud_sso(_cloud: FakeCloud, front: TlsFront, _: Path) -> CredentialProvider:
    return CloudSsoProvider(f"https://{front.host}/start", "1", "ac", access_token="t")


def credentials_uri(_cloud: FakeCloud, front: TlsFront, _: Path) -> CredentialProvider:
    return CredentialsUriProvider(f"https://{front.host}{METADATA_PATH}")


def cli_profile(cloud: FakeCloud, front: TlsFront, folder: Path) -> CredentialProvider:
    key = cloud.access_key()
    profile: dict[str, Any] = {"name": "p", "mode": "RamRoleArn", "ram_role_arn": cloud.role("app").arn}
    profile |= {"access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret}
    path = folder / "config.json"
    path.write_text(json.dumps({"current": "p", "profiles": [profile]}))
    path.chmod(0o600)
    return CliProfileProvider(path=path, sts_endpoint=front.host)


SOURCES = [ram_role_arn, oidc_role_arn, cloud_sso, credentials_uri, cli_profile]


@pytest.mark.parametrize("make", SOURCES)
def test_the_proxy_of_the_environment_is_asked_and_sees_nothing_but_where(
    cloud: FakeCloud,
    front: TlsFront,
    proxy: ConnectProxy,
    tmp_path: Path,
    make: Callable[[FakeCloud, TlsFront, Path], CredentialProvider],
) -> None:
    assert make(cloud, front, tmp_path).get_credentials().access_key_id
    assert proxy.asked == [f"CONNECT {front.host}"]


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_hosts_that_the_environment_excepts_are_asked_directly(
    cloud: FakeCloud,
    front: TlsFront,
    proxy: ConnectProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[FakeCloud, TlsFront, Path], CredentialProvider],
    variable: str,
) -> None:
    monkeypatch.setenv(variable, "localhost,127.0.0.1")
    assert make(cloud, front, tmp_path).get_credentials().access_key_id
    assert proxy.asked == []


def test_without_the_bundle_of_its_authority_a_server_is_not_believed(
    cloud: FakeCloud, front: TlsFront, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    before = len(cloud.requests.to("AssumeRoleWithOIDC"))
    with pytest.raises(FetchError, match="TLS failed"):
        oidc_role_arn(cloud, front, tmp_path).get_credentials()
    assert len(cloud.requests.to("AssumeRoleWithOIDC")) == before


def test_a_proxy_that_is_not_there_is_told_as_such(
    cloud: FakeCloud, front: TlsFront, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del proxy
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match="proxy"):
        credentials_uri(cloud, front, tmp_path).get_credentials()
