"""Long-term keys that are replaced where they came from, while the program runs."""

from __future__ import annotations

import json
import math
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    CliProfileProvider,
    ConfigurationError,
    CredentialProvider,
    Credentials,
    CredentialsUriProvider,
    EnvironmentProvider,
    IniProfileProvider,
    ProcessProvider,
    RefreshPolicy,
    default_provider,
)
from ramrole_creds.testing.clocks import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Unpack

    from ramrole_creds import FetchContext
    from ramrole_creds.provider import ProviderOptions

MINUTES_TO_NOTICE = 5


def write_cli_profile(folder: Path, key_id: str) -> None:
    profile = {"name": "default", "mode": "AK", "access_key_id": key_id, "access_key_secret": "secret"}
    path = folder / "config.json"
    path.write_text(json.dumps({"current": "default", "profiles": [profile]}), encoding="utf-8")
    path.chmod(0o600)


def write_ini_profile(folder: Path, key_id: str) -> None:
    path = folder / "credentials.ini"
    text = f"[default]\ntype = access_key\naccess_key_id = {key_id}\naccess_key_secret = secret\n"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


SOURCES: dict[str, tuple[Callable[[Path, str], None], Callable[[Path, VirtualClock], CredentialProvider]]] = {
    "cli_profile": (
        write_cli_profile,
        lambda folder, clock: CliProfileProvider(path=folder / "config.json", clock=clock),
    ),
    "profile": (
        write_ini_profile,
        lambda folder, clock: IniProfileProvider(path=folder / "credentials.ini", clock=clock),
    ),
    "default/cli_profile": (
        write_cli_profile,
        lambda _, clock: default_provider(only=("cli_profile",), clock=clock),
    ),
}


def write_document(folder: Path, key_id: str) -> None:
    document = {"AccessKeyId": key_id, "AccessKeySecret": "secret"}
    (folder / "document").write_text(json.dumps(document), encoding="utf-8")


class Answering(BaseHTTPRequestHandler):
    """Answers with a file."""

    folder: Path

    def do_GET(self) -> None:
        """One answer."""
        content = (self.folder / "document").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    handler = type("Handler", (Answering,), {"folder": tmp_path})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join(10)


