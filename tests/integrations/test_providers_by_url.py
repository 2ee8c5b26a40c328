"""Where a helper takes the URL of a provider, all helpers of a process share the provider that it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds import Credentials
from ramrole_creds.integrations.mns import MnsCredentials
from ramrole_creds.integrations.refreshing_client import RefreshingClient

if TYPE_CHECKING:
    import pytest

    from ramrole_creds.testing import FakeCloud

URL = "ecs-ram-role://web"


def handle() -> RefreshingClient[str]:
    return RefreshingClient(URL, Credentials.get_access_key_id)


def test_handles_of_one_url_fetch_once(ramrole_cloud: FakeCloud) -> None:
    shown = {handle()() for _ in range(4)}
    assert len(shown) == 1
    assert MnsCredentials(URL).get_credentials().get_access_key_id() in shown
    ramrole_cloud.assert_called_once("credentials")


def test_another_environment_is_another_provider(ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    handle()()
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_TIMEOUT", "3")
    handle()()
    assert len(ramrole_cloud.requests.to("credentials")) == 2
