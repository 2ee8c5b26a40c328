"""The same configuration for the official library and for ours, against one TLS server on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ramrole_creds
from ramrole_creds import CredentialProvider, StaticProvider
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import Credentials
    from tests.differential_credentials.tls_front import TlsFront

for needed in ("alibabacloud_credentials", "cryptography"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed", allow_module_level=True)

SCRIPT = Path(__file__).with_name("official_library.py")
METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"
# Of one call, or of the way in which it was signed.
ITS_OWN = {"Timestamp", "SignatureNonce", "Signature", "SignatureMethod", "SignatureVersion", "SignatureType", "Format"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud("web", clock=SYSTEM_CLOCK) as cloud:
        cloud.add_role("app")
        cloud.add_role("pod", trust=cloud.oidc.trust())
        yield cloud


@pytest.fixture(autouse=True)
def _surroundings(front: TlsFront, cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(front.ca_file))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("ALIBABA_CLOUD_"):
            monkeypatch.delenv(name)
    cloud.reset()


def official(front: TlsFront, kind: str, **arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), str(front.ca_file), kind, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def triple(credentials: Credentials) -> list[str | None]:
    return [credentials.access_key_id, credentials.access_key_secret, credentials.security_token]


def static(keys: dict[str, str]) -> StaticProvider:
    return StaticProvider(keys["access_key_id"], keys["access_key_secret"], keys.get("security_token"))


def asked(cloud: FakeCloud, action: str) -> dict[str, str]:
    """What STS was asked last, without what differs from call to call."""
    parameters = cloud.requests.to(action)[-1].request.parameters
    return {name: value for name, value in parameters.items() if name not in ITS_OWN}


@pytest.fixture
def keys(cloud: FakeCloud) -> dict[str, str]:
    key = cloud.access_key()
    return {"access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"duration": 900},
        {"external_id": "partner-7"},
        {"session_policy": '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:Get*","Resource":"*"}]}'},
    ],
)
def test_sts_is_asked_the_same_for_an_assumed_role(
    cloud: FakeCloud, front: TlsFront, keys: dict[str, str], more: dict[str, Any]
) -> None:
    renamed = {{"duration": "duration_seconds", "session_policy": "policy"}.get(k, k): v for k, v in more.items()}
    arn = cloud.role("app").arn
    theirs = official(
        front,
        "RamRoleArnCredentialsProvider",
        inner=keys,
        role_arn=arn,
        role_session_name="session",
        sts_endpoint=front.host,
        **renamed,
    )
    theirs_asked = asked(cloud, "AssumeRole")
    provider = ramrole_creds.RamRoleArnProvider(static(keys), arn, session_name="session", endpoint=front.host, **more)
    ours = provider.get_credentials()
    assert asked(cloud, "AssumeRole") == theirs_asked
    assert ours.provider_name == theirs["name"]
    for key_id, token in ((ours.access_key_id, ours.security_token), (theirs["triple"][0], theirs["triple"][2])):
        assert cloud.is_valid(key_id, token)


def test_sts_is_asked_the_same_for_an_oidc_token(cloud: FakeCloud, front: TlsFront, tmp_path: Path) -> None:
    path = cloud.oidc.write_token(tmp_path / "token")
    arn, issuer = cloud.role("pod").arn, cloud.oidc.provider_arn
    theirs = official(
        front,
        "OIDCRoleArnCredentialsProvider",
        role_arn=arn,
        oidc_provider_arn=issuer,
        oidc_token_file_path=str(path),
        role_session_name="session",
        sts_endpoint=front.host,
    )
    theirs_asked = asked(cloud, "AssumeRoleWithOIDC")
    ours = ramrole_creds.OidcRoleArnProvider(arn, issuer, path, session_name="session", endpoint=front.host)
    assert ours.get_credentials().provider_name == theirs["name"]
    assert asked(cloud, "AssumeRoleWithOIDC") == theirs_asked
    urls = [entry.request.target for entry in cloud.requests.to("AssumeRoleWithOIDC")]
    assert ["OIDCToken" in url for url in urls] == [True, False]  # theirs puts the token into the URL


def same_answer(provider: CredentialProvider, theirs: dict[str, Any]) -> None:
    ours = provider.get_credentials()
    assert triple(ours) == theirs["triple"]
    assert ours.provider_name == theirs["name"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_credentials_uri_gives_the_same_triple(cloud: FakeCloud, front: TlsFront, scheme: str) -> None:
    base = cloud.url if scheme == "http" else f"https://{front.host}"
    theirs = official(front, "URLCredentialsProvider", uri=base + METADATA_PATH)
    same_answer(ramrole_creds.CredentialsUriProvider(base + METADATA_PATH), theirs)


def test_static_keys_give_the_same_triple(front: TlsFront, keys: dict[str, str]) -> None:
    same_answer(static(keys), official(front, "StaticAKCredentialsProvider", **keys))
    with_token = {**keys, "security_token": "a-token"}
    same_answer(static(with_token), official(front, "StaticSTSCredentialsProvider", **with_token))


def test_the_environment_gives_the_same_triple(
    front: TlsFront, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**keys, "security_token": "a-token"}.items():
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name.upper()}", value)
    same_answer(ramrole_creds.EnvironmentProvider(), official(front, "EnvironmentVariableCredentialsProvider"))


def test_a_command_gives_the_same_triple(front: TlsFront, keys: dict[str, str], tmp_path: Path) -> None:
    printed = tmp_path / "printed.json"
    printed.write_text(json.dumps({"mode": "StsToken", **keys, "sts_token": "t", "expiration": "2099-01-01T00:00:00Z"}))
    command = f"cat {printed}"
    theirs = official(front, "ExternalCredentialsProvider", process_command=command)
    same_answer(ramrole_creds.ProcessProvider(command), theirs)


@pytest.mark.parametrize("mode", ["AK", "StsToken", "External"])
def test_a_profile_of_the_cli_gives_the_same_triple(
    front: TlsFront, keys: dict[str, str], tmp_path: Path, mode: str
) -> None:
    printed = tmp_path / "printed.json"
    printed.write_text(json.dumps({"mode": "AK", **keys}))
    profile = {"name": "p", "mode": mode, **keys, "sts_token": "a-token", "process_command": f"cat {printed}"}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"current": "p", "profiles": [profile]}))
    path.chmod(0o600)
    ours = ramrole_creds.CliProfileProvider(path=path)
    credentials = ours.get_credentials()  # first: theirs writes what a command printed into the file
    theirs = official(front, "CLIProfileCredentialsProvider", profile_file=str(path), profile_name="p")
    assert triple(credentials) == [part or None for part in theirs["triple"]]
    assert credentials.provider_name == theirs["name"]


@pytest.mark.parametrize("body", ["type = access_key\n{keys}", "enable = true\ntype = access_key\n{keys}"])
def test_a_section_of_the_ini_file_gives_the_same_triple(
    front: TlsFront, keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    path = tmp_path / "credentials.ini"
    text = "\n".join(f"{name} = {value}" for name, value in keys.items())
    path.write_text(f"[default]\n{body.format(keys=text)}\n")
    path.chmod(0o600)
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(path))
    same_answer(ramrole_creds.IniProfileProvider(), official(front, "ProfileCredentialsProvider"))
