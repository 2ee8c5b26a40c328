"""A fake cloud with a role, a user and an identity provider; an empty home; none of this cloud's variables."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing import FakeCloud, WireResponse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ramrole_creds.testing import WireRequest

FAMILIES = ("ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", "RAMROLE_CREDS_", "REGION")


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with FakeCloud(role="web") as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and no variable that names a source."""
    for name in list(os.environ):
        if name.startswith(FAMILIES) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    return home


class Files:
    """Writes the profile files of the home directory."""

    def __init__(self, home: Path) -> None:
        self.cli = home / ".aliyun" / "config.json"
        self.ini = home / ".alibabacloud" / "credentials.ini"

    def write_cli(self, *profiles: dict[str, Any], current: str | None = "default") -> Path:
        self.cli.parent.mkdir(exist_ok=True)
        named = [{"name": "default", **profile} for profile in profiles]
        document = {"profiles": named} | ({"current": current} if current else {})
        self.cli.write_text(json.dumps(document), encoding="utf-8")
        self.cli.chmod(0o600)
        return self.cli

    def write_ini(self, text: str) -> Path:
        self.ini.parent.mkdir(exist_ok=True)
        self.ini.write_bytes(text.encode())
        self.ini.chmod(0o600)
        return self.ini


@pytest.fixture
def files(home: Path) -> Files:
    return Files(home)


@pytest.fixture
def keys(cloud: FakeCloud) -> dict[str, str]:
    """A RAM user's key pair, as profiles hold it."""
    key = cloud.access_key()
    return {"access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret}


class SignIn:
    """The sign-in services: CloudSSO, and OAuth whose refresh tokens are good for one renewal."""

    name = "sign-in"

    def __init__(self) -> None:
        self.issued = 0
        self.refresh_token = "refresh-0"
        self.access_token = "access-0"
        self.spelling = "camel"
        self.session_hours = 1.0
        self.exchange_status = 200
        self.answers_refresh_token = True
        self.expires_in: object = 3600
        self.lock = threading.Lock()

    def recognizes(self, request: WireRequest) -> bool:
        return request.path in ("/v1/token", "/v1/exchange", "/cloud-credentials")

    def handle(self, request: WireRequest) -> WireResponse:
        with self.lock:
            return getattr(self, request.path.rpartition("/")[2].replace("-", "_"))(request)  # type: ignore[no-any-return]

    def token(self, request: WireRequest) -> WireResponse:
        form = dict(request.form)
        if form["refresh_token"] != self.refresh_token:
            return reply({"error": "invalid_grant", "error_description": "used", "requestId": "REQUEST-7"}, 400)
        self.issued += 1
        self.access_token = f"access-{self.issued}"
        answer = {"access_token": self.access_token, "expires_in": self.expires_in, "token_type": "Bearer"}
        if self.answers_refresh_token:
            self.refresh_token = f"refresh-{self.issued}"
            answer["refresh_token"] = self.refresh_token
        return reply(answer)

    def exchange(self, request: WireRequest) -> WireResponse:
        if request.header("Authorization") != f"Bearer {self.access_token}":
            return reply({"error": "invalid_token"}, 401)
        if self.exchange_status != 200:
            return reply({"error": "server_error", "error_description": "x" * 60}, self.exchange_status)
        keys = {
            "accessKeyId": "STS.oauth",
            "accessKeySecret": "s",
            "securityToken": "t",
            "expiration": hours(request, self.session_hours),
        }
        if self.spelling == "snake":
            return reply({"access_key_id": "a", "access_key_secret": "hunter2", "sts_token": "hunter2"})
        return reply(keys if self.spelling == "camel" else {key[0].upper() + key[1:]: keys[key] for key in keys})

    def cloud_credentials(self, request: WireRequest) -> WireResponse:
        if request.header("Authorization") != "Bearer sso-token":
            return reply({"ErrorCode": "InvalidToken", "ErrorMessage": "bad", "RequestId": "REQUEST-8"}, 401)
        asked = json.loads(request.body)
        assert asked == {"AccountId": "123", "AccessConfigurationId": "ac-1"}
        keys = {"AccessKeyId": "STS.sso", "AccessKeySecret": "s", "SecurityToken": "t", "Expiration": hours(request, 1)}
        return reply({"RequestId": "REQUEST-9", "CloudCredential": keys})


def reply(document: dict[str, Any], status: int = 200) -> WireResponse:
    return WireResponse(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


def hours(request: WireRequest, count: float) -> str:
    return datetime.fromtimestamp(request.at + 3600 * count, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def sign_in() -> SignIn:
    return SignIn()


@pytest.fixture
def gate(sign_in: SignIn) -> Iterator[FakeCloud]:
    with FakeCloud(role=None, services=[sign_in]) as cloud:
        yield cloud