def test_a_key_that_is_replaced_behind_a_command_or_a_uri_takes_effect(tmp_path: Path, uri: str) -> None:
    clock = VirtualClock()
    # It would take longer to start than a caller that comes much later waits for it.
    patient = RefreshPolicy(fetch_timeout=60, mandatory_wait=60)
    command = [sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", str(tmp_path / "document")]
    for provider in (
        ProcessProvider(command, clock=clock, policy=patient),
        CredentialsUriProvider(uri, clock=clock, policy=patient),
    ):
        write_document(tmp_path, "LTAI5tbefore00000001")
        with provider:
            assert provider.get_credentials().access_key_id == "LTAI5tbefore00000001"
            write_document(tmp_path, "LTAI5tafter000000001")
            clock.advance(hours=3)
            assert provider.get_credentials().access_key_id == "LTAI5tafter000000001"


@pytest.mark.parametrize("source", SOURCES)
def test_a_key_that_is_replaced_in_a_file_takes_effect(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, make = SOURCES[source]
    clock = VirtualClock()
    monkeypatch.setenv("ALIBABA_CLOUD_CONFIG_FILE", str(tmp_path / "config.json"))
    write(tmp_path, "LTAI5tbefore00000001")
    with make(tmp_path, clock) as provider:
        assert provider.get_credentials().access_key_id == "LTAI5tbefore00000001"
        write(tmp_path, "LTAI5tafter000000001")
        clock.advance(minutes=MINUTES_TO_NOTICE - 1)
        assert provider.get_credentials().access_key_id == "LTAI5tbefore00000001"
        clock.advance(minutes=1)
        provider.get_credentials()
        clock.advance(seconds=1)
        assert provider.get_credentials().access_key_id == "LTAI5tafter000000001"
        write(tmp_path, "LTAI5tlast0000000001")
        clock.advance(hours=3)  # a caller that comes much later waits for a check first
        assert provider.get_credentials().access_key_id == "LTAI5tlast0000000001"
        (tmp_path / "config.json").unlink(missing_ok=True)
        (tmp_path / "credentials.ini").unlink(missing_ok=True)
        clock.advance(hours=3)  # what is broken meanwhile takes nothing away
        assert provider.get_credentials().access_key_id == "LTAI5tlast0000000001"


def test_variables_that_a_program_sets_anew_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tbefore00000001")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    with EnvironmentProvider(clock=clock) as provider:
        assert provider.get_credentials().access_key_id == "LTAI5tbefore00000001"
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tafter000000001")
        clock.advance(hours=1)
        assert provider.get_credentials().access_key_id == "LTAI5tafter000000001"


def test_no_thread_is_kept_for_them(tmp_path: Path) -> None:
    write_cli_profile(tmp_path, "LTAI5tbefore00000001")
    before = set(threading.enumerate())
    with CliProfileProvider(path=tmp_path / "config.json") as provider:
        provider.get_credentials()
        started = {thread.name for thread in set(threading.enumerate()) - before}
    assert "ramrole-creds-refresh" not in started


@pytest.mark.parametrize(
    ("write", "make", "file", "variable"),
    [
        (write_cli_profile, CliProfileProvider, "config.json", "ALIBABA_CLOUD_CONFIG_FILE"),
        (write_ini_profile, IniProfileProvider, "credentials.ini", "ALIBABA_CLOUD_CREDENTIALS_FILE"),
    ],
)
def test_a_variable_that_names_another_file_later_does_not_change_whose_keys_a_provider_gives(
    write: Callable[[Path, str], None],
    make: Callable[[], CredentialProvider],
    file: str,
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f"LTAI5t{name}")
    monkeypatch.setenv(variable, str(tmp_path / "mine" / file))
    with make() as provider:
        monkeypatch.setenv(variable, str(tmp_path / "theirs" / file))
        assert provider.get_credentials().access_key_id == "LTAI5tmine"
    with make() as provider:
        assert provider.get_credentials().access_key_id == "LTAI5ttheirs"


class Vault(CredentialProvider):
    """Tells the cache something about a key that never expires."""

    name = "vault"

    def __init__(self, report: Callable[[FetchContext], object], **options: Unpack[ProviderOptions]) -> None:
        super().__init__(**options)
        self.report = report
        self.fetches = 0

    def fetch(self, context: FetchContext) -> Credentials:
        self.fetches += 1
        self.report(context)
        return Credentials("LTAI5tbefore00000001", "secret")


@pytest.mark.parametrize("after", [10.0, 2.0])
def test_a_source_that_wants_to_be_asked_often_is_though_it_gives_the_same_again(after: float) -> None:
    clock = VirtualClock()
    with Vault(lambda context: context.recheck_after(after), clock=clock) as provider:
        provider.get_credentials()
        for fetches in range(2, 6):
            clock.advance(seconds=11)
            provider.get_credentials()
            clock.advance(seconds=0)
            assert provider.fetches == fetches


@pytest.mark.parametrize(
    "report",
    [
        lambda context: context.recheck_after("10"),
        lambda context: context.recheck_after(math.nan),
        lambda context: context.recheck_after(-1),
        lambda context: context.recheck_after(None),
        lambda context: context.record_server_time("Tue, 24 Nov 2026 08:00:00 GMT"),
        lambda context: context.record_server_time(datetime.now(timezone.utc)),
        lambda context: context.record_server_time(math.inf),
    ],
)
def test_a_source_that_reports_an_invalid_time_is_at_fault(report: Callable[[FetchContext], object]) -> None:
    with Vault(report) as provider, pytest.raises(ConfigurationError, match="must be a number of seconds"):
        provider.get_credentials(timeout=5)
    assert provider.fetches == 1
