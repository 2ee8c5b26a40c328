"""`ramrole-creds serve` as a process: its line, its signals, its configuration, its errors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from ramrole_creds import CredentialsUriProvider
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[str]]

COMMAND = [sys.executable, "-m", "ramrole_creds.cli", "serve"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A fake cloud whose time passes, for child processes."""
    with FakeCloud(clock=TickingClock(), mode="hardened") as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ALIBABA_CLOUD_STS_ENDPOINT", running.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command; the process is ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen([*COMMAND, *options], stdout=pipe, stderr=pipe, text=True))
        return processes[-1]

    yield begin
    for process in processes:
        process.terminate()  # ends in an orderly way, which is measured too
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        process.kill()
        process.communicate()


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def access_key_id(uri: str) -> str:
    with CredentialsUriProvider(uri) as provider:
        return provider.get_credentials().access_key_id


def test_it_prints_the_uri_serves_and_ends_cleanly_at_sigterm(cloud: FakeCloud, start: Start) -> None:
    process = start()
    uri = ready_line(process)
    assert access_key_id(uri) == access_key_id(uri)
    cloud.requests.assert_called_once("credentials")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


@posix_only
def test_a_request_in_progress_is_finished_at_sigterm(cloud: FakeCloud, start: Start) -> None:
    cloud.faults.add("credentials", "latency", seconds=1.5, times=1)
    process = start("--only", "ecs_ram_role")
    parts = urlsplit(ready_line(process))
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as client:
        client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        # Answered after the request above was read, and long before it is answered.
        assert requests.get(f"http://{parts.netloc}/", timeout=10).status_code == 404
        process.send_signal(signal.SIGTERM)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    process.communicate(timeout=20)
    assert process.returncode == 0


@posix_only
def test_sighup_reads_the_configuration_again_and_keeps_the_old_one_where_it_is_broken(
    cloud: FakeCloud, start: Start, tmp_path: Path
) -> None:
    config = tmp_path / "serve.json"
    config.write_text(json.dumps({"map": {"addr:10.0.0.0/8": "self"}}), encoding="utf-8")
    process = start("--config", str(config))
    uri = ready_line(process)
    assert process.stderr is not None
    assert requests.get(uri, timeout=10).status_code == 403
    config.write_text(json.dumps({"map": {"addr:127.0.0.1": "self"}}), encoding="utf-8")
    process.send_signal(signal.SIGHUP)
    assert process.stderr.readline() == "The configuration was read again.\n"
    assert requests.get(uri, timeout=10).status_code == 200
    config.write_text("{broken", encoding="utf-8")
    process.send_signal(signal.SIGHUP)
    assert "the old one stays" in process.stderr.readline()
    assert requests.get(uri, timeout=10).status_code == 200
    assert cloud.requests


@posix_only
def test_a_reload_during_an_outage_keeps_what_is_held(cloud: FakeCloud, start: Start, tmp_path: Path) -> None:
    config = tmp_path / "serve.json"
    config.write_text(json.dumps({"map": {"*": "self"}}), encoding="utf-8")
    process = start("--config", str(config))
    uri = ready_line(process)
    before = access_key_id(uri)
    cloud.faults.add("metadata", "outage")
    config.write_text(json.dumps({"map": {"addr:127.0.0.0/8": "self"}}), encoding="utf-8")
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    assert process.stderr.readline() == "The configuration was read again.\n"
    assert access_key_id(uri) == before


@posix_only
@pytest.mark.parametrize("text", ["[" * 100_000, '{"map": 1}', '{"nap": {}}', '{"only": ["nobody"]}', ""], ids=range(5))
@pytest.mark.usefixtures("cloud")
def test_a_configuration_that_is_not_valid_changes_nothing(start: Start, tmp_path: Path, text: str) -> None:
    config = tmp_path / "serve.json"
    config.write_text("{}", encoding="utf-8")
    process = start("--config", str(config))
    uri = ready_line(process)
    config.write_text(text, encoding="utf-8")
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    assert "the old one stays" in process.stderr.readline()
    assert access_key_id(uri)


