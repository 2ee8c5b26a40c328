from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import shlex
import stat
import sys
import threading
import time
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    BearerTokenProvider,
    CliProfileProvider,
    CloudSsoProvider,
    ConfigurationError,
    CredentialProvider,
    Credentials,
    CredentialsExpired,
    CredentialsUriProvider,
    FetchError,
    OAuthProvider,
    OAuthTokens,
    ProcessError,
    ProcessProvider,
    ProviderChain,
    ProviderUnavailable,
    PushProvider,
    RsaKeyPairProvider,
)
from ramrole_creds.providers import external
from ramrole_creds.providers.external import split_command
from ramrole_creds.testing import FakeCloud, WireResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.providers.conftest import Files

    from ramrole_creds.testing import WireRequest

METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"
IN_AN_HOUR = datetime.now(timezone.utc) + timedelta(hours=1)


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def printing(**document: object) -> list[str]:
    return command(f"print({json.dumps(json.dumps(document))})")


class TestProcess:
    def test_both_shapes_are_understood(self) -> None:
        keys = {"access_key_id": "a", "access_key_secret": "b"}
        plain = ProcessProvider(printing(mode="AK", **keys)).get_credentials()
        assert (plain.provider_name, plain.security_token) == ("external", None)
        token = ProcessProvider(
            printing(mode="StsToken", **keys, sts_token="t", expiration="2099-01-01T08:00:00.5+08:00")
        ).get_credentials()
        assert token.expiration == datetime(2099, 1, 1, 0, 0, 0, 500000, timezone.utc)
        pascal = ProcessProvider(printing(AccessKeyId="a", AccessKeySecret="b", SecurityToken="t")).get_credentials()
        assert pascal.security_token == "t"

    @pytest.mark.parametrize(
        "document",
        [
            {"mode": "StsToken", "access_key_id": "a", "access_key_secret": "hunter2"},
            {"mode": "AK", "access_key_id": "a"},
            {"mode": "Other", "access_key_id": "a", "access_key_secret": "hunter2"},
            {"mode": "AK", "access_key_id": "a", "access_key_secret": "hunter2", "expiration": "tomorrow"},
            {},
        ],
    )
    def test_an_incomplete_document_is_told_without_its_values(self, document: dict[str, object]) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider(printing(**document)).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_what_a_failing_command_says_is_shown_without_secrets(self) -> None:
        code = "import sys; sys.exit('login needed; access_key_secret=hunter2 token: ' + 'x' * 40)"
        with pytest.raises(ProcessError, match=r"status 1 and said: login needed") as raised:
            ProcessProvider(command(code)).get_credentials()
        assert "hunter2" not in str(raised.value)
        assert "xxxx" not in str(raised.value)

    def test_arguments_are_not_shown(self) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider([*command("raise SystemExit(3)"), "--password", "hunter2"]).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_a_command_that_is_not_there_is_told(self) -> None:
        with pytest.raises(ProcessError, match="No such file"):
            ProcessProvider("/no/such/command").get_credentials()

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_command_and_children_are_ended_on_timeout(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        shell = f"sleep 60 & echo $! > {shlex.quote(str(pid_file))}; wait"
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider(["/bin/sh", "-c", shell], timeout=1.0).get_credentials()
        child = int(pid_file.read_text())
        deadline = time.monotonic() + 10
        while _runs(child) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert not _runs(child)

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_a_child_that_outlives_the_command_and_holds_its_output_is_ended_on_timeout(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "pid"
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider(
                ["/bin/sh", "-c", f"sleep 60 & echo $! > {shlex.quote(str(pid_file))}"], timeout=1.0
            ).get_credentials()
        child = int(pid_file.read_text())
        deadline = time.monotonic() + 10
        while _runs(child) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert not _runs(child)

    @pytest.mark.skipif(os.name != "posix", reason="stands in for Windows with a script")
    def test_on_windows_the_tree_of_processes_is_ended_by_what_windows_has_for_that(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = tmp_path / "told"
        killer = tmp_path / "taskkill"
        killer.write_text(f'#!/bin/sh\necho "$1 $2 $3" > {shlex.quote(str(told))}\nkill -9 "$4"\n')
        killer.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(external, "ON_WINDOWS", True)
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5).get_credentials()
        assert told.read_text() == "/F /T /PID\n"
        killer.unlink()  # where there is none, the command alone is ended
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5).get_credentials()

    def test_a_command_that_prints_without_end_is_ended_at_once(self) -> None:
        code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
        with pytest.raises(ProcessError, match="printed more than 65536 bytes"):
            ProcessProvider(command(code), timeout=30.0).get_credentials()

    def test_the_command_gets_no_input(self) -> None:
        code = "import sys, json; sys.stdin.read(); print(json.dumps({'access_key_id': 'a', 'access_key_secret': 'b'}))"
        assert ProcessProvider(command(code)).get_credentials().access_key_id == "a"

    @pytest.mark.parametrize(
        ("text", "windows", "arguments"),
        [
            (r"tool --name 'a b' c\ d", False, ["tool", "--name", "a b", "c d"]),
            ("tool \\\n --x", False, ["tool", "--x"]),
            (r'"C:\Program Files\tool.exe" --name a#b', True, [r"C:\Program Files\tool.exe", "--name", "a#b"]),
            ("tool $HOME; rm -rf /", False, ["tool", "$HOME;", "rm", "-rf", "/"]),
        ],
    )
    def test_a_text_is_split_and_no_shell_sees_it(self, text: str, windows: object, arguments: list[str]) -> None:
        assert split_command(text, windows=bool(windows)) == arguments

    @pytest.mark.parametrize("wrong", ["", "  ", "'open", [], [""], [1], 5, None, b"true"])
    def test_no_command_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError):
            ProcessProvider(wrong)

    @pytest.mark.parametrize("wrong", [0, -1, "60", True, float("nan")])
    def test_no_time_out_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="timeout"):
            ProcessProvider("true", timeout=wrong)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestCredentialsUri:
    def test_the_variable_names_it(self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", cloud.url + METADATA_PATH)
        credentials = CredentialsUriProvider(clock=cloud.clock).get_credentials()
        assert credentials.provider_name == "credential_uri"
        assert credentials.expiration is not None

    def test_nothing_configured_is_not_here(self) -> None:
        with pytest.raises(ProviderUnavailable):
            CredentialsUriProvider().get_credentials()

    @pytest.mark.parametrize(
        "uri",
        [
            "http://10.0.0.1/x",
            "http://nobody.localhost/x",
            "http://127.0.0.1:99999/x",
            "http://[::1/x",
            "http://example.com/hunter2?hunter2",
            "ftp://x",
            "x",
            "http://",
        ],
    )
    def test_what_would_be_unsafe_or_is_no_url_is_refused(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigurationError) as raised:
            CredentialsUriProvider(uri)
        assert "hunter2" not in str(raised.value)
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", uri)
        with pytest.raises(FetchError):
            CredentialsUriProvider().get_credentials()

    @pytest.mark.parametrize(
        "uri", ["http://localhost/x", "http://[::1]:8/x", "http://169.254.1.2/x", "https://example.com/x"]
    )
    def test_this_machine_and_https_are_allowed(self, uri: str) -> None:
        assert "would ask" in CredentialsUriProvider(uri).explain()

    def test_another_host_is_allowed_on_demand(self) -> None:
        assert "would ask" in CredentialsUriProvider("http://10.0.0.1/x", allow_http=True).explain()

    def test_a_redirect_is_not_followed(self, cloud: FakeCloud) -> None:
        cloud.faults.add("credentials", 302, headers={"Location": "http://127.0.0.1:1/"})
        with pytest.raises(FetchError, match="redirect"):
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()

    @pytest.mark.parametrize(
        "body", ["", "[]", "{}", '{"Code":"Failed","AccessKeyId":"a","AccessKeySecret":"hunter2"}', '{"AccessKeyId":7}']
    )
    def test_an_answer_that_holds_no_credentials_is_told_without_its_values(self, cloud: FakeCloud, body: str) -> None:
        cloud.faults.add("credentials", 200, body=body)
        with pytest.raises(FetchError) as raised:
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_nobody_listening_is_an_error_and_not_absent(self) -> None:
        with pytest.raises(FetchError, match="Is the service"):
            CredentialsUriProvider("http://127.0.0.1:9/x").get_credentials()


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


class TestCloudSso:
    def provider(self, gate: FakeCloud, **more: Any) -> CloudSsoProvider:
        more = {"access_token": "sso-token", **more}
        return CloudSsoProvider(f"{gate.url}/start/login", "123", "ac-1", clock=gate.clock, **more)

    def test_the_token_is_exchanged_at_the_host_and_port_of_the_sign_in_page(self, gate: FakeCloud) -> None:
        credentials = self.provider(gate).get_credentials()
        assert (credentials.access_key_id, credentials.provider_name) == ("STS.sso", "cloud_sso")

    def test_an_expired_sign_in_says_how_to_sign_in_again(self, gate: FakeCloud) -> None:
        with pytest.raises(FetchError, match="aliyun configure --mode CloudSSO"):
            self.provider(gate, access_token_expire=gate.clock.time() - 1).get_credentials()
        gate.assert_not_called("sign-in")

    def test_a_refusal_names_code_and_request(self, gate: FakeCloud) -> None:
        with pytest.raises(FetchError, match=r"REQUEST-8.*InvalidToken: bad"):
            self.provider(gate, access_token="wrong").get_credentials()

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

    def test_a_session_is_replaced_before_it_ends_and_none_is_taken_that_has_ended(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        provider = self.profile(files, gate, left=8 * 3600)
        provider.get_credentials()
        gate.clock.advance(minutes=50)
        assert len(gate.requests.to("/v1/exchange")) == 2
        sign_in.session_hours = -1 / 6
        with pytest.raises(FetchError, match="had ended"):
            self.profile(files, gate).get_credentials()

    def test_an_answer_in_another_spelling_is_told_without_its_values(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.spelling = "snake"
        with pytest.raises(FetchError, match="accessKeyId is missing") as raised:
            self.profile(files, gate).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_what_json_can_hold_and_utf_8_cannot_costs_no_token(self, gate: FakeCloud, files: Files) -> None:
        self.profile(files, gate, left=60, note="\ud800").get_credentials()
        kept = json.loads(files.cli.read_text())["profiles"][0]
        assert (kept["oauth_refresh_token"], kept["note"]) == ("refresh-1", "\ud800")

    @pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1, "soon"])
    def test_a_life_that_is_none_costs_no_token(
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
        assert "cannot be renewed, and ends in 600 s" in caplog.text
        with pytest.raises(FetchError, match="invalid_grant"):
            self.profile(files, gate, left=-1).get_credentials()

    def test_an_access_token_that_was_revoked_is_renewed_once(
        self, gate: FakeCloud, files: Files, sign_in: SignIn
    ) -> None:
        sign_in.access_token = "another"
        assert self.profile(files, gate).get_credentials().access_key_id == "STS.oauth"

    def test_an_expiry_that_is_not_there_is_no_trouble(self, gate: FakeCloud, files: Files) -> None:
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

    def test_a_renewal_that_brings_no_token_is_told(self, gate: FakeCloud, files: Files) -> None:
        gate.faults.add("/v1/token", 200, body='{"access_token": 7}')
        with pytest.raises(FetchError, match="access_token is missing or no text"):
            self.profile(files, gate, left=0).get_credentials()

    def test_a_site_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match='"CN" or "INTL"'):
            OAuthProvider(OAuthTokens("x"), site="EU")

    def test_it_works_without_a_profile_and_refuses_to_be_pickled(self, gate: FakeCloud) -> None:
        provider = OAuthProvider(OAuthTokens("access-0"), endpoint=gate.url, clock=gate.clock)
        assert provider.get_credentials().provider_name == "oauth"
        assert "access-0" not in repr(OAuthTokens("access-0"))
        with pytest.raises(TypeError):
            pickle.dumps(provider)


class TestPush:
    def test_what_was_given_last_is_served_at_once_even_where_it_ends_sooner(self) -> None:
        provider = PushProvider()
        with pytest.raises(ProviderUnavailable):
            provider.get_credentials()
        provider.update(Credentials("first", "s", "t", IN_AN_HOUR))
        assert provider.get_credentials().access_key_id == "first"
        provider.update(access_key_id="second", access_key_secret="s", security_token="t")
        assert provider.get_credentials().access_key_id == "second"
        provider.update(Credentials("third", "s", "t", IN_AN_HOUR - timedelta(minutes=30)))
        assert provider.get_credentials().access_key_id == "third"
        assert provider.get_credentials().provider_name == "push"

    def test_expired_ones_that_nobody_replaced_raise(self, cloud: FakeCloud) -> None:
        provider = PushProvider(clock=cloud.clock)
        ends = cloud.clock.now() + timedelta(minutes=10)
        provider.update(Credentials("first", "s", "t", ends))
        assert provider.get_credentials().access_key_id == "first"
        cloud.clock.advance(minutes=11)
        with pytest.raises((CredentialsExpired, FetchError), match="nobody has called update"):
            provider.get_credentials()
        provider.update(Credentials("second", "s", "t", ends + timedelta(hours=1)))
        assert provider.get_credentials().access_key_id == "second"

    def test_what_is_no_credentials_is_refused_when_it_is_given(self) -> None:
        wrong: Any = "LTAI"
        with pytest.raises(ConfigurationError, match="not str"):
            PushProvider().update(wrong)

    def test_refused_ones_are_not_given_again(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("first", "s", "t"))
        with pytest.raises(FetchError, match="refused"):
            provider.refresh(rejected=provider.get_credentials())

    def test_many_threads_that_push_leave_the_last_one(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("before", "s", "t"))
        provider.get_credentials()
        threads = [
            threading.Thread(target=provider.update, args=(Credentials(f"key-{number}", "s", "t"),))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.update(Credentials("last", "s", "t"))
        assert provider.get_credentials().access_key_id == "last"

    def test_it_refuses_to_be_pickled_since_what_it_was_given_is_all_that_it_is(self) -> None:
        provider = PushProvider()
        provider.update(Credentials("first", "keep-me-here", "t"))
        with pytest.raises(TypeError, match=r"call its update\(\) there"):
            pickle.dumps(provider)
        with pytest.raises(TypeError, match="PushProvider"):
            pickle.dumps(ProviderChain(provider))


class TestBearerToken:
    def test_a_token_is_given_in_the_form_that_openapi_clients_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        credential = BearerTokenProvider("the-token").get_credential()
        assert (credential.type, credential.bearer_token, credential.access_key_id) == ("bearer", "the-token", None)
        assert "the-token" not in repr(credential)
        monkeypatch.setenv("ALIBABA_CLOUD_BEARER_TOKEN", "from-the-environment")
        assert BearerTokenProvider().get_bearer_token() == "from-the-environment"
        assert BearerTokenProvider(lambda: "fresh").get_bearer_token() == "fresh"

    async def test_coroutines_are_given_it_too(self) -> None:
        credential = await BearerTokenProvider(lambda: " fresh\n").get_credential_async()
        assert (credential.get_bearer_token(), credential.get_provider_name()) == ("fresh", "bearer")
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(credential)

    @pytest.mark.parametrize("token", ["two words", "\u00fc", "a\x00b"])
    def test_what_cannot_be_a_token_is_refused_without_showing_it(self, token: str) -> None:
        with pytest.raises(FetchError) as raised:
            BearerTokenProvider(token).get_credential()
        assert token not in str(raised.value)
        wrong: Any = 5
        with pytest.raises(ConfigurationError):
            BearerTokenProvider(wrong)

    def test_no_token_and_no_pickle(self) -> None:
        with pytest.raises(ProviderUnavailable):
            BearerTokenProvider().get_credential()
        with pytest.raises(TypeError):
            pickle.dumps(BearerTokenProvider("x"))


class TestRsaKeyPair:
    def test_a_session_key_is_signed_for(self, cloud: FakeCloud, tmp_path: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
        from cryptography.hazmat.primitives import serialization as form

        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        key_id = cloud.account.add_public_key(cloud.add_user("rsa"), public.decode(), cloud.clock.time())
        for kind in (form.PrivateFormat.PKCS8, form.PrivateFormat.TraditionalOpenSSL):
            path = tmp_path / "key.pem"
            path.write_bytes(key.private_bytes(form.Encoding.PEM, kind, form.NoEncryption()))
            provider = RsaKeyPairProvider(key_id, path, endpoint=cloud.url, clock=cloud.clock)
            credentials = provider.get_credentials()
            assert (credentials.provider_name, credentials.security_token) == ("rsa_key_pair", None)

    def test_a_key_may_be_bare_base64_and_one_with_a_passphrase_is_told(self, cloud: FakeCloud, tmp_path: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra rsa")
        from cryptography.hazmat.primitives import serialization as form

        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        key_id = cloud.account.add_public_key(cloud.add_user("rsa"), public.decode(), cloud.clock.time())
        path = tmp_path / "key"
        path.write_bytes(
            b64encode(key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())) + b"\n"
        )
        provider = RsaKeyPairProvider(key_id, path, endpoint=cloud.url, clock=cloud.clock)
        assert provider.get_credentials().access_key_id
        locked = form.BestAvailableEncryption(b"hunter2")
        path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked))
        with pytest.raises(FetchError, match="without a passphrase"):
            provider.refresh()
        path.unlink()
        with pytest.raises(FetchError, match="No such file"):
            provider.refresh()

    def test_without_the_extra_it_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "cryptography", None)
        with pytest.raises(FetchError, match=r"pip install 'ramrole-creds\[rsa\]'"):
            RsaKeyPairProvider("id", tmp_path / "key").get_credentials()

    @pytest.mark.parametrize(
        "wrong", [{"public_key_id": ""}, {"private_key_file": ""}, {"duration": 3601}, {"duration": 899}]
    )
    def test_arguments_that_sts_would_refuse_are_refused_at_once(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            RsaKeyPairProvider(**{"public_key_id": "id", "private_key_file": "/k", **wrong})

    def test_a_file_that_is_no_key_is_named_and_not_shown(self, tmp_path: Path) -> None:
        pytest.importorskip("cryptography", reason="the extra rsa")
        path = tmp_path / "key.pem"
        path.write_text("hunter2")
        with pytest.raises(FetchError, match="holds no RSA private key") as raised:
            RsaKeyPairProvider("id", path).get_credentials()
        assert "hunter2" not in str(raised.value)
        with pytest.raises(ConfigurationError):
            RsaKeyPairProvider("id", "-----BEGIN PRIVATE KEY-----")

    def test_the_default_endpoint_is_that_of_the_japan_site(self) -> None:
        assert "sts.ap-northeast-1.aliyuncs.com" in RsaKeyPairProvider("id", "/x").explain()


@pytest.mark.parametrize("kind", ["credential_uri", "cloud_sso", "oauth"])
def test_a_life_is_reckoned_from_the_servers_time(gate: FakeCloud, kind: str) -> None:
    """A local clock that is hours ahead does not kill credentials as they arrive."""

    class Ahead:
        def time(self) -> float:
            return gate.clock.time() + 7 * 3600

        def monotonic(self) -> float:
            return gate.clock.monotonic()

    gate.attach_role("web")
    makers: dict[str, Callable[[], CredentialProvider]] = {
        "credential_uri": lambda: CredentialsUriProvider(gate.url + METADATA_PATH, clock=Ahead()),
        "cloud_sso": lambda: CloudSsoProvider(gate.url, "123", "ac-1", access_token="sso-token", clock=Ahead()),
        "oauth": lambda: OAuthProvider(OAuthTokens("access-0"), endpoint=gate.url, clock=Ahead()),
    }
    with makers[kind]() as provider:
        assert provider.get_credentials().provider_name == kind
        assert provider.status().state == "fresh"


def test_no_provider_logs_what_it_fetched(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = {"access_key_id": "LTAIexample", "access_key_secret": "hunter2", "sts_token": "hunter3"}
        ProcessProvider(printing(**keys)).get_credentials()
    assert "hunter" not in caplog.text
