"""The conformance kit, played to this library, to the official clients, and to clients that do everything wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from ramrole_creds.testing.conformance import cases
from ramrole_creds.testing.conformance.cases import all_cases
from ramrole_creds.testing.conformance.client import ClientProcess, Fetched
from ramrole_creds.testing.conformance.runner import Result, run_cases, summary, to_junit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLIENTS = Path(__file__).parent / "clients"
NODE_MODULES = Path(__file__).parents[1] / "node" / "node_modules"
OURS = [sys.executable, str(CLIENTS / "ours.py")]


def failed(results: Sequence[Result]) -> dict[str, str]:
    return {one.id: one.detail for one in results if one.held is False}


def play(command: Sequence[str], *only: str, once: bool = False, time_limit: float = 20.0) -> dict[str, Result]:
    return {one.id: one for one in run_cases(command, only=only, once=once, time_limit=time_limit, jobs=2)}


def script(tmp_path: Path, code: str) -> list[str]:
    path = tmp_path / "client.py"
    path.write_text(code, encoding="utf-8")
    return [sys.executable, str(path)]


def test_every_case_has_an_id_a_title_and_a_reason() -> None:
    cases = all_cases()
    assert len({case.id for case in cases}) == len(cases) > 120
    assert all(case.title and case.why.endswith(".") for case in cases)
    assert len(all_cases(every_answer=True)) > 300


def test_the_manual_has_a_score_of_every_adapter_over_all_cases() -> None:
    page = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text("utf-8")
    head, _, *rows = [line for line in page.splitlines() if line.startswith("|")]
    assert f"all {len(all_cases())}" in head
    assert len(rows) == len([one for one in CLIENTS.iterdir() if one.suffix in {".py", ".js"}])
    assert all(len(row.split("|")) == len(head.split("|")) for row in rows)


@pytest.mark.slow
def test_this_library_holds_the_protocol() -> None:
    results = play(OURS, "protocol/*", "downgrade/*", "clock/*", "answer/role-*")
    assert failed(list(results.values())) == {}
    assert len(results) > 25


@pytest.mark.slow
def test_this_library_lives_through_rotation_and_outage() -> None:
    assert failed(list(play(OURS, "life/*").values())) == {}


def test_the_official_python_client() -> None:
    pytest.importorskip("alibabacloud_credentials")
    command = [sys.executable, "-W", "ignore", str(CLIENTS / "official.py")]
    results = play(command, "protocol/hardened", "protocol/token-used", "downgrade/401", "protocol/redirect-token")
    assert set(failed(list(results.values()))) == {"downgrade/401", "protocol/redirect-token"}


def test_the_official_node_client(monkeypatch: pytest.MonkeyPatch) -> None:
    node = shutil.which("node")
    modules = os.environ.get("NODE_PATH") or str(NODE_MODULES)
    if node is None or not (Path(modules) / "@alicloud" / "credentials").is_dir():
        pytest.skip("@alicloud/credentials is not installed: npm install --prefix tests/testing/node")
    monkeypatch.setenv("NODE_PATH", modules)
    results = play([node, str(CLIENTS / "official.js")], "protocol/hardened", "protocol/token-used", "downgrade/401")
    assert set(failed(list(results.values()))) == {"downgrade/401"}


def test_opendal_whose_credentials_show_in_what_it_signs() -> None:
    pytest.importorskip("opendal")
    command = [sys.executable, str(CLIENTS / "opendal_client.py")]
    results = play(command, "protocol/hardened", "protocol/token-used", "protocol/cached", "downgrade/401")
    assert set(failed(list(results.values()))) <= {"downgrade/401"}


SIGNS = """
import json, sys
from urllib.parse import urlsplit
from ramrole_creds import EcsRamRoleProvider, Signer, signing
from ramrole_creds.clock import SYSTEM_CLOCK
scheme = {scheme}
with EcsRamRoleProvider() as provider:
    for _ in sys.stdin:
        signer = Signer(provider, scheme, clock=SYSTEM_CLOCK)
        url = signer.presign(signing.Request("GET", "http://127.0.0.1:8080/bucket/key"), 60).url
        print(json.dumps({{"signed_url": url{change}}}), flush=True)
