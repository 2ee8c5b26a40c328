"""`ramrole-creds doctor`: for each set-up that goes wrong, the cause and the fix in the last line."""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport
from ramrole_creds.cli.diagnosis import examination
from ramrole_creds.cli.diagnosis.files import check_files, long_term_ids
from ramrole_creds.cli.diagnosis.network import check_clock, check_region_endpoint
from ramrole_creds.cli.diagnosis.place import look_at_place
from ramrole_creds.testing import assert_no_secret_in
from tests.cli.invoke import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ramrole_creds.testing import FakeCloud

    SetUp = Callable[[FakeCloud, pytest.MonkeyPatch, Path], object]

ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"
STS = "ALIBABA_CLOUD_STS_ENDPOINT"
KEY = "LTAI5tFakeFakeFakeFake00"


@pytest.fixture
def cloud(ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A cloud with the role `web` attached, whose STS is asked too."""
    monkeypatch.setenv(STS, ramrole_cloud.url)
    return ramrole_cloud


def verdict(*options: str, status: int) -> str:
    """The last line, which holds the verdict."""
    result = run("doctor", *options)
    assert result.exit_code == status, result.output
    assert_no_secret_in(result.output)
    return result.output.splitlines()[-1]


def test_a_role_that_sts_accepts_is_named_with_its_end(cloud: FakeCloud) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("A program here runs as role web, until ")
    assert "   ok: The metadata service answers, role attached: web." in result.output
    assert "   ok: The metadata service issues session tokens" in result.output
    assert "accepts the credentials: acs:ram::" in result.output
    assert "clock and the server's differ by" in result.output
    assert "WARNING" not in result.output, "the variables of the fixture are known"
    cloud.requests.assert_called_once("credentials")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("normal", "and answers requests without one too: the hardened mode is not enforced."),
        ("hardened", "and refuses requests without one (hardened mode)."),
    ],
)
def test_the_hardened_mode_is_said_to_be_on_only_where_the_service_refuses_requests_without_a_token(
    cloud: FakeCloud, mode: Any, said: str
) -> None:
    cloud.mode = mode
    assert f"   ok: The metadata service issues session tokens, {said}" in run("doctor").output


def test_a_service_that_resets_requests_without_a_token_is_not_said_to_refuse_them(cloud: FakeCloud) -> None:
    cloud.faults.add("item", "reset", skip=1)
    assert "issues session tokens; a request without one was not answered." in run("doctor").output


@pytest.mark.parametrize(
    ("where", "what", "said"),
    [
        ("token", 404, "WARNING: The metadata service issues no session token to this program"),
        ("item", 500, "issues session tokens; a request without one was not answered."),
    ],
    ids=["no token", "no item"],
)
def test_a_check_of_session_tokens_that_fails_has_a_line_and_the_role_is_used(
    cloud: FakeCloud, where: str, what: Any, said: str
) -> None:
    cloud.faults.add(where, what)
    result = run("doctor", "--offline")
    assert result.exit_code == 0
    assert said in result.output


def test_the_expected_role_is_used(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ROLE", "web")
    assert verdict(status=0).startswith("A program here runs as role web, until ")
    assert cloud.requests


def test_offline_leaves_sts_out(cloud: FakeCloud) -> None:
    assert verdict("--offline", status=0).startswith("A program here runs as role web, until ")
    cloud.requests.assert_not_called("sts")


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def cli_profile(home: Path, **fields: str) -> Path:
    document = {"current": "default", "profiles": [{"name": "default", **fields}]}
    return write(home / ".aliyun" / "config.json", json.dumps(document))


def half_a_pair(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, KEY)


def dead_keys(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, KEY)
    env.setenv(SECRET, "nobodys")


def dead_token_in_a_profile(cloud: FakeCloud, _: pytest.MonkeyPatch, home: Path) -> None:
    issued = cloud.access_key()
    cli_profile(
        home, mode="StsToken", access_key_id="STS.NTgone", access_key_secret=issued.access_key_secret, sts_token="gone"
    )


def broken_profile(_: FakeCloud, __: pytest.MonkeyPatch, home: Path) -> None:
    write(home / ".aliyun" / "config.json", "{broken")


def unreadable_profile(_: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    (home / "folder.ini").mkdir()
    env.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(home / "folder.ini"))


def wrong_role_pinned(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("ALIBABA_CLOUD_ECS_METADATA", "db")


def other_role_expected(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_EXPECT_ROLE", "db")


def no_role(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.detach_role()


def metadata_forbidden_by_variable(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")


def metadata_403(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.disable_endpoint("403")


def metadata_500(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("metadata", 500)


def tokens_refused(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("role", 401)


def token_call_refused(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("token", 400)


def pod_role(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path, token: str | None) -> None:
    env.setenv("ALIBABA_CLOUD_ROLE_ARN", f"acs:ram::{cloud.account.account_id}:role/pod")
    env.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", cloud.oidc.provider_arn)
    file = home / "token"
    if token is not None:
        write(file, token)
    env.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", str(file))


def oidc_token_missing(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, None)


def oidc_token_expired(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    cloud.add_role("pod", trust=cloud.oidc.trust("system:serviceaccount:shop:web"))
    pod_role(cloud, env, home, cloud.oidc.token(subject="system:serviceaccount:shop:web", lifetime=-60))


def trust_policy(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    cloud.add_role("pod", trust=cloud.oidc.trust("system:serviceaccount:shop:other"))
    pod_role(cloud, env, home, cloud.oidc.token(subject="system:serviceaccount:shop:web"))


def stray_newline(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, KEY + "\n")
    env.setenv(SECRET, "s")


def half_a_pair_the_other_way(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(SECRET, "nobodys")


def half_a_pair_in_a_profile(_: FakeCloud, __: pytest.MonkeyPatch, home: Path) -> None:
    cli_profile(home, mode="AK", access_key_id=KEY)


def temporary_key_without_its_token(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, "STS.NTsomebodys")
    env.setenv(SECRET, "somebodys")


def quotation_marks(cloud: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    key = cloud.access_key()
    env.setenv(ID, f'"{key.access_key_id}"')
    env.setenv(SECRET, key.access_key_secret)


def missing_source_profile(_: FakeCloud, __: pytest.MonkeyPatch, home: Path) -> None:
    cli_profile(home, mode="ChainableRamRoleArn", source_profile="gone", ram_role_arn="acs:ram::1:role/x")


def profile_that_is_not_there(_: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    cli_profile(home, mode="AK", access_key_id=KEY, access_key_secret="s")
    env.setenv("ALIBABA_CLOUD_PROFILE", "prod")


def lost_tokens(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.mode = "hardened"
    cloud.faults.add("token", "hang")


def redirecting_metadata(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("metadata", 302)


def tokens_required_and_not_issued(cloud: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("token", 404)
    env.setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")


def bad_metadata_endpoint(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "ftp://x")


def other_account_expected(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_EXPECT_ACCOUNT", "999")


def uri_without_a_service(cloud: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    cloud.detach_role()
    env.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/credentials")


def oidc_in_part(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/var/run/secrets/token")


def oidc_token_empty(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, "")


def oidc_token_garbage(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, "garbage")


def oidc_role_missing(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, cloud.oidc.token(subject="system:serviceaccount:shop:web"))


def oidc_role_is_not_an_arn(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, cloud.oidc.token(subject="system:serviceaccount:shop:web"))
    env.setenv("ALIBABA_CLOUD_ROLE_ARN", "role/pod")


def command_of_a_profile_fails(_: FakeCloud, __: pytest.MonkeyPatch, home: Path) -> None:
    cli_profile(home, mode="External", process_command="false")


def endless_metadata(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("credentials", "oversize")


def function_without_a_role(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    env.setenv("FC_FUNCTION_NAME", "thumbnails")


def pod_without_a_role(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    env.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")


def stray_blank(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, KEY)
    env.setenv(SECRET, "two words")


def stray_letter(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv(ID, KEY + "\u00e9")
    env.setenv(SECRET, "s")


def dead_source_of_a_role(_: FakeCloud, __: pytest.MonkeyPatch, home: Path) -> None:
    keys = {"access_key_id": KEY, "access_key_secret": "nobodys"}
    cli_profile(home, mode="RamRoleArn", ram_role_arn="acs:ram::1:role/x", ram_session_name="name", **keys)


def no_sts_for_a_pod(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, "a.b.c")
    env.setenv(STS, "http://127.0.0.1:9")


def sts_that_fails_for_a_pod(cloud: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    pod_role(cloud, env, home, "a.b.c")
    cloud.faults.add("sts", 500)


def role_listing_that_is_a_web_page(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("role", "garbage-body")


def slow_metadata(cloud: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("role", "hang")
    env.setenv("RAMROLE_CREDS_METADATA_TIMEOUT", "0.2")


def metadata_400(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("role", 400)


def metadata_418(cloud: FakeCloud, _: pytest.MonkeyPatch, __: Path) -> None:
    cloud.faults.add("credentials", 418)


def wrong_clock(cloud: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    key = cloud.access_key()
    env.setenv(ID, key.access_key_id)
    env.setenv(SECRET, key.access_key_secret)
    cloud.faults.add("sts", 400, body={"Code": "InvalidTimeStamp.Expired", "Message": "The time is wrong."})


def expected_role_of_another_account(_: FakeCloud, env: pytest.MonkeyPatch, __: Path) -> None:
    env.setenv("RAMROLE_CREDS_EXPECT_ROLE", "acs:ram::1:role/web")
    env.setenv("RAMROLE_CREDS_EXPECT_ACCOUNT", "2")


def nothing_configured(_: FakeCloud, env: pytest.MonkeyPatch, home: Path) -> None:
    env.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    env.setattr(examination, "ROOT", home / "a-machine-of-unknown-type")


SET_UPS: list[tuple[SetUp, str, str]] = [
    (half_a_pair, f"Cause: {ID} is set and {SECRET} is not", f"Set both, or unset {ID}. Then the attached role web"),
    (dead_keys, "of env: the AccessKey does not exist (InvalidAccessKeyId.NotFound)", "Then the attached role web is"),
    (dead_token_in_a_profile, "Cause: STS rejects the credentials STS.NTgone of cli_profile", "Then the attached role"),
    (broken_profile, "config.json cannot be used", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true. Then the attached role"),
    (unreadable_profile, "folder.ini is", "Correct or remove the section of the ini file. Then the attached role web"),
    (wrong_role_pinned, "ALIBABA_CLOUD_ECS_METADATA=db pins a role that is not attached", "Attach db, or unset"),
    (
        other_role_expected,
        "belong to web, and RAMROLE_CREDS_EXPECT_ROLE=db expects another",
        "Attach the expected role",
    ),
    (no_role, "Cause: No RAM role is attached to this instance.", "ramrole-creds role attach NAME"),
    (
        metadata_forbidden_by_variable,
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED=true forbids",
        "Fix: Unset ALIBABA_CLOUD_ECS",
    ),
    (metadata_403, "refuses all requests (403)", "HttpEndpoint=enabled"),
    (metadata_500, "The metadata service fails (HTTP 500)", "Try again in a minute"),
    (tokens_refused, "rejects session tokens (HTTP 401, step role)", "Look for a proxy between"),
    (token_call_refused, "rejects session tokens (HTTP 400, step token)", "Look for a proxy between"),
    (oidc_token_missing, "Cause: The OIDC token file", "ack-pod-identity-webhook"),
    (oidc_token_expired, "Cause: The OIDC token has expired", "restart the pod"),
    (trust_policy, "trust policy does not accept this pod's OIDC token", "oidc:iss, oidc:aud and oidc:sub"),
    (stray_newline, f"Cause: {ID} has a line end in it", f"Set {ID} again"),
    (half_a_pair_the_other_way, f"Cause: {SECRET} is set and {ID} is not", f"or unset {SECRET}. Then the attached"),
    (
        half_a_pair_in_a_profile,
        "config.json: access_key_secret is missing",
        "Add access_key_secret to the profile. Or set",
    ),
    (temporary_key_without_its_token, "is temporary and its security token is missing", f"Set {TOKEN} too, or unset"),
    (quotation_marks, f"Cause: {ID} has a quotation mark in it", f"Set {ID} again without it"),
    (missing_source_profile, "has no profile of the name in source_profile", "Correct the profile in the file."),
    (profile_that_is_not_there, "has no profile 'prod'", "Correct ALIBABA_CLOUD_PROFILE, or unset it."),
    (lost_tokens, "requires session tokens, and its answers with a token do not", "Raise HttpPutResponseHopLimit"),
    (redirecting_metadata, "redirects (HTTP 302)", "Look for a proxy or a sign-in page"),
    (tokens_required_and_not_issued, "the metadata service issues none (HTTP 404)", "unset ALIBABA_CLOUD_IMDSV1"),
    (
        bad_metadata_endpoint,
        "Cause: RAMROLE_CREDS_METADATA_ENDPOINT must be",
        "Correct RAMROLE_CREDS_METADATA_ENDPOINT",
    ),
    (other_account_expected, "belong to web of the account 1234567890123456", "change RAMROLE_CREDS_EXPECT_ACCOUNT"),
    (uri_without_a_service, "The credentials URI did not answer", "Check that its service is running, or unset"),
    (oidc_in_part, "and ALIBABA_CLOUD_OIDC_PROVIDER_ARN are not: RRSA is configured in part", "set all three"),
    (oidc_token_empty, "token is empty", "Check the kubelet"),
    (oidc_token_garbage, "as an OIDC token (AuthenticationFail.OIDCToken.Invalid)", "Mount the projected token"),
    (oidc_role_missing, "The account has no role acs:ram::", "Correct ALIBABA_CLOUD_ROLE_ARN, or create the role."),
    (oidc_role_is_not_an_arn, "must be the ARN of a role", "Correct ALIBABA_CLOUD_ROLE_ARN, or unset it."),
    (command_of_a_profile_fails, "ended with status 1", "Run it by hand as the user of this process. Or set"),
    (endless_metadata, "The metadata service gave no usable answer.", "Look for a proxy that answers in its place"),
    (function_without_a_role, "no metadata service answers", "Give the function thumbnails a role"),
    (pod_without_a_role, "no metadata service answers", "Give the pod's service account a role (RRSA"),
    (stray_blank, f"Cause: {SECRET} has a blank in it", f"Set {SECRET} again"),
    (stray_letter, f"Cause: {ID} has a character that no key has in it", f"Set {ID} again"),
    (dead_source_of_a_role, "STS rejects the keys of cli_profile", "Then the attached role web"),
    (sts_that_fails_for_a_pod, "was answered 500 with an empty body.", "Check what is listening at this address"),
    (slow_metadata, "does not return a usable answer in time", "a VPN or a firewall that delays packets"),
    (metadata_400, "returns HTTP 400, which the service never does", "Look for a proxy or a sign-in page"),
    (metadata_418, "returns HTTP 418, which the service never does", "Look for a proxy or a sign-in page"),
    (role_listing_that_is_a_web_page, "returns no usable credentials", "Look for a proxy or a sign-in page"),
    (wrong_clock, "this machine's clock is wrong (InvalidTimeStamp.Expired)", "Set this machine's clock"),
    (expected_role_of_another_account, "names a role of account 1", "Correct this setting."),
    (nothing_configured, "no metadata service answers", "Or: Run on an ECS instance with a role"),
    (no_sts_for_a_pod, "STS does not answer, and the pod's role needs it", "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("set_up", "cause", "fix"), SET_UPS, ids=[set_up.__name__ for set_up, _, _ in SET_UPS])
def test_a_set_up_that_goes_wrong_gets_its_cause_and_its_fix(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, set_up: SetUp, cause: str, fix: str
) -> None:
    set_up(cloud, monkeypatch, Path(os.environ["HOME"]))
    line = verdict(status=1)
    assert cause in line
    assert fix in line.partition(" Fix: ")[1] + line.partition(" Fix: ")[2]


@pytest.mark.slow
def test_a_metadata_service_that_hangs_gets_its_cause(cloud: FakeCloud) -> None:
    cloud.faults.add("metadata", "hang")
    line = verdict("--offline", status=1)
    assert "Cause: No source of credentials is configured here, and no metadata service answers." in line


@pytest.mark.usefixtures("no_metadata")
def test_on_an_instance_a_silent_metadata_service_is_the_cause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "sys/class/dmi/id/product_name", "Alibaba Cloud ECS\n")
    write(tmp_path / "proc/net/fib_trie", "    |-- 100.101.1.2\n       /32 host LOCAL\n")
    monkeypatch.setattr(examination, "ROOT", tmp_path)
    result = run("doctor", "--offline")
    assert "WARNING: This machine has the address 100.101.1.2, of 100.64.0.0/10: an overlay network" in result.output
    assert "Cause: This is an ECS instance, and its metadata service does not answer." in result.output


def test_the_overlay_network_is_no_subject_where_the_service_answers(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path / "proc/net/fib_trie", "    |-- 100.101.1.2\n       /32 host LOCAL\n")
    monkeypatch.setattr(examination, "ROOT", tmp_path)
    assert "overlay" not in run("doctor").output
    assert cloud.requests


class SignInPage(BaseHTTPRequestHandler):
    """Answers whatever is asked with a web page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Sign in</title>")

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.usefixtures("no_metadata")
def test_a_uri_that_answers_with_a_web_page_gets_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), SignInPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", f"http://127.0.0.1:{server.server_port}/credentials")
        line = verdict("--offline", status=1)
        server.shutdown()
        thread.join()
    assert "Cause: The credentials URI http://127.0.0.1:" in line
    assert "answered 200 with" in line
    assert "Point ALIBABA_CLOUD_CREDENTIALS_URI at the credential service itself" in line


