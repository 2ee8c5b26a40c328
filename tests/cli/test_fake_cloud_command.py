"""`ramrole-creds fake-cloud`: one line when it is ready, a clean end, and errors that say what is wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import EcsRamRoleProvider, MetadataError, RoleNotAttached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ramrole_creds.cli", "fake-cloud"]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be ended with the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.terminate()  # ends in an orderly way, which is measured too
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        process.kill()
        process.communicate()


def start(processes: list[subprocess.Popen[str]], *options: str) -> str:
    """Start a fake cloud and give the line that it prints when it is ready."""
    command = [*COMMAND, "--control-key", "k", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes.append(process)
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_prints_its_url_serves_the_role_and_ends_cleanly_at_sigterm(started: list[subprocess.Popen[str]]) -> None:
    url = start(started, "--mode", "hardened", "--role", "shop")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    with EcsRamRoleProvider(endpoint=url, token_mode="require") as provider:
        assert provider.get_credentials().identity == "shop"
    started[0].send_signal(signal.SIGTERM)
    out, err = started[0].communicate(timeout=10)
    assert (started[0].returncode, out) == (0, "")
    exported = dict(
        line.removeprefix("export ").split("=", 1) for line in err.splitlines() if line.startswith("export")
    )
    assert exported["RAMROLE_CREDS_METADATA_ENDPOINT"] == exported["ALIBABA_CLOUD_STS_ENDPOINT"] == url


def test_an_empty_role_attaches_none(started: list[subprocess.Popen[str]]) -> None:
    url = start(started, "--role", "")
    with EcsRamRoleProvider(endpoint=url) as provider, pytest.raises(RoleNotAttached):
        provider.get_credentials()


def test_a_script_of_faults_is_played(started: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("faults:\n  - {where: credentials, what: garbage-body}\n", encoding="utf-8")
    url = start(started, "--script", str(script))
    with EcsRamRoleProvider(endpoint=url) as provider, pytest.raises(MetadataError):
        provider.get_credentials()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "soft"], "'soft' is not one of"),
        (["--script", "/no/such/file"], "does not exist"),
        (["--lifetime", "1"], "not in the range"),
        (["--host", "192.0.2.1", "--port", "8100"], "Error: Cannot listen on 192.0.2.1:8100: "),
    ],
    ids=["mode", "script", "lifetime", "host"],
)
def test_a_wrong_option_is_reported_in_a_line_and_ends_with_an_error(options: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("faults.json", '[{"where": "role"', "faults.json is not valid JSON"),
        ("faults.yaml", "- {where: role, what: [", "faults.yaml is not valid YAML"),
        ("faults.json", "5", "A script must be a list of faults"),
        ("faults.json", '[{"where": "role", "what": null}]', "There is no fault None"),
        ("faults.json", '[{"where": "role", "what": "latnecy"}]', "There is no fault 'latnecy'"),
        ("faults.json", '[{"where": "role", "what": 503, "between": 3}]', "between must be two moments"),
    ],
    ids=["JSON", "YAML", "number", "nothing", "name", "between"],
)
def test_a_script_that_makes_no_sense_is_reported_in_a_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    script = tmp_path / name
    script.write_text(text, encoding="utf-8")
    done = subprocess.run([*COMMAND, "--script", str(script)], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "control key" not in done.stderr


def beside(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command by `ramrole-creds fake-cloud --`."""
    whole = [*COMMAND, "--role", "shop", "--", *command]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60, **options)


ROLES = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"
CLIENTS = {
    "python": [sys.executable, "-c", f"import urllib.request as r; print(r.urlopen({ROLES!r}).read().decode())"],
    "library": [
        sys.executable,
        "-c",
        "import ramrole_creds as r; print(r.default_provider().get_credentials().identity)",
    ],
    "curl": ["curl", "-sS", "--max-time", "5", ROLES],
    "shell": ["sh", "-c", f"curl -sS --max-time 5 {ROLES}"],
}


@pytest.mark.usefixtures("trap")
@pytest.mark.parametrize("client", CLIENTS)
def test_a_command_finds_the_cloud_at_the_real_address(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tReal")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "real")
    monkeypatch.setenv("NO_PROXY", "100.100.100.200")
    done = beside(*CLIENTS[client])
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("shop", "", 0)


def test_a_command_steers_the_cloud_with_the_key_that_it_is_given() -> None:
    code = """
import os, urllib.request
url, key = os.environ["RAMROLE_CREDS_FAKE_URL"], os.environ["RAMROLE_CREDS_FAKE_KEY"]
request = urllib.request.Request(url + "/_fake/role/attach", b'{"name": "other"}', {"X-Fake-Key": key})
try:
    urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""
    assert "shop" in beside(sys.executable, "-c", code).stdout


def test_a_command_asks_the_sts_of_the_cloud() -> None:
    code = """
from ramrole_creds import default_provider
from ramrole_creds.sts import StsClient
print(StsClient().get_caller_identity(default_provider().get_credentials()).arn)
"""
    assert "assumed-role/shop/" in beside(sys.executable, "-c", code).stdout


@pytest.mark.parametrize(
    ("command", "status"), [(["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 127)]
)
def test_the_status_is_that_of_the_command(command: list[str], status: int) -> None:
    assert beside(*command).returncode == status


def test_a_signal_reaches_the_command_and_both_end(started: list[subprocess.Popen[str]]) -> None:
    code = "import signal as s, sys; s.signal(s.SIGTERM, lambda *_: sys.exit(7)); print(1, flush=True); s.pause()"
    assert start(started, "--", sys.executable, "-c", code) == "1"
    started[0].send_signal(signal.SIGTERM)
    started[0].communicate(timeout=10)
    assert started[0].returncode == 7


def test_a_script_that_cannot_be_read_is_reported_as_such() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ramrole_creds.cli", "fake-cloud", "--script", os.devnull],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert f"{os.devnull} cannot be read: it is a directory, a pipe or a device" in " ".join(done.stderr.split())
    assert "listen" not in done.stderr
