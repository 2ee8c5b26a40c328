"""A fake cloud with a role, a user and an identity provider; an empty home; none of this cloud's variables."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
