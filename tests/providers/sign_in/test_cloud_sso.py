from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CloudSsoProvider,
    FetchError,
)

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files


class TestCloudSso:
    def provider(self, gate: FakeCloud, **more: Any) -> CloudSsoProvider:
        more = {"access_token": "sso-token", **more}
        return CloudSsoProvider(f"{gate.url}/start/login", "123", "ac-1", clock=gate.clock, **more)

    def test_the_token_is_exchanged_at_the_host_and_port_of_the_sign_in_page(self, gate: FakeCloud) -> None:
        credentials = self.provider(gate).get_credentials()
        assert (credentials.access_key_id, credentials.provider_name) == ("STS.sso", "cloud_sso")

    def test_another_host_than_this_machine_is_asked_by_https(self) -> None:
        provider = CloudSsoProvider("http://signin.example/start/login", "123", "ac-1", access_token="sso-token")
        assert "https://signin.example/" in provider.explain()

    def test_an_expired_sign_in_says_how_to_sign_in_again(self, gate: FakeCloud) -> None:
        with pytest.raises(FetchError, match="aliyun configure --mode CloudSSO"):
            self.provider(gate, access_token_expire=gate.clock.time() - 1).get_credentials()
        gate.assert_not_called("sign-in")

    def test_a_refusal_names_code_and_request(self, gate: FakeCloud) -> None:
        with pytest.raises(FetchError, match=r"REQUEST-8.*InvalidToken: bad"):
            self.provider(gate, access_token="wrong").get_credentials()

    def test_a_refusal_without_a_document_names_the_status(self, gate: FakeCloud) -> None:
        gate.faults.add("sign-in", 502, body="<html>hunter2</html>", times=None)
        with pytest.raises(FetchError, match="502") as raised:
            self.provider(gate).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_it_refuses_to_be_pickled(self, gate: FakeCloud) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(self.provider(gate))

    def test_a_profile_signs_in_and_a_session_left_by_the_cli_is_used_while_it_lives(
        self, gate: FakeCloud, files: Files
    ) -> None:
        profile = {
            "mode": "CloudSSO",
            "cloud_sso_sign_in_url": f"{gate.url}/start",
            "cloud_sso_account_id": "123",
            "cloud_sso_access_config": "ac-1",
            "access_token": "sso-token",
        }
        kept = {"access_key_id": "STS.kept", "access_key_secret": "s", "sts_token": "t"}
        files.write_cli({**profile, **kept, "sts_expiration": int(gate.clock.time()) + 1800})
        provider = CliProfileProvider(clock=gate.clock)
        first = provider.get_credentials()
        assert (first.access_key_id, first.provider_name) == ("STS.kept", "cli_profile/cloud_sso")
        assert provider.refresh(rejected=first).access_key_id == "STS.sso"
