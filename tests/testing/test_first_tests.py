"""First tests as the manual suggests them, for the clients that apps are written with."""

from __future__ import annotations

import time
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import CredentialsExpired, NoCredentialsError, RoleNotAttached, default_provider

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud, VirtualClock

needs_time_machine = pytest.mark.skipif(find_spec("time_machine") is None, reason="time-machine is not installed")
REAL = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"


class TestAnAppOnThisLibrary:
    def test_it_runs_as_the_role(self, ramrole_cloud: FakeCloud) -> None:
        assert default_provider().get_credentials().identity == "web"
        ramrole_cloud.assert_no_static_keys()

    def test_it_outlives_its_credentials(self, ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
        provider, keys = default_provider(), set()
        for _ in range(8):
            credentials = provider.get_credentials()
            assert ramrole_cloud.is_valid(credentials.access_key_id, credentials.security_token)
            keys.add(credentials.access_key_id)
            ramrole_clock.advance(hours=3)
        assert len(keys) >= 4

    def test_it_follows_another_role(self, ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
        provider = default_provider()
        assert provider.get_credentials().identity == "web"
        ramrole_cloud.replace_role("api")
        ramrole_clock.advance(hours=6)
        assert provider.get_credentials().identity == "api"

    def test_it_lives_through_a_long_outage_in_no_time(
        self, ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[float] = []
        # A module of its own, since threads of other tests may sleep too.
        watched = SimpleNamespace(**{**vars(time), "sleep": waited.append})
        monkeypatch.setattr("ramrole_creds._http.transport.time", watched)
        provider = default_provider()
        provider.get_credentials()
        ramrole_cloud.faults.add("metadata", "outage")
        ramrole_clock.advance(hours=6, minutes=1)
        with pytest.raises(CredentialsExpired):
            provider.get_credentials()
        assert len(ramrole_cloud.requests) > 100, "it was asked again and again"
        assert waited == []

    @pytest.mark.ramrole(role=None)
    def test_it_says_that_no_role_is_attached(self, ramrole_cloud: FakeCloud) -> None:
        with pytest.raises((RoleNotAttached, NoCredentialsError), match="No RAM role is attached"):
            default_provider().get_credentials()
        ramrole_cloud.assert_called("role")


@pytest.mark.filterwarnings("ignore")
class TestAnAppOnTheOfficialClient:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("alibabacloud_credentials", reason="the official library is not installed")

    def client(self) -> Any:
        from alibabacloud_credentials.client import Client
        from alibabacloud_credentials.models import Config

        return Client(Config(type="ecs_ram_role"))

    def test_it_runs_as_the_role(self, ramrole_cloud: FakeCloud) -> None:
        credential = self.client().get_credential()
        assert ramrole_cloud.is_valid(credential.access_key_id, credential.security_token)

    @needs_time_machine
    @pytest.mark.ramrole(system_time=True)
    def test_it_outlives_its_credentials(self, ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
        client, keys = self.client(), set()
        for _ in range(8):
            credential = client.get_credential()
            assert ramrole_cloud.is_valid(credential.access_key_id, credential.security_token)
            keys.add(credential.access_key_id)
            ramrole_clock.advance(hours=3)
        assert len(keys) >= 4

    def test_it_survives_a_failing_service_once(self, ramrole_cloud: FakeCloud) -> None:
        ramrole_cloud.faults.add("credentials", 503, times=1)
        assert self.client().get_credential().access_key_id
        ramrole_cloud.assert_called("credentials", 2)

    def test_it_fails_without_a_metadata_service(self, no_metadata: str) -> None:
        assert no_metadata
        with pytest.raises(Exception, match=r"(?i)refused|unable to get credentials|failed"):
            self.client().get_credential()


@pytest.mark.may_leak  # oss2 logs the security token at debug level
class TestAnAppOnOss2WithItsOwnProvider:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("oss2", reason="oss2 is not installed")

    def bucket(self, cloud: FakeCloud) -> Any:
        import oss2
        from oss2.credentials import EcsRamRoleCredentialsProvider

        auth = oss2.ProviderAuth(EcsRamRoleCredentialsProvider(REAL + "web"))
        return oss2.Bucket(auth, cloud.url, "bucket", is_path_style=True)

    def test_it_stores_an_object_as_the_role(self, ramrole_cloud: FakeCloud) -> None:
        bucket = self.bucket(ramrole_cloud)
        bucket.put_object("key", b"content")
        assert bucket.get_object("key").read() == b"content"
        ramrole_cloud.assert_no_static_keys()

    def test_a_policy_binds_it_at_once(self, ramrole_cloud: FakeCloud) -> None:
        import oss2

        bucket = self.bucket(ramrole_cloud)
        bucket.put_object("key", b"content")
        ramrole_cloud.set_policies("web", ["AliyunOSSReadOnlyAccess"])
        with pytest.raises(oss2.exceptions.AccessDenied):
            bucket.put_object("key", b"other")
        assert bucket.get_object("key").read() == b"content"

    @needs_time_machine
    @pytest.mark.ramrole(system_time=True)
    def test_it_outlives_its_credentials(self, ramrole_cloud: FakeCloud, ramrole_clock: VirtualClock) -> None:
        bucket = self.bucket(ramrole_cloud)
        for number in range(8):
            bucket.put_object(str(number), b"content")
            ramrole_clock.advance(hours=3)
        keys = {one.access_key_id for one in ramrole_cloud.assert_called("oss", 8, status=200)}
        assert len(keys) >= 4