@pytest.fixture
def dead_proxy() -> Iterator[str]:
    """The address of a proxy where nothing listens."""
    with socket.socket() as nothing_listens:
        nothing_listens.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nothing_listens.getsockname()[1]}"


def test_a_dead_proxy_is_the_cause_without_its_password(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, dead_proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:hidden@{dead_proxy}")
    monkeypatch.delenv("ALIBABA_CLOUD_STS_ENDPOINT")  # that of the fake cloud: on loopback no proxy is asked
    result = run("doctor", "-v")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(
        f"Cause: STS cannot be reached through the proxy http://{dead_proxy}. Fix: Correct HTTPS_PROXY"
    )
    assert "hidden" not in result.output
    assert f"does not answer through the proxy http://{dead_proxy}" in result.output  # the region's endpoint
    assert ramrole_cloud.requests


def test_a_profile_that_hides_the_role_is_named(cloud: FakeCloud) -> None:
    key = cloud.access_key()
    cli_profile(
        Path(os.environ["HOME"]),
        mode="AK",
        access_key_id=key.access_key_id,
        access_key_secret=key.access_key_secret,
    )
    result = run("doctor")
    assert result.exit_code == 0
    assert "WARNING: The attached role web is not used: cli_profile comes first." in result.output
    assert "holds long-term keys (" in result.output
    assert "user/alice" in result.output.splitlines()[-1]
    assert key.access_key_secret not in result.output


def test_a_file_that_cannot_be_looked_at_is_named(cloud: FakeCloud) -> None:
    path = Path(os.environ["HOME"]) / ".aliyun" / "config.json"
    path.parent.mkdir()
    path.symlink_to(path)  # whoever is root may read all else
    output = run("doctor").output
    assert f"FAILED: {path} cannot be read: Too many levels of symbolic links." in output
    assert "No profile file is there" not in output
    assert f"Cause: {path}" in output
    assert cloud.requests


def test_every_source_that_comes_too_late_is_named(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    home, key = Path(os.environ["HOME"]), cloud.access_key()
    monkeypatch.setenv(ID, key.access_key_id)
    monkeypatch.setenv(SECRET, key.access_key_secret)
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/credentials")
    cli_profile(home, mode="AK", access_key_id=KEY, access_key_secret="s")
    section = f"[default]\ntype = access_key\naccess_key_id = {KEY}\naccess_key_secret = s\n"
    write(home / ".alibabacloud" / "credentials", section)
    output = run("doctor").output
    for name in ("cli_profile is configured", "profile is configured", "ALIBABA_CLOUD_CREDENTIALS_URI is set"):
        assert f"WARNING: {name} and not used: env comes first." in output
    assert "WARNING: The attached role web is not used: env comes first." in output


def test_the_source_in_use_has_the_name_that_its_credentials_have(cloud: FakeCloud) -> None:
    output = run("doctor").output
    assert "A program uses default/ecs_ram_role: Credentials(" in output
    assert '"source": "default/ecs_ram_role"' in run("whoami", "--json").output
    assert cloud.requests


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (STS, "http://", f"FAILED: STS cannot be called: {STS} must be a host"),
        ("ALIBABA_CLOUD_REGION_ID", "cn hangzhou", "FAILED: The region is not valid: ALIBABA_CLOUD_REGION_ID must be"),
        (TOKEN, "token", f"WARNING: {TOKEN} is set without a key pair: nothing reads it."),
    ],
    ids=["sts", "region", "token alone"],
)
def test_a_setting_that_the_role_does_not_need_is_named_and_the_role_is_used(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = run("doctor")
    assert said in result.output
    assert result.output.splitlines()[-1].startswith("A program here runs as role web, until ")
    assert cloud.requests


def test_a_clock_that_is_twenty_minutes_off_is_in_the_verdict(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "server_ahead", lambda *_: 1200.0)
    assert "This machine's clock is 1200 s behind the server's: set it" in verdict(status=0)
    assert cloud.requests


def test_the_clock_is_compared_with_sts_where_no_other_answer_has_a_date(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = cloud.access_key()
    monkeypatch.setenv(ID, key.access_key_id)
    monkeypatch.setenv(SECRET, key.access_key_secret)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    assert "clock and the server's differ by" in run("doctor").output
    monkeypatch.setenv(STS, "http://127.0.0.1:9")
    assert "The clock was not compared: no answer had a date." in run("doctor").output
    assert cloud.requests


def test_json_has_the_verdict_and_each_check(cloud: FakeCloud) -> None:
    cloud.detach_role()
    result = run("doctor", "--json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["usable"] is False
    assert report["cause"] == "No RAM role is attached to this instance."
    assert {"place", "variables", "files", "metadata", "source", "clock"} <= {one["name"] for one in report["checks"]}


@pytest.mark.usefixtures("no_metadata")
def test_harmless_values_are_shown_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ID, "LTAI5tHidden")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "staging")
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/path-that-is-secret")
    output = run("doctor", "-v", "--offline").output
    assert f"{ID} is set" in output
    assert "ALIBABA_CLOUD_PROFILE = staging" in output
    assert "LTAI5tHidden" not in output


@pytest.mark.usefixtures("no_metadata")
def test_a_variable_that_only_other_programs_read_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIYUN_SHOP_SETTING", "hidden")
    output = run("doctor", "--offline").output
    assert "ALIYUN_SHOP_SETTING is set: other programs read it, this library and the SDKs do not." in output
    assert "hidden" not in output


@pytest.mark.usefixtures("no_metadata")
def test_a_proxy_variable_that_is_not_a_url_is_shown_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://somebody:hidden@")
    output = run("doctor", "-v", "--offline").output
    assert "HTTPS_PROXY = (not the URL of a proxy: " in output
    assert "hidden" not in output


@pytest.mark.usefixtures("no_metadata")
def test_mistyped_and_foreign_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECERT", "hidden")
    monkeypatch.setenv("ALICLOUD_ACCESS_KEY", "hidden")
    monkeypatch.setenv("ALICLOUD_REGION_ID", "cn-hangzhou")
    output = run("doctor", "--offline").output
    assert f"ALIBABA_CLOUD_ACCESS_KEY_SECERT is set, and no program reads it: did you mean {SECRET}?" in output
    assert "rename it to ALIBABA_CLOUD_ACCESS_KEY_ID" in output
    assert "ALICLOUD_REGION_ID is set" not in output
    assert "hidden" not in output


def test_a_foreign_variable_beside_ours_with_the_same_value_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE"):
        monkeypatch.setenv(name, "shop")
    assert "ALICLOUD_PROFILE is set" not in run("doctor", "--offline").output
    monkeypatch.setenv("ALICLOUD_PROFILE", "other")
    assert "ALICLOUD_PROFILE is set" in run("doctor", "--offline").output


def test_metadata_is_not_asked_where_that_is_forbidden(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    assert "The metadata service was not called: a variable forbids it." in run("doctor").output
    cloud.requests.assert_not_called("metadata")


@pytest.mark.usefixtures("no_metadata")
def test_a_file_that_a_variable_names_and_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", "/no/such/config.json")
    assert "/no/such/config.json is not there, named by ALIBABA_CLOUD_CONFIG_FILE." in run("doctor").output


@pytest.mark.usefixtures("no_metadata")
def test_a_file_whose_name_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", f"/{'long' * 100}")
    output = run("doctor", "--offline").output
    assert "long is not there, named by ALIBABA_CLOUD_CONFIG_FILE." in output
    assert "long cannot be read, named by ALIBABA_CLOUD_CONFIG_FILE: File name too long." in output


@pytest.mark.skipif(os.name != "posix", reason="the user's entry")
def test_a_user_without_a_home_directory_gets_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    (check,) = check_files()
    assert check.mark == "warning"
    assert "home directory" in check.text


@pytest.mark.usefixtures("no_metadata")
def test_a_setting_that_is_not_valid_ends_with_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_METADATA_ENDPOINT", "nonsense")
    assert "Cause: RAMROLE_CREDS_METADATA_ENDPOINT must be the address of a metadata service" in verdict(status=1)


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_file_that_others_may_read_is_named_with_the_command_that_closes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write(tmp_path / "credentials.ini", "[default]\naccess_key_id = LTAI5tAAAABBBBCCCC\n", 0o644)
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(file))
    texts = [check.text for check in check_files(posix=True) if check.mark == "warning"]
    assert f"{file} may be read by other users (mode 0644): chmod 600 {file}" in texts
    assert any("holds long-term keys (LTAI5tAA…CCCC)" in text for text in texts)


def test_temporary_keys_in_a_file_are_not_long_term() -> None:
    profiles = [{"access_key_id": "STS.NTone", "sts_token": "t"}, {"access_key_id": "LTAI5tAAAABBBBCCCC"}]
    assert long_term_ids(json.dumps({"profiles": profiles})) == ["LTAI5tAA…CCCC"]
    assert long_term_ids("accessKeyID = STS.NTone\naccessKeyID=LTAI5tAAAABBBBCCCC") == ["LTAI5tAA…CCCC"]
    assert long_term_ids("{broken") == []


@pytest.mark.parametrize(
    ("seconds", "mark", "text"),
    [
        (None, "skipped", "not compared"),
        (-3.0, "ok", "differ by 3 s"),
        (120.0, "warning", "120 s behind"),
        (-2000.0, "failed", "2000 s ahead of"),
    ],
)
def test_the_clock_is_judged_by_what_services_accept(seconds: float | None, mark: str, text: str) -> None:
    check = check_clock(seconds)
    assert check.mark == mark
    assert text in check.text


@pytest.mark.parametrize(
    ("files", "environ", "text"),
    [
        ({"sys/class/dmi/id/product_name": "Alibaba Cloud ECS"}, {}, "This is an ECS instance."),
        ({".dockerenv": ""}, {}, "This is a machine of unknown type, in a container."),
        ({"proc/1/cgroup": "0::/kubepods/x"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "in a Kubernetes pod."),
        ({}, {"FC_FUNCTION_NAME": "resize"}, "in the function 'resize'."),
    ],
    ids=["instance", "container", "pod", "function"],
)
def test_the_place_is_recognised(tmp_path: Path, files: dict[str, str], environ: dict[str, str], text: str) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    assert text in look_at_place(tmp_path, environ).check().text


def test_a_survey_names_the_first_source_that_is_there(cloud: FakeCloud) -> None:
    from ramrole_creds.cli.diagnosis.sources import survey_sources

    survey = survey_sources()
    assert survey.winner is not None
    assert survey.winner.source == "ecs_ram_role"
    assert survey.broken is None
    nobody = replace(survey, answers=tuple(one for one in survey.answers if one.absent))
    assert nobody.winner is None
    assert cloud.requests


@pytest.mark.usefixtures("ramrole_cloud")
def test_a_chain_that_cannot_be_made_ends_with_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMROLE_CREDS_EXPECT_ACCOUNT", "not an account")
    assert "RAMROLE_CREDS_EXPECT_ACCOUNT" in verdict(status=1)


@pytest.mark.usefixtures("no_metadata")
def test_a_file_that_is_switched_off_has_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", os.devnull)
    assert not [check for check in check_files() if os.devnull in check.text and "is there" in check.text]


def test_the_region_is_asked_where_sts_is_not_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([HttpError("down"), None])

    def request(*_: object, **__: object) -> None:
        problem = next(answers)
        if problem is not None:
            raise problem

    monkeypatch.setenv("ALIBABA_CLOUD_REGION_ID", "cn-hangzhou")
    monkeypatch.setattr(HttpTransport, "request", request)
    found = [next(check_region_endpoint("https://sts.aliyuncs.com")) for _ in range(2)]
    assert [check.mark for check in found] == ["warning", "ok"]
    monkeypatch.delenv("ALIBABA_CLOUD_REGION_ID")
    (check,) = check_region_endpoint("https://sts.aliyuncs.com")
    assert check.mark in ("skipped", "failed")
