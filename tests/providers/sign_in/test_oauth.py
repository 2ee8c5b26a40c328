from __future__ import annotations

import asyncio
import errno
import json
import os
import pickle
import stat
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    ConfigurationError,
    FetchError,
    OAuthProvider,
    OAuthTokens,
    ProfileError,
)
from ramrole_creds.providers.profiles.cli_config import CliProfile
from ramrole_creds.providers.profiles.signed_in import ProfileTokens

if TYPE_CHECKING:
    from pathlib import Path

    from ramrole_creds.testing import FakeCloud
    from tests.providers.conftest import Files, SignIn


def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No file can be replaced while the list that is returned is not empty."""
    full = [1]
    replace = os.replace

    def refuse(source: str, target: Path) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    return full


class TestOAuth:
    def profile(self, files: Files, gate: FakeCloud, *, left: float = 3600, **more: Any) -> CliProfileProvider:
        files.write_cli(
            {
                "mode": "OAuth",
                "oauth_site_type": "CN",
                "oauth_access_token": "access-0",
                "oauth_refresh_token": "refresh-0",
                "oauth_access_token_expire": int(gate.clock.time() + left),
                "unknown_to_us": {"kept": [1]},
                **more,
            },
            {"name": "other", "mode": "AK", "access_key_id": "a", "access_key_secret": "b"},
        )
        return CliProfileProvider(oauth_endpoint=gate.url, clock=gate.clock)

    @pytest.mark.parametrize("spelling", ["camel", "pascal"])
    def test_both_spellings_of_the_exchange_are_read(
        self, gate: FakeCloud, files: Files, sign_in: SignIn, spelling: str
    ) -> None:
        sign_in.spelling = spelling
        credentials = self.profile(files, gate).get_credentials()
        assert (credentials.access_key_id, credentials.provider_name) == ("STS.oauth", "cli_profile/oauth")
        gate.assert_not_called("/v1/token")

    def test_a_token_that_ends_soon_is_renewed_and_kept_with_all_else_in_the_file(
        self, gate: FakeCloud, files: Files
    ) -> None:
        self.profile(files, gate, left=60).get_credentials()
        document = json.loads(files.cli.read_text())
        kept = document["profiles"][0]
        assert (kept["oauth_access_token"], kept["oauth_refresh_token"]) == ("access-1", "refresh-1")
        assert kept["oauth_access_token_expire"] == pytest.approx(gate.clock.time() + 3600, abs=5)
        assert kept["unknown_to_us"] == {"kept": [1]}
        assert document["profiles"][1]["name"] == "other"
        assert "access_key_secret" not in kept

    @pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
    def test_the_file_stays_private_and_a_link_stays_a_link(
        self, gate: FakeCloud, files: Files, tmp_path: Path
    ) -> None:
        provider = self.profile(files, gate, left=60)
        target = tmp_path / "elsewhere.json"
        files.cli.rename(target)
        files.cli.symlink_to(target)
        provider.get_credentials()
        assert files.cli.is_symlink()
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert "access-1" in target.read_text()
        assert {path.name for path in tmp_path.iterdir()} <= {"elsewhere.json", "elsewhere.json.lock", "home"}

    def test_the_new_token_is_kept_before_it_is_used(self, gate: FakeCloud, files: Files, sign_in: SignIn) -> None:
        sign_in.exchange_status = 400
        with pytest.raises(FetchError) as raised:
            self.profile(files, gate, left=60).get_credentials()
        assert "xxxx" not in str(raised.value)
        assert "refresh-1" in files.cli.read_text()

    def test_two_providers_at_once_renew_once(self, gate: FakeCloud, files: Files) -> None:
        providers = [self.profile(files, gate, left=60) for _ in range(4)]
        threads = [threading.Thread(target=provider.get_credentials) for provider in providers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(gate.requests.to("/v1/token")) == 1
        assert len(gate.requests.to("/v1/exchange")) == 4

    async def test_two_coroutines_at_once_renew_once_and_neither_hangs(self, gate: FakeCloud, files: Files) -> None:
        providers = [self.profile(files, gate, left=60) for _ in range(2)]
        found = await asyncio.wait_for(asyncio.gather(*(one.get_credentials_async() for one in providers)), 30)
        assert [one.access_key_id for one in found] == ["STS.oauth"] * 2
        assert len(gate.requests.to("/v1/token")) == 1

    def test_a_session_is_replaced_before_it_expires_and_an_expired_one_is_refused(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        provider = self.profile(files, gate, left=8 * 3600)
        provider.get_credentials()
        gate.clock.advance(minutes=50)
        assert len(gate.requests.to("/v1/exchange")) == 2
        sign_in.session_hours = -1 / 6
        with pytest.raises(FetchError, match="had expired"):
            self.profile(files, gate).get_credentials()

    def test_an_answer_in_another_spelling_is_reported_without_its_values(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.spelling = "snake"
        with pytest.raises(FetchError, match="accessKeyId is missing") as raised:
            self.profile(files, gate).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_a_renewal_that_cannot_be_saved_stays_in_memory_and_is_saved_later(
        self, gate: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider = self.profile(files, gate, left=60)
        full = full_disk(monkeypatch)
        assert provider.get_credentials().access_key_id == "STS.oauth"
        assert "refresh-0" in files.cli.read_text()
        provider.refresh()
        another = CliProfileProvider(oauth_endpoint=gate.url, clock=gate.clock)
        another.get_credentials()
        assert len(gate.requests.to("/v1/token")) == 1
        assert [record.levelname for record in caplog.records if "is not saved" in record.getMessage()] == ["WARNING"]
        assert "refresh-1" not in caplog.text
        full.clear()
        provider.refresh()
        assert "refresh-1" in files.cli.read_text()
        assert len(gate.requests.to("/v1/token")) == 1

    def test_a_folder_that_takes_no_file_says_that_the_sign_in_is_not_renewed(
        self, gate: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        provider = self.profile(files, gate, left=-1)
        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        with pytest.raises(FetchError, match=r"^The sign-in is not renewed: .*Read-only file system"):
            provider.get_credentials()
        gate.assert_not_called("/v1/token")

    def test_a_new_sign_in_of_the_user_replaces_tokens_that_were_not_saved(
        self, gate: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch, sign_in: SignIn
    ) -> None:
        provider = self.profile(files, gate, left=60)
        full = full_disk(monkeypatch)
        provider.get_credentials()
        full.clear()
        sign_in.access_token = "access-by-the-user"
        text = files.cli.read_text().replace("access-0", "access-by-the-user").replace("refresh-0", "refresh-user")
        files.cli.write_text(text.replace(str(int(gate.clock.time() + 60)), str(int(gate.clock.time() + 7200))))
        assert provider.refresh().access_key_id == "STS.oauth"
        assert gate.requests.to("/v1/exchange")[-1].header("Authorization") == "Bearer access-by-the-user"
        assert "refresh-user" in files.cli.read_text()

    def test_what_json_can_hold_and_utf_8_cannot_costs_no_token(self, gate: FakeCloud, files: Files) -> None:
        self.profile(files, gate, left=60, note="\ud800").get_credentials()
        kept = json.loads(files.cli.read_text())["profiles"][0]
        assert (kept["oauth_refresh_token"], kept["note"]) == ("refresh-1", "\ud800")

    @pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1, "soon"])
    def test_an_invalid_lifetime_costs_no_token(
        self, gate: FakeCloud, files: Files, sign_in: SignIn, seconds: object
    ) -> None:
        sign_in.expires_in = seconds
        self.profile(files, gate, left=60).get_credentials()
        assert json.loads(files.cli.read_text())["profiles"][0]["oauth_refresh_token"] == "refresh-1"

    def test_another_profile_of_the_same_name_stays_as_it_is(self, gate: FakeCloud, files: Files) -> None:
        provider = self.profile(files, gate, left=60)
        document = json.loads(files.cli.read_text())
        twin = {**document["profiles"][1], "name": document["profiles"][0]["name"]}
        files.cli.write_text(json.dumps({**document, "profiles": [document["profiles"][0], twin]}))
        provider.get_credentials()
        first, second = json.loads(files.cli.read_text())["profiles"]
        assert (first["oauth_refresh_token"], second) == ("refresh-1", twin)

    def test_an_answer_without_a_refresh_token_keeps_the_old_one(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.answers_refresh_token = False
        self.profile(files, gate, left=60).get_credentials()
        assert json.loads(files.cli.read_text())["profiles"][0]["oauth_refresh_token"] == "refresh-0"

    def test_a_renewal_that_fails_takes_away_no_access_token_that_has_not_ended(
        self, gate: FakeCloud, files: Files, sign_in: SignIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        sign_in.refresh_token = "another"
        assert self.profile(files, gate, left=600).get_credentials().access_key_id == "STS.oauth"
        assert "cannot be renewed, and expires in 600 s" in caplog.text
        with pytest.raises(FetchError, match="invalid_grant"):
            self.profile(files, gate, left=-1).get_credentials()

    def test_an_access_token_that_was_revoked_is_renewed_once(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.access_token = "another"
        assert self.profile(files, gate).get_credentials().access_key_id == "STS.oauth"

    def test_a_role_on_top_of_a_sign_in_explains_whose_credentials_it_would_use(
        self, gate: FakeCloud, files: Files
    ) -> None:
        self.profile(files, gate)
        sign_in = json.loads(files.cli.read_text())["profiles"][0]
        role = {"mode": "ChainableRamRoleArn", "source_profile": sign_in["name"], "ram_role_arn": "acs:ram::1:role/app"}
        files.write_cli(sign_in, {"name": "app", **role})
        provider = CliProfileProvider("app", oauth_endpoint=gate.url, sts_endpoint=gate.url, clock=gate.clock)
        explained = f"would assume acs:ram::1:role/app at {gate.url} with the credentials of oauth"
        assert explained in provider.explain()

    def test_a_sign_in_that_another_process_has_used_up_says_how_to_sign_in_again(self, gate: FakeCloud) -> None:
        class UsedUp:
            """Tokens in a place that another process writes to while this one waits for it."""

            def load(self) -> OAuthTokens:
                return OAuthTokens("access-0", "refresh-0", gate.clock.time() - 1)

            def update(self, renew: Any, _: float) -> Any:
                return renew(OAuthTokens("access-1", None, gate.clock.time() - 1))

        with pytest.raises(FetchError, match=r"cannot be renewed.*aliyun configure --mode OAuth"):
            OAuthProvider(UsedUp(), endpoint=gate.url, clock=gate.clock).get_credentials()
        gate.assert_not_called("/v1/token")

    def test_a_sign_in_without_an_expiry_works(self, gate: FakeCloud, files: Files) -> None:
        provider = self.profile(files, gate, oauth_access_token_expire=None)
        assert provider.get_credentials().access_key_id == "STS.oauth"

    def test_a_refresh_token_that_was_used_up_says_how_to_sign_in_again(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.refresh_token = "another"
        with pytest.raises(FetchError, match=r"invalid_grant: used.*aliyun configure"):
            self.profile(files, gate, left=0).get_credentials()

    def test_without_a_profile_renewed_tokens_are_kept_in_memory(self, gate: FakeCloud) -> None:
        tokens = OAuthTokens("access-0", "refresh-0", gate.clock.time() + 60)
        provider = OAuthProvider(tokens, endpoint=gate.url, clock=gate.clock)
        provider.get_credentials()
        provider.refresh()
        assert len(gate.requests.to("/v1/token")) == 1
        assert gate.requests.to("/v1/exchange")[-1].header("Authorization") == "Bearer access-1"

    def test_a_sign_in_that_has_ended_and_cannot_be_renewed_says_how_to_sign_in_again(self, gate: FakeCloud) -> None:
        tokens = OAuthTokens("access-0", None, gate.clock.time() - 1)
        with pytest.raises(FetchError, match="aliyun configure --mode OAuth"):
            OAuthProvider(tokens, endpoint=gate.url, clock=gate.clock).get_credentials()
        gate.assert_not_called("sign-in")

    def test_tokens_of_a_profile_that_was_removed_meanwhile_are_reported(self, files: Files) -> None:
        path = files.write_cli({"name": "other", "mode": "AK"})
        with pytest.raises(ProfileError, match="no longer has a profile 'default'"):
            ProfileTokens(CliProfile(path, "default", {})).load()

    def test_a_profile_explains_its_sign_in(self, gate: FakeCloud, files: Files) -> None:
        assert "mode OAuth: would exchange" in self.profile(files, gate).explain()

    def test_a_renewal_without_a_token_is_reported(self, gate: FakeCloud, files: Files) -> None:
        gate.faults.add("/v1/token", 200, body='{"access_token": 7}')
        with pytest.raises(FetchError, match="access_token is missing or not a text"):
            self.profile(files, gate, left=0).get_credentials()

    def test_an_unknown_site_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match='"CN" or "INTL"'):
            OAuthProvider(OAuthTokens("x"), site="EU")

    def test_it_works_without_a_profile_and_refuses_to_be_pickled(self, gate: FakeCloud) -> None:
        provider = OAuthProvider(OAuthTokens("access-0"), endpoint=gate.url, clock=gate.clock)
        assert provider.get_credentials().provider_name == "oauth"
        assert "access-0" not in repr(OAuthTokens("access-0"))
        with pytest.raises(TypeError):
            pickle.dumps(provider)
        with pytest.raises(TypeError, match="cannot be pickled"):
            OAuthTokens("access-0").__getstate__()  # what some serializers call