"""


@pytest.mark.parametrize(
    "scheme", ["signing.OSSV1('bucket')", "signing.OSSV4('cn-hangzhou', 'bucket')"], ids=["1", "4"]
)
def test_a_client_may_show_a_url_that_it_signed(tmp_path: Path, scheme: str) -> None:
    client = script(tmp_path, SIGNS.format(scheme=scheme, change=""))
    results = play(client, "protocol/normal", "protocol/cached", "clock/slow")
    assert failed(list(results.values())) == {}


def test_a_url_may_name_the_bucket_before_an_address(tmp_path: Path) -> None:
    change = ".replace('127.0.0.1:8080/bucket/', 'bucket.127.0.0.1:8080/')"
    client = script(tmp_path, SIGNS.format(scheme="signing.OSSV1('bucket')", change=change))
    assert failed(list(play(client, "protocol/normal").values())) == {}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        pytest.param(".replace('key', 'other')", "SignatureDoesNotMatch", id="other"),
        pytest.param(".replace('STS.NTFAKE', 'STS.NTFALE')", "InvalidAccessKeyId", id="unknown"),
        pytest.param(".partition('?')[0]", "the URL is not signed for OSS", id="unsigned"),
        pytest.param("[:9]", "the URL is not signed for OSS", id="no-url"),
        pytest.param(".replace('://', '://[')", "and is not valid", id="bracket"),
    ],
)
def test_a_url_that_the_credentials_did_not_sign_does_not_hold(tmp_path: Path, change: str, detail: str) -> None:
    client = script(tmp_path, SIGNS.format(scheme="signing.OSSV1('bucket')", change=change))
    assert detail in failed(list(play(client, "protocol/normal").values()))["protocol/normal"]


def test_a_secret_at_the_end_of_a_long_error_is_found(tmp_path: Path) -> None:
    late = LEAKS.replace('"error": repr(error)', '"error": "x" * 500 + "FAKESECRET0123456789FAKESECRET"')
    (result,) = play(script(tmp_path, late), "answer/role-blank").values()
    assert "a secret was printed" in result.detail


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        pytest.param("import sys; sys.exit(3)", "ended with status 3 and without an answer", id="crash"),
        pytest.param("import sys; sys.exit('no luck')", "without an answer; it wrote: no luck", id="last words"),
        pytest.param("import time; time.sleep(60)", "no answer within 1 s", id="silence"),
        pytest.param(
            "import time; print('<hi>', flush=True); time.sleep(9)", "within 1 s; it wrote: <hi>", id="no object"
        ),
        pytest.param("print('{nonsense')", "not JSON: {nonsense", id="nonsense"),
        pytest.param("""print('{"error": "no"}')""", "credentials were expected", id="error"),
        pytest.param(
            """print('{"accessKeyId": "STS.x", "accessKeySecret": "y", "securityToken": "z"}')""",
            "never issued",
            id="invented",
        ),
        pytest.param("print('{}')", "the answer of the client has no access_key_id", id="no key"),
    ],
)
def test_a_client_that_fails_is_told_how(tmp_path: Path, code: str, detail: str) -> None:
    results = play(script(tmp_path, code), "protocol/normal", time_limit=1.0)
    assert detail in failed(list(results.values()))["protocol/normal"]


@pytest.mark.parametrize(
    ("case", "code", "detail"),
    [
        pytest.param("answer/role-blank", "import sys; sys.exit(3)", "ended with status 3", id="crash"),
        pytest.param("answer/http-1.0", """print('{"error": "no"}')""", "credentials were expected", id="error"),
        pytest.param(
            "answer/role-blank",
            """print('{"accessKeyId": "STS.x", "accessKeySecret": "y", "securityToken": "z"}')""",
            "an error was expected",
            id="credentials",
        ),
    ],
)
def test_a_client_that_ends_otherwise_than_an_answer_asks_fails_its_case(
    tmp_path: Path, case: str, code: str, detail: str
) -> None:
    assert detail in failed(list(play(script(tmp_path, code), case, time_limit=5.0).values()))[case]


def test_a_client_whose_answer_stays_in_its_output_is_told_why(tmp_path: Path) -> None:
    code = "import sys\nfor _ in sys.stdin: sys.stdout.write('{}'); sys.stdout.flush()"
    (result,) = play(script(tmp_path, code), "protocol/normal", time_limit=1.0).values()
    assert "End each answer with a line end, and flush the output after it" in result.detail


def test_of_a_client_that_prints_without_end_the_last_megabytes_are_kept(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('y' * 3_000_000)\nfor _ in range(30): print('x' * 300_000)\nprint('{}')"
    command = script(tmp_path, code)
    with ClientProcess(command, os.environ, once=False, time_limit=60.0) as client:
        assert client.fetch().kind == "credentials"
        assert 3_000_000 < len(client.output) <= 4 * 1024 * 1024
        assert "y" not in client.output


@pytest.mark.parametrize("once", [True, False])
def test_a_client_without_any_answer_is_not_asked_again(tmp_path: Path, once: bool) -> None:
    results = list(run_cases(script(tmp_path, "import sys; sys.exit(3)"), only=["protocol/*"], once=once))
    assert [(one.id, one.held, one.answered) for one in results] == [("protocol/normal", False, False)]


def test_a_client_that_answers_with_errors_is_asked_on(tmp_path: Path) -> None:
    code = """import sys\nfor _ in sys.stdin: print('{"error": "no"}', flush=True)"""
    assert len(play(script(tmp_path, code), "protocol/*")) > 3


def test_a_client_that_ends_after_its_first_answer_is_not_waited_for(tmp_path: Path) -> None:
    code = LEAKS.replace("    sys.stdout.flush()", "    sys.stdout.flush(); break")
    begun = time.monotonic()
    (result,) = play(script(tmp_path, code), "protocol/cached", time_limit=60.0).values()
    assert "ended with status 0 and without an answer" in result.detail
    assert time.monotonic() - begun < 60


def test_a_secret_beside_the_answer_of_a_program_that_fetches_once_is_found(tmp_path: Path) -> None:
    code = LEAKS.replace("file=sys.stderr", "file=sys.stdout")
    (result,) = play([*script(tmp_path, code), "--once"], "answer/document-blanks", once=True).values()
    assert "a secret was printed" in result.detail


@pytest.mark.parametrize("case", ["normal", "cached"])
def test_two_answers_to_one_fetch_are_noticed(tmp_path: Path, case: str) -> None:
    code = LEAKS.replace("    sys.stdout.flush()", "    print('{}'); sys.stdout.flush()")
    (result,) = play(script(tmp_path, code), f"protocol/{case}").values()
    assert "the client printed more than one answer to a fetch: {" in result.detail
    assert "FAKESECRET" not in result.detail


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
def test_what_a_client_started_ends_with_it(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    begun = time.monotonic()
    (result,) = play(script(tmp_path, code), "protocol/normal", time_limit=1.0).values()
    assert "no answer within 1 s" in result.detail
    assert time.monotonic() - begun < 60


DOCUMENT = """
import os, urllib.request
base = os.environ["CONFORMANCE_METADATA_ENDPOINT"] + "/latest/meta-data/ram/security-credentials/"
role = urllib.request.urlopen(base, timeout=5).read().decode()
print(urllib.request.urlopen(base + role, timeout=5).read().decode())
"""


def test_a_program_that_fetches_once_may_print_the_document_as_it_is(tmp_path: Path) -> None:
    assert play(script(tmp_path, DOCUMENT), "protocol/normal", once=True)["protocol/normal"].held


LEAKS = """
import json, os, sys, urllib.request
base = os.environ["CONFORMANCE_METADATA_ENDPOINT"] + "/latest/meta-data/ram/security-credentials/"
get = lambda url: urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5).read().decode()
for _ in sys.stdin if "--once" not in sys.argv else "1":
    try:
        document = json.loads(get(base + get(base)))
        print("got", document["AccessKeySecret"], file=sys.stderr)
        print(json.dumps({name: document[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")}))
    except Exception as error:
        print(json.dumps({"error": repr(error)}))
    sys.stdout.flush()
"""


def test_a_secret_that_a_client_prints_is_found_and_not_repeated(tmp_path: Path) -> None:
    (result,) = play(script(tmp_path, LEAKS), "answer/document-blanks").values()
    assert "a secret was printed" in result.detail
    assert "FAKESECRET" not in result.detail


def test_a_client_may_fetch_once(tmp_path: Path) -> None:
    command = [*script(tmp_path, LEAKS), "--once"]
    results = play(command, "protocol/normal", "protocol/cached", "protocol/token-used", once=True)
    assert [results[f"protocol/{name}"].held for name in ("normal", "cached", "token-used")] == [True, None, False]
    assert results["protocol/token-used"].detail == "the client never asked for a token"
    assert summary(list(results.values())) == "1 of 2 cases passed, 1 left out"


def test_junit_xml_holds_what_failed_and_why() -> None:
    results = [
        Result("a/b", "Title", "Why.", False, "bad\x00 <detail>", 0.5),
        Result("a/c", "Title", "Why.", None, "left out", 0.0),
        Result("a/d", "Title", "Why.", True, "", 0.1),
    ]
    suite = ET.fromstring(to_junit(results))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("bad? <detail>", "Title. Why.")


def test_the_command_prints_what_failed_and_writes_both_files(tmp_path: Path) -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    client = script(tmp_path, LEAKS)
    files = ["--json", str(tmp_path / "r.json"), "--junit", str(tmp_path / "r.xml")]
    only = ["--only", "protocol/normal", "--only", "protocol/hardened"]
    result = testing.CliRunner().invoke(app, ["conformance", *only, *files, "--", *client])
    assert result.exit_code == 1
    assert "FAILED protocol/hardened" in result.output
    assert "without a session token every request is refused" in result.output
    assert result.output.endswith("1 of 2 cases passed\n")
    written = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [case["held"] for case in written["cases"]] == [True, False]
    assert ET.parse(tmp_path / "r.xml").getroot().get("failures") == "1"


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.parametrize("why", ["absent", "forbidden"])
def test_a_file_that_cannot_be_written_is_refused_before_the_first_case(
    tmp_path: Path, option: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = {
        "absent": (tmp_path / "absent" / "file", f"the directory {tmp_path / 'absent'} does not exist."),
        "forbidden": (tmp_path / "file", "you may not write there."),
    }[why]
    if why == "forbidden":
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    started = tmp_path / "started"
    client = script(tmp_path, f"open({str(started)!r}, 'w')")
    result = testing.CliRunner().invoke(app, ["conformance", option, str(path), "--", *client])
    assert result.exit_code == 1
    assert f"{path} cannot be written: {said}" in " ".join(result.output.split())
    assert not started.exists()


def test_an_unknown_case_is_an_error() -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    result = testing.CliRunner().invoke(app, ["conformance", "--only", "nothing/*", "--", "true"])
    assert result.exit_code == 2
    assert "No case has such an id" in result.output


@pytest.mark.parametrize(("mode", "status"), [(None, 127), (0o600, 126)], ids=["absent", "not executable"])
def test_a_client_that_cannot_be_started_is_an_error_of_one_line(tmp_path: Path, mode: int | None, status: int) -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    client = tmp_path / "client"
    if mode is not None:
        client.write_text("x")
        client.chmod(mode)
    result = testing.CliRunner().invoke(app, ["conformance", "--only", "protocol/*", "--", str(client)])
    assert result.exit_code == status
    assert f"Error: {client} cannot be run: " in result.output


def test_the_command_says_so_where_nothing_can_be_read(tmp_path: Path) -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    result = testing.CliRunner().invoke(app, ["conformance", "--", *script(tmp_path, "print('hello')")])
    assert result.exit_code == 1
    assert "it wrote: hello" in result.output
    assert "so the other cases were not run" in result.output


def test_the_command_ends_with_zero_where_every_case_passes() -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    result = testing.CliRunner().invoke(app, ["conformance", "--only", "protocol/normal", "--", *OURS])
    assert (result.exit_code, result.output) == (0, "1 of 1 cases passed\n")


def test_what_a_client_that_fetches_once_prints_before_its_document_is_passed_over(tmp_path: Path) -> None:
    code = "print('starting'); print(3); print('[]')\n" + DOCUMENT
    assert play(script(tmp_path, code), "protocol/normal", once=True)["protocol/normal"].held


def test_a_client_that_fetches_once_and_says_nothing_is_ended(tmp_path: Path) -> None:
    code = "import time; print('one moment', flush=True); time.sleep(60)"
    (result,) = play(script(tmp_path, code), "protocol/normal", once=True, time_limit=1.0).values()
    assert "no answer within 1 s; it wrote: one moment" in result.detail


def test_the_repr_of_an_answer_has_no_secret() -> None:
    credentials = Fetched("credentials", access_key_id="STS.x", access_key_secret="FAKESECRET", security_token="z")
    assert repr(credentials) == "Fetched(credentials, STS.x)"
    assert "FAKESECRET0123456789" not in repr(Fetched("error", "got FAKESECRET0123456789FAKESECRET"))


NO_ANSWER = """import sys\nfor _ in sys.stdin: print('{"error": "no"}', flush=True)"""


@pytest.mark.parametrize("case", ["rotation", "expired-in-an-outage", "replaced-role", "outage"])
def test_a_client_without_credentials_fails_the_cases_of_a_life_at_once(tmp_path: Path, case: str) -> None:
    begun = time.monotonic()
    (result,) = play(script(tmp_path, NO_ANSWER), f"life/{case}").values()
    assert result.detail == "credentials were expected, and the client ended with error: no"
    assert time.monotonic() - begun < cases.SHORT_LIFETIME_SECONDS


@pytest.mark.slow
def test_a_client_that_fails_after_the_role_was_replaced_fails_the_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "SHORT_LIFETIME_SECONDS", 2)
    once = LEAKS.replace('print("got", document["AccessKeySecret"], file=sys.stderr)', "")
    once = once.replace("    sys.stdout.flush()", "    sys.stdout.flush(); get = None")
    (result,) = play(script(tmp_path, once), "life/replaced-role").values()
    assert result.detail.startswith("credentials were expected, and the client ended with error: TypeError")


@pytest.mark.skipif(os.name == "nt", reason="sessions of POSIX")
def test_a_daemon_of_the_client_that_holds_its_output_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ramrole_creds.testing.conformance.client.END_SECONDS", 0.2)
    code = (
        "import subprocess, sys\n"
        "daemon = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(daemon.pid))\n"
    )
    begun = time.monotonic()
    try:
        play(script(tmp_path, code), "protocol/normal", time_limit=1.0)
        assert time.monotonic() - begun < 30
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_on_a_system_without_process_groups_the_client_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "killpg", raising=False)
    monkeypatch.setattr("ramrole_creds.testing.conformance.client.END_SECONDS", 0.2)
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    play(script(tmp_path, code), "protocol/normal", time_limit=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_error_that_is_not_about_the_client_is_not_reported_as_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    testing = pytest.importorskip("click.testing")
    from ramrole_creds.cli.app import app

    def fail(*_: object, **__: object) -> Iterator[Result]:
        yield from ()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("ramrole_creds.testing.conformance.runner.run_cases", fail)
    result = testing.CliRunner().invoke(app, ["conformance", "--", *OURS])
    assert isinstance(result.exception, OSError)
    assert result.exception.errno == errno.EMFILE