@posix_only
def test_a_role_that_a_reload_drops_is_closed_on_the_status_page(
    cloud: FakeCloud, start: Start, tmp_path: Path
) -> None:
    cloud.add_role("shop")
    config = tmp_path / "serve.json"
    config.write_text(json.dumps({"map": {"*": "shop"}}), encoding="utf-8")
    process = start("--config", str(config), "--admin-port", "0")
    uri = ready_line(process)
    assert process.stderr is not None
    page = process.stderr.readline().removeprefix("status page: ").strip()
    assert access_key_id(uri)
    for _ in range(2):
        config.write_text(json.dumps({"map": {"*": "self"}}), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "The configuration was read again.\n"
    assert "<td>ram_role_arn/shop: closed</td>" in requests.get(page, timeout=10).text


def test_a_mapped_client_gets_the_role_that_is_assumed_for_it(cloud: FakeCloud, start: Start) -> None:
    arn = cloud.add_role("shop").arn
    uri = ready_line(start("--map", f"*={arn}"))
    assert access_key_id(uri).startswith("STS.")
    cloud.requests.assert_called_once("sts")


def test_a_role_may_be_mapped_by_its_name(cloud: FakeCloud, start: Start) -> None:
    cloud.add_role("shop")
    uri = ready_line(start("--map", "addr:127.0.0.1=shop"))
    issued = cloud.credential_store.lookup(access_key_id(uri))
    assert issued is not None
    assert "shop" in str(issued.identity)
    actions = [re.findall("Action=([A-Za-z]+)", str(call))[0] for call in cloud.requests.to("sts")]
    assert actions == ["GetCallerIdentity", "AssumeRole"]


@posix_only
def test_the_name_of_the_attached_role_gives_its_own_credentials(
    cloud: FakeCloud, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    ready_line(start("--socket", str(path), "--map", f"uid:{os.getuid()}=web"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(b"GET /credentials HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b'"AccessKeyId": "STS.' in answer
    cloud.requests.assert_not_called("sts")


def test_the_metadata_protocol_and_the_status_page_are_served(cloud: FakeCloud, start: Start) -> None:
    process = start("--metadata", "--admin-port", "0")
    base = ready_line(process).rpartition("/")[0]
    token = requests.put(
        f"{base}/latest/api/token", headers={"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}, timeout=10
    ).text
    roles = requests.get(
        f"{base}/latest/meta-data/ram/security-credentials/",
        headers={"X-aliyun-ecs-metadata-token": token},
        timeout=10,
    )
    assert roles.text == "web"
    assert process.stderr is not None
    page = process.stderr.readline().removeprefix("status page: ").strip()
    assert "Local credential service" in requests.get(page, timeout=10).text
    assert cloud.requests


def test_a_source_that_fails_is_named_on_standard_error_and_the_service_goes_on(cloud: FakeCloud, start: Start) -> None:
    cloud.detach_role()
    process = start("--only", "ecs_ram_role")
    uri = ready_line(process)
    assert process.stderr is not None
    assert "default: fetch failed (1 in a row)" in process.stderr.readline()
    assert requests.get(uri, timeout=10).status_code == 503
    assert process.poll() is None


@posix_only
@pytest.mark.usefixtures("cloud")
def test_the_variables_for_clients_are_in_a_file_of_their_owner_while_it_serves(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "env"
    process = start("--env-file", str(file))
    uri = ready_line(process)
    assert file.read_text() == (f"ALIBABA_CLOUD_CREDENTIALS_URI={uri}\nALIBABA_CLOUD_ECS_METADATA_DISABLED=true\n")
    assert file.stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert list(tmp_path.iterdir()) == []


@posix_only
@pytest.mark.usefixtures("cloud")
def test_a_unix_socket_is_served(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "s"
    line = ready_line(start("--socket", str(path), "--map", f"uid:{os.getuid()}=self"))
    assert line == f"http+unix://{str(path).replace('/', '%2F')}/credentials"
    assert path.is_socket()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--host", "192.0.2.1"], "Cannot listen on 192.0.2.1 (--port 0): "),
        (["--socket", "/no/such/directory/s"], "Choose with --socket a path in a directory that exists"),
        (["--env-file", "/no/such/directory/env"], "/no/such/directory/env cannot be written"),
        (["--map", "uid:1000=self"], "known on a Unix socket only. Add --socket PATH."),
        (["--socket", "s", "--map", "addr:10.0.0.1=self"], "a client of a Unix socket has no address"),
        (["--map", "uid:1000"], "is not a map. Write CLIENT=ROLE"),
        (["--map", "uid:x=self"], "does not name clients"),
        (["--map", "*=the web"], "is not a role"),
        (["--socket", "s", "--socket-mode", "rw"], "must be an octal mode"),
        (["--config", "/no/such/file"], "/no/such/file cannot be read"),
        (["--only", "nobody"], "nobody"),
        (["--allow-item", "region-id"], "metadata=True"),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, list) else "",
)
def test_a_wrong_option_is_reported_in_a_line(options: list[str], text: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_the_command_names_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from ramrole_creds.cli.app import app; app(['serve'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert (
        "uvicorn is not installed. Install it: in a checkout of ramrole-creds, pip install '.[serve]'." in done.stderr
    )
