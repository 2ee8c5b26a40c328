from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    FetchContext,
    FetchError,
    OidcRoleArnProvider,
    ProviderUnavailable,
    StsError,
)

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

READ_ONLY = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}


class TestOidc:
    def provider(self, cloud: FakeCloud, path: Path | None = None, **more: object) -> OidcRoleArnProvider:
        role = cloud.add_role("pod", trust=cloud.oidc.trust())
        return OidcRoleArnProvider(
            role.arn,
            cloud.oidc.provider_arn,
            path,
            endpoint=cloud.url,
            clock=cloud.clock,
            **more,  # type: ignore[arg-type]
        )

    def test_the_token_file_is_read_at_each_fetch_and_travels_in_the_body(
        self, cloud: FakeCloud, tmp_path: Path
    ) -> None:
        path = tmp_path / "token"
        path.write_text(cloud.oidc.token() + "\n")
        provider = self.provider(cloud, path)
        assert provider.get_credentials().provider_name == "oidc_role_arn"
        cloud.clock.advance(hours=2)
        cloud.oidc.write_token(path)
        provider.refresh()
        for entry in cloud.requests.to("AssumeRoleWithOIDC"):
            assert entry.request.method == "POST"
            assert "OIDCToken" not in entry.request.target
            assert "Signature" not in entry.request.target

    def test_a_callable_gives_the_token(self, cloud: FakeCloud) -> None:
        assert self.provider(cloud, token=cloud.oidc.token).get_credentials().identity == cloud.role("pod").arn

    def test_what_a_callable_raises_is_named_by_its_class_only(self, cloud: FakeCloud) -> None:
        def broken() -> str:
            raise RuntimeError("vault said: hunter2")

        with pytest.raises(FetchError, match="RuntimeError") as raised:
            self.provider(cloud, token=broken).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_an_error_of_this_library_that_a_callable_raises_keeps_class_and_text(self, cloud: FakeCloud) -> None:
        def broken() -> str:
            raise ProviderUnavailable("The vault has no token.")

        with pytest.raises(ProviderUnavailable, match=r"^The vault has no token\."):
            self.provider(cloud, token=broken).get_credentials()

    def test_the_variables_of_the_webhook_are_enough(
        self, cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        role = cloud.add_role("pod", trust=cloud.oidc.trust())
        monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", role.arn)
        monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", cloud.oidc.provider_arn)
        monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(cloud.oidc.write_token(tmp_path / "token")))
        monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", cloud.url)
        monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "from-webhook")
        assert OidcRoleArnProvider(clock=cloud.clock).get_credentials().identity == role.arn
        form = dict(cloud.assert_called_once("AssumeRoleWithOIDC").request.form)
        assert form["RoleSessionName"] == "from-webhook"

    def test_a_refusal_of_a_service_account_says_what_the_trust_policy_needs(self, cloud: FakeCloud) -> None:
        provider = self.provider(cloud, token=cloud.oidc.token)
        cloud.add_role("pod", trust=cloud.oidc.trust("system:serviceaccount:other:app"))
        with pytest.raises(StsError, match="oidc:sub"):
            provider.get_credentials()

    def test_nothing_configured_is_unavailable(self) -> None:
        with pytest.raises(ProviderUnavailable, match="RRSA"):
            OidcRoleArnProvider().get_credentials()

    def test_half_a_configuration_is_an_error_that_names_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/no/such/file")
        monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/app")
        with pytest.raises(FetchError, match="ALIBABA_CLOUD_OIDC_PROVIDER_ARN is not set"):
            OidcRoleArnProvider().get_credentials()

    def test_an_unreadable_token_file_is_named(self, cloud: FakeCloud, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match="missing-token"):
            self.provider(cloud, tmp_path / "missing-token").get_credentials()
        with pytest.raises(FetchError, match="it is a directory, a pipe or a device"):
            self.provider(cloud, tmp_path).get_credentials()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
    def test_a_token_file_that_has_no_end_is_not_read(self, cloud: FakeCloud, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        for path in (pipe, Path("/dev/zero")):
            with pytest.raises(FetchError, match="it is a directory, a pipe or a device"):
                self.provider(cloud, path).fetch(FetchContext.create(5.0))

    @pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe\x00", b"x" * 30000])
    def test_a_file_that_does_not_hold_a_token_is_reported_before_sts_is_asked(
        self, cloud: FakeCloud, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "token"
        path.write_bytes(content)
        with pytest.raises(FetchError):
            self.provider(cloud, path).get_credentials()
        cloud.assert_not_called("AssumeRoleWithOIDC")

    def test_a_token_that_was_wrapped_is_reported_as_such(self, cloud: FakeCloud) -> None:
        token = cloud.oidc.token()
        provider = self.provider(cloud, token=lambda: f"{token[:60]}\n{token[60:]}\n")
        with pytest.raises(FetchError, match="has 2 lines") as raised:
            provider.get_credentials()
        assert token[:60] not in str(raised.value)

    def test_a_scoped_session_keeps_role_and_token(self, cloud: FakeCloud) -> None:
        scoped = self.provider(cloud, token=cloud.oidc.token).scoped(READ_ONLY)
        issued = cloud.credential_store.lookup(scoped.get_credentials().access_key_id)
        assert issued is not None
        assert not issued.allows("oss:PutObject", "x")


def test_a_scoped_provider_of_an_oidc_token_differs_in_its_policy_only(cloud: FakeCloud) -> None:
    provider = OidcRoleArnProvider(
        cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
        cloud.oidc.provider_arn,
        token=cloud.oidc.token,
        session_name="me",
        duration=1800,
        endpoint=cloud.url,
        clock=cloud.clock,
    )
    provider.scoped(READ_ONLY).get_credentials()
    sent = dict(cloud.assert_called_once("AssumeRoleWithOIDC").request.form)
    assert (sent["RoleSessionName"], sent["DurationSeconds"]) == ("me", "1800")
    assert json.loads(sent["Policy"]) == READ_ONLY
