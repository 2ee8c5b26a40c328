"""What the official Python library gets wrong, and no other test here would notice: see docs/defects-avoided.md."""

from __future__ import annotations

import _thread
import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import (
    CliProfileProvider,
    CredentialProvider,
    Credentials,
    CredentialsUriProvider,
    EcsRamRoleProvider,
    EnvironmentProvider,
    FetchError,
    FunctionProvider,
    IniProfileProvider,
    OidcRoleArnProvider,
    ProcessProvider,
    ProfileError,
    ProviderUnavailable,
    RamRoleArnProvider,
    StaticProvider,
    default_provider,
)
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.testing import FakeCloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.providers.conftest import Files

METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"
KEYS = {"access_key_id": "LTAI5tof0the0profile", "access_key_secret": "s"}


@pytest.fixture
def real_cloud() -> Iterator[FakeCloud]:
    """On the system's clock, for programs of their own."""
    with FakeCloud(role="web", clock=SYSTEM_CLOCK) as cloud:
        yield cloud


def run(program: str, cloud: FakeCloud, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A program that finds the cloud; what it printed and complained of."""
    given = {**os.environ, "RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url, "URL": cloud.url, **environ}
    command = [sys.executable, *options, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.01)


def assumed(cloud: FakeCloud, **more: Any) -> RamRoleArnProvider:
    source = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    return RamRoleArnProvider(source, cloud.add_role("app").arn, endpoint=cloud.url, clock=cloud.clock, **more)


# Threads and processes


def test_calls_in_the_advisory_window_start_no_thread_while_upstream_fails(cloud: FakeCloud) -> None:
    with EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock) as provider:
        provider.get_credentials()
        cloud.faults.add("credentials", 500, retry_after=60)
        cloud.clock.advance(hours=5, minutes=45)
        assert provider.status().state == "advisory"
        asked, threads = len(cloud.requests), threads_of_the_library()
        most = threads
        for _ in range(2000):
            provider.get_credentials()
            most = max(most, threads_of_the_library())
        assert len(cloud.requests) == asked
        assert most <= threads + 1


def threads_of_the_library() -> int:
    return sum(thread.name.startswith("ramrole-creds-") for thread in threading.enumerate())


def test_a_posix_time_zone_works_and_nothing_deprecated_is_used(real_cloud: FakeCloud) -> None:
    program = """
        from ramrole_creds import default_provider
        print(default_provider().get_credentials().provider_name)
    """
    for zone in ("CST-8", "UTC-8", ":nonsense"):
        assert run(program, real_cloud, "-W", "error", TZ=zone).stdout == "default/ecs_ram_role\n"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works in tests too that a shell has put into the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_reaches_the_waiter_and_the_provider_goes_on_working() -> None:
    let_go = threading.Event()

    def fetch() -> Credentials:
        if not let_go.is_set():
            _thread.interrupt_main()
            let_go.wait(10)
        return Credentials("LTAI5tafter", "s")

    provider = FunctionProvider(fetch)
    with pytest.raises(KeyboardInterrupt):
        provider.get_credentials()
    let_go.set()
    assert provider.get_credentials().access_key_id == "LTAI5tafter"


def test_a_command_whose_caller_was_cancelled_is_neither_left_running_nor_run_again(tmp_path: Path) -> None:
    runs, go = tmp_path / "runs", tmp_path / "go"
    code = (
        "import json, os, sys, time\n"
        "open(sys.argv[1], 'a').write('x')\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
        "print(json.dumps({'access_key_id': str(os.getpid()), 'access_key_secret': 's'}))\n"
    )
    provider = ProcessProvider([sys.executable, "-c", code, str(runs), str(go)])

    async def cancel_one_caller() -> None:
        task = asyncio.create_task(provider.get_credentials_async())
        await asyncio.to_thread(wait_for, runs)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_one_caller())
    go.touch()
    process_id = int(provider.get_credentials().access_key_id)
    assert runs.read_text() == "x"
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


# Refreshing


@pytest.mark.parametrize("lifetime", [900, 600])
def test_short_credentials_are_kept_and_not_fetched_at_each_call(cloud: FakeCloud, lifetime: int) -> None:
    cloud.instance.credential_lifetime = lifetime
    provider: CredentialProvider = assumed(cloud, duration=900)
    if lifetime < 900:
        provider = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock)
    for _ in range(20):
        provider.get_credentials()
    cloud.assert_called_once("AssumeRole" if lifetime == 900 else "credentials")


def test_a_session_is_used_to_its_end_while_sts_is_out_of_order(cloud: FakeCloud) -> None:
    provider = assumed(cloud)
    held = provider.get_credentials()
    cloud.faults.add("AssumeRole", 503, retry_after=600)
    cloud.clock.advance(seconds=3600 - 60)
    assert provider.get_credentials() is held


def test_a_command_without_an_expiration_runs_once_for_ten_calls_and_changes_no_file(
    files: Files, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    document = json.dumps({"mode": "StsToken", **KEYS, "sts_token": "t"})
    script = tmp_path / "script.py"
    script.write_text(f"open({str(runs)!r}, 'a').write('x'); print({document!r})")
    path = files.write_cli({"mode": "External", "process_command": f"'{sys.executable}' '{script}'"})
    before = path.read_bytes()
    provider = CliProfileProvider()
    assert {provider.get_credentials().security_token for _ in range(10)} == {"t"}
    assert runs.read_text() == "x"
    assert path.read_bytes() == before


def test_a_zone_that_changes_its_offset_moves_no_expiry(real_cloud: FakeCloud) -> None:
    program = """
        import os, time
        from datetime import datetime, timezone
        from ramrole_creds import Credentials, ProcessProvider
        text = '{"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "t", "Expiration": "%s"}'
        cases = ("Europe/Moscow", "2030-10-26T22:30:00Z"), ("MSK-4MSD-3,M10.5.0,M11.1.0", "2030-10-31T22:30:00Z")
        for zone, hour in cases:
            os.environ["TZ"] = zone
            time.tzset()
            got = ProcessProvider(["echo", text % hour]).get_credentials()
            assert got.expiration == datetime.fromisoformat(hour.replace("Z", "+00:00")), zone
            assert got.expiration.timestamp() == datetime.fromisoformat(hour.replace("Z", "+00:00")).timestamp()
    """
    if hasattr(time, "tzset"):
        run(program, real_cloud)


def test_the_expiration_is_visible_through_chains_profiles_and_roles(cloud: FakeCloud, files: Files) -> None:
    role = cloud.add_role("app").arn
    hop = {"name": "assumed", "mode": "ChainableRamRoleArn", "source_profile": "default", "ram_role_arn": role}
    files.write_cli({"mode": "EcsRamRole"}, hop)
    files.write_ini("[default]\ntype = ecs_ram_role\n")
    where: dict[str, Any] = {"endpoint": cloud.url, "sts_endpoint": cloud.url, "clock": cloud.clock}
    expected = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials().expiration
    assert expected is not None
    assert CliProfileProvider(**where).get_credentials().expiration == expected
    assert IniProfileProvider(**where).get_credentials().expiration == expected
    assert default_provider(only=("profile",), **where).get_credentials().expiration == expected
    session = CliProfileProvider("assumed", **where).get_credentials().expiration
    assert session == pytest.approx(cloud.clock.now() + timedelta(hours=1), abs=timedelta(seconds=2))


def test_a_sign_in_that_the_cli_renews_takes_effect_without_a_restart(cloud: FakeCloud, files: Files) -> None:
    sign_in = {
        "mode": "CloudSSO",
        "cloud_sso_sign_in_url": "https://127.0.0.1:9/",
        "cloud_sso_account_id": "1",
        "cloud_sso_access_config": "ac",
        "access_token": "t",
    }
    now = int(cloud.clock.time())
    files.write_cli({**sign_in, "cloud_sso_access_token_expire": now - 1})
    provider = CliProfileProvider(clock=cloud.clock)
    with pytest.raises(FetchError, match="sign-in has expired"):
        provider.get_credentials()
    left = {**KEYS, "sts_token": "t", "sts_expiration": now + 3600, "cloud_sso_access_token_expire": now + 7200}
    files.write_cli({**sign_in, **left})
    cloud.clock.advance(seconds=10)
    assert provider.get_credentials().access_key_id == KEYS["access_key_id"]


# Configuration


def test_a_variable_that_is_set_after_the_import_takes_effect(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tlater")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")
    assert EnvironmentProvider(clock=cloud.clock).get_credentials().access_key_id == "LTAI5tlater"


async def test_an_empty_variable_counts_as_unset_for_threads_and_coroutines(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ECS_METADATA", "ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE", "PROFILE", "CREDENTIALS_URI"):
        monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", "")
    provider = default_provider(endpoint=cloud.url, clock=cloud.clock)
    assert await provider.get_credentials_async() is provider.get_credentials()
    assert provider.get_credentials().identity == "web"


async def test_a_missing_file_is_the_same_error_for_threads_and_coroutines(cloud: FakeCloud) -> None:
    for provider in (IniProfileProvider(clock=cloud.clock), CliProfileProvider(clock=cloud.clock)):
        with pytest.raises(ProviderUnavailable, match=r"(?:does|do) not exist") as raised:
            provider.get_credentials()
        with pytest.raises(ProviderUnavailable, match=r"(?:does|do) not exist") as awaited:
            await provider.get_credentials_async()
        assert str(awaited.value) == str(raised.value)


def test_what_a_profile_lacks_is_not_taken_from_the_environment(
    cloud: FakeCloud, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "another")
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/another")
    for profile, missing in (
        ({"mode": "AK", "access_key_id": "a"}, "access_key_secret"),
        ({"mode": "StsToken", **KEYS}, "sts_token"),
        ({"mode": "RamRoleArn", **KEYS}, "ram_role_arn"),
    ):
        files.write_cli(profile)
        with pytest.raises(ProfileError, match=f"{missing} is missing"):
            CliProfileProvider(clock=cloud.clock).get_credentials()
    files.write_ini("[default]\ntype = access_key\naccess_key_id = a\n")
    with pytest.raises(ProfileError, match="access_key_secret is missing"):
        IniProfileProvider(clock=cloud.clock).get_credentials()
    with pytest.raises(ValueError, match="access_key_secret"):
        StaticProvider("a", "")


def test_the_session_name_that_the_cli_writes_into_an_oidc_profile_reaches_sts(
    cloud: FakeCloud, files: Files, tmp_path: Path
) -> None:
    profile = {
        "mode": "OIDC",
        "ram_role_arn": cloud.add_role("pod", trust=cloud.oidc.trust()).arn,
        "oidc_provider_arn": cloud.oidc.provider_arn,
        "oidc_token_file": str(cloud.oidc.write_token(tmp_path / "token")),
        "ram_session_name": "of-the-profile",
    }
    files.write_cli(profile)
    CliProfileProvider(sts_endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert dict(cloud.assert_called_once("AssumeRoleWithOIDC").request.form)["RoleSessionName"] == "of-the-profile"


def test_a_role_of_a_profile_is_assumed_with_its_token_at_its_endpoint_for_its_time(
    cloud: FakeCloud, files: Files
) -> None:
    source = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
    files.write_cli(
        {
            "mode": "RamRoleArn",
            "access_key_id": source.access_key_id,
            "access_key_secret": source.access_key_secret,
            "sts_token": source.security_token,
            "ram_role_arn": cloud.add_role("app").arn,
            "sts_endpoint": cloud.url,
            "expired_seconds": 0,
        }
    )
    assert CliProfileProvider(clock=cloud.clock).get_credentials().identity == cloud.role("app").arn
    assert dict(cloud.assert_called_once("AssumeRole").request.form)["DurationSeconds"] == "3600"


def test_a_variable_names_the_clis_file(cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "elsewhere.json"
    path.write_text(json.dumps({"current": "x", "profiles": [{"name": "x", "mode": "AK", **KEYS}]}))
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", str(path))
    assert CliProfileProvider(clock=cloud.clock).get_credentials().access_key_id == KEYS["access_key_id"]


def test_files_are_utf_8_whatever_the_locale_says(real_cloud: FakeCloud, files: Files) -> None:
    path = files.write_cli({"name": "生产", "mode": "AK", **KEYS}, current="生产")
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False).encode())
    files.write_ini(f"\ufeff[生产]\naccess_key_id = {KEYS['access_key_id']}\naccess_key_secret = s\n")
    program = r"""
        from ramrole_creds import CliProfileProvider, IniProfileProvider
        print(CliProfileProvider().get_credentials().access_key_id)
        print(IniProfileProvider("\u751f\u4ea7").get_credentials().access_key_id)
    """
    done = run(program, real_cloud, "-X", "utf8=0", LC_ALL="C", LANG="C", PYTHONCOERCECLOCALE="0")
    assert done.stdout.split() == [KEYS["access_key_id"]] * 2


# What is sent and what is shown


def test_the_query_of_a_credentials_uri_is_sent_as_it_stands(cloud: FakeCloud) -> None:
    uri = f"{cloud.url}{METADATA_PATH}?a=1&a=2&e=&c=%2F"
    CredentialsUriProvider(uri, clock=cloud.clock).get_credentials()
    (entry,) = cloud.requests
    assert entry.request.target.endswith("?a=1&a=2&e=&c=%2F")


def test_a_credentials_uri_may_name_an_address_of_ipv6() -> None:
    try:
        cloud = FakeCloud(role="web", host="::1").start()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with cloud:
        provider = CredentialsUriProvider(f"{cloud.url}{METADATA_PATH}", clock=cloud.clock)
        assert provider.get_credentials().security_token


def test_a_credentials_uri_that_drips_is_cut_off_at_the_time_limit(cloud: FakeCloud) -> None:
    from ramrole_creds import RefreshPolicy

    cloud.faults.add("credentials", "drip", interval=0.2)
    policy = RefreshPolicy(fetch_timeout=0.5)
    provider = CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock, policy=policy)
    before = time.monotonic()
    with pytest.raises(FetchError):
        provider.get_credentials()
    assert time.monotonic() - before < 3  # every byte comes before a read time-out; all of them take minutes


def test_neither_user_nor_query_of_a_credentials_uri_is_shown(
    cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.faults.add("credentials", 500, body='{"AccessKeySecret": "hunter2"}')
    uri = f"{cloud.url}{METADATA_PATH}?key=hunter2".replace("http://", "http://hunter2:hunter2@")
    provider = CredentialsUriProvider(uri, clock=cloud.clock)
    with pytest.raises(FetchError) as raised:
        provider.get_credentials()
    assert "hunter2" not in f"{raised.value}{caplog.text}{provider!r}{provider.explain()}{provider.status()}"


def test_importing_and_failing_leave_logging_as_it_is_and_print_nothing(cloud: FakeCloud) -> None:
    program = """
        import logging
        root = list(logging.getLogger().handlers)
        from ramrole_creds import NoCredentialsError, default_provider
        try:
            default_provider().get_credentials()
        except NoCredentialsError:
            pass
        assert logging.getLogger().handlers == root
        ours = [name for name in logging.root.manager.loggerDict if name.startswith("ramrole_creds")]
        handlers = [one for name in ours for one in logging.getLogger(name).handlers]
        assert all(isinstance(one, logging.NullHandler) for one in handlers), handlers
        assert all(logging.getLogger(name).level == logging.NOTSET for name in ours)
    """
    done = run(program, cloud, RAMROLE_CREDS_METADATA_ENDPOINT="http://127.0.0.1:9", DEBUG="sdk")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_variable_for_debugging_prints_no_token(real_cloud: FakeCloud) -> None:
    program = "from ramrole_creds import default_provider; default_provider().get_credentials()"
    done = run(program, real_cloud, DEBUG="sdk,credential,tea")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_session_name_of_the_environment_is_honoured_by_both_kinds_of_roles(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "of-the-environment")
    assumed(cloud).get_credentials()
    role = cloud.add_role("pod", trust=cloud.oidc.trust()).arn
    token = cloud.oidc.write_token(tmp_path / "token")
    OidcRoleArnProvider(role, cloud.oidc.provider_arn, token, endpoint=cloud.url, clock=cloud.clock).get_credentials()
    for action in ("AssumeRole", "AssumeRoleWithOIDC"):
        form = dict(cloud.assert_called_once(action).request.form)
        assert form["RoleSessionName"] == "of-the-environment"


def test_credentials_carry_their_expiration_as_an_aware_time(cloud: FakeCloud) -> None:
    held = EcsRamRoleProvider(endpoint=cloud.url, clock=cloud.clock).get_credentials()
    assert held.expiration is not None
    assert held.expiration.utcoffset() == timedelta(0)
    assert held.expiration > datetime.fromtimestamp(cloud.clock.time(), timezone.utc)
