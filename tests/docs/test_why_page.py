"""What the page "Why this library" says of botocore and google-auth, asked of them."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "why.md").read_text(encoding="utf-8")


def row(begins: str) -> list[str]:
    """The cells of the peers in a row of the table: botocore's and google-auth's."""
    (found,) = re.findall(rf"^\| {begins} \|(.*)\|$", PAGE, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")][-2:]


def stamp(minutes: float) -> str:
    """A time so many minutes from now, as AWS writes it."""
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def botocore_credentials(minutes: float, fetched_on: list[int]) -> Any:
    """Credentials of botocore that end in so many minutes, and note on which thread they are fetched."""
    credentials = pytest.importorskip("botocore.credentials")

    def fetch() -> dict[str, str]:
        fetched_on.append(threading.get_ident())
        return {"access_key": "id", "secret_key": "key", "token": "token", "expiry_time": stamp(minutes)}

    made = credentials.RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")
    fetched_on.clear()
    return made


def google_credentials(seconds: float, fetched_on: list[int], slow: float = 0.0) -> Any:
    """Credentials of google-auth that end in so many seconds, and note on which thread they are fetched."""
    module = pytest.importorskip("google.auth.credentials")

    class Noting(module.Credentials):  # type: ignore[misc, name-defined]  # a module that may be missing
        def refresh(self, request: object) -> None:
            fetched_on.append(threading.get_ident())
            time.sleep(slow)
            self.token = "token"
            self.expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=seconds)

    made = Noting()
    if seconds > 0:
        made.refresh(None)
        fetched_on.clear()
    return made


class Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata service of AWS: its credentials have ended an hour ago."""

    status = 200

    def answer(self) -> None:
        last = self.path.rpartition("/")[2]
        document = {"Code": "Success", "AccessKeyId": "id", "SecretAccessKey": "key", "Token": "t"}
        body = json.dumps(document | {"Expiration": stamp(-60)}) if last == "web" else "web"
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = answer  # noqa: N815  # the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(params=[200, 500])
def metadata(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Its address, and the status of all its answers."""
    handler = type("Handler", (Metadata,), {"status": request.param})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", request.param
        server.shutdown()
        thread.join()


def test_the_caller_of_botocore_fetches_and_waits() -> None:
    assert row("refreshes before expiry without a waiting caller")[0] == "no: one caller fetches and waits"
    fetched_on: list[int] = []
    botocore_credentials(14, fetched_on).get_frozen_credentials()
    assert fetched_on == [threading.get_ident()]


def test_the_caller_of_google_auth_waits_unless_it_is_switched() -> None:
    assert row("refreshes before expiry without a waiting caller")[1] == "only if it is switched on"
    fetched_on: list[int] = []
    held = google_credentials(200, fetched_on)
    held.before_request(None, "GET", "https://example.com/", {})
    assert fetched_on == [threading.get_ident()]


def test_botocore_fetches_at_each_call_for_a_session_of_15_minutes_and_google_auth_does_not() -> None:
    assert row("fetches once for a 15-minute session") == ["no: a fetch at each call", "yes"]
    by_botocore: list[int] = []
    by_google: list[int] = []
    botocore, google = botocore_credentials(14.9, by_botocore), google_credentials(14.9 * 60, by_google)
    for _ in range(3):
        botocore.get_frozen_credentials()
        google.before_request(None, "GET", "https://example.com/", {})
    assert (len(by_botocore), len(by_google)) == (3, 0)


def test_threads_of_google_auth_share_no_fetch() -> None:
    assert row("threads that need a fetch share one")[1] == "no"
    fetched_on: list[int] = []
    held = google_credentials(0, fetched_on, slow=0.2)
    threads = [
        threading.Thread(target=held.before_request, args=(None, "GET", "https://example.com/", {})) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched_on) > 1


def test_botocore_extends_expired_credentials_and_does_not_see_a_metadata_service_that_fails(
    metadata: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert row("returns expired credentials")[0] == "yes, on purpose: AWS may extend them"
    credentials = pytest.importorskip("botocore.credentials")
    utils = pytest.importorskip("botocore.utils")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    url, status = metadata
    fetcher = utils.InstanceMetadataFetcher(timeout=5, num_attempts=1, base_url=url)
    found = credentials.InstanceMetadataProvider(fetcher).load()
    assert (found is not None) == (status == 200)
    if found is not None:
        assert found.get_frozen_credentials().access_key == "id"


def half_a_key_pair(patch: pytest.MonkeyPatch, _: Path) -> object:
    patch.setenv("AWS_ACCESS_KEY_ID", "id")
    return pytest.importorskip("botocore.session").Session().get_credentials()


def failing_command(patch: pytest.MonkeyPatch, folder: Path) -> object:
    (folder / "config").write_text("[profile p]\ncredential_process = false\n")
    patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    patch.setenv("AWS_PROFILE", "p")
    return pytest.importorskip("botocore.session").Session().get_credentials()


def missing_file(patch: pytest.MonkeyPatch, folder: Path) -> object:
    patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "missing"))
    return pytest.importorskip("google.auth").default()


@pytest.mark.parametrize("ask", [half_a_key_pair, failing_command, missing_file])
def test_a_configured_source_of_the_peers_that_fails_stops_their_search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Callable[[pytest.MonkeyPatch, Path], object]
) -> None:
    cells = row("a source that is configured and fails stops the search")
    assert cells == ["yes, but not the metadata service", "yes, but not the metadata service"]
    pytest.importorskip("botocore.session")
    pytest.importorskip("google.auth")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(Exception, match=r"Partial credentials|custom-process|was not found"):
        ask(monkeypatch, tmp_path)


def test_a_metadata_service_that_fails_is_none_to_google_auth(
    metadata: tuple[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    auth = pytest.importorskip("google.auth")
    address = metadata[0].removeprefix("http://").rstrip("/")
    for name in ("GCE_METADATA_IP", "GCE_METADATA_HOST"):
        monkeypatch.setenv(name, address)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(auth.exceptions.DefaultCredentialsError, match="credentials were not found"):
        auth.default()
