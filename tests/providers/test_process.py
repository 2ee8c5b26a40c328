from __future__ import annotations

import errno
import json
import logging
import os
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ramrole_creds import ConfigurationError, FetchContext, ProcessError, ProcessProvider
from ramrole_creds.providers import process as external
from ramrole_creds.providers._command_line import split_command, split_windows
from ramrole_creds.providers.process import describe_stderr


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def printing(**document: object) -> list[str]:
    return command(f"print({json.dumps(json.dumps(document))})")


class TestProcess:
    def test_both_formats_are_read(self) -> None:
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
    def test_an_incomplete_document_is_reported_without_its_values(self, document: dict[str, object]) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider(printing(**document)).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_what_a_failing_command_says_is_shown_without_secrets(self) -> None:
        code = "import sys; sys.exit('login needed; access_key_secret=hunter2 token: ' + 'x' * 40)"
        with pytest.raises(ProcessError, match=r"status 1 and wrote to standard error: login needed") as raised:
            ProcessProvider(command(code)).get_credentials()
        assert "hunter2" not in str(raised.value)
        assert "xxxx" not in str(raised.value)

    def test_arguments_are_not_shown(self) -> None:
        with pytest.raises(ProcessError) as raised:
            ProcessProvider([*command("raise SystemExit(3)"), "--password", "hunter2"]).get_credentials()
        assert "hunter2" not in str(raised.value)

    def test_a_command_that_does_not_exist_is_named_with_its_path(self) -> None:
        with pytest.raises(ProcessError, match=r"/no/such/command cannot be run \(No such file"):
            ProcessProvider("/no/such/command --password hunter2").get_credentials()

    @pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM], ids=errno.errorcode.get)
    def test_a_shortage_of_the_system_is_not_a_mistake_in_the_command(
        self, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(ProcessError, match=r"cannot be run now .*Check the limits") as raised:
            ProcessProvider("tool").get_credentials()
        assert not raised.value.unrecoverable

    @pytest.mark.skipif(os.name != "posix", reason="a script with a mode")
    def test_a_command_that_was_found_on_the_path_is_named_with_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tool = tmp_path / "keys-tool"
        tool.write_text("#!/bin/sh\nexit 3\n")
        tool.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        provider = ProcessProvider("keys-tool --json")
        assert provider.explain() == f"would run {tool}"
        with pytest.raises(ProcessError, match=f"command {tool} ended with status 3 and wrote nothing"):
            provider.get_credentials()

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

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_a_command_that_closes_its_output_and_goes_on_is_ended_on_timeout(self) -> None:
        closing = "import os, time; os.close(1); os.close(2); time.sleep(60)"
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider(command(closing), timeout=0.5).get_credentials()

    @pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
    def test_a_command_whose_output_cannot_be_read_is_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        monkeypatch.setattr(selectors, "PollSelector", refuse)
        started: list[subprocess.Popen[Any]] = []
        start = subprocess.Popen
        monkeypatch.setattr(subprocess, "Popen", lambda *a, **o: started.append(start(*a, **o)) or started[-1])
        with pytest.raises(ProcessError, match=r"cannot be run now .*Check the limits"):
            ProcessProvider(command("import time; time.sleep(60)")).get_credentials()
        assert [one.returncode for one in started] == [-signal.SIGKILL]

    @pytest.mark.skipif(os.name != "posix", reason="stands in for Windows with a script")
    def test_on_windows_the_tree_of_processes_is_ended_by_what_windows_has_for_that(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments = tmp_path / "arguments"
        killer = tmp_path / "taskkill"
        killer.write_text(f'#!/bin/sh\necho "$1 $2 $3" > {shlex.quote(str(arguments))}\nkill -9 "$4"\n')
        killer.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr(external, "ON_WINDOWS", True)
        with pytest.raises(ProcessError, match="did not end within"):
            ProcessProvider([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5).get_credentials()
        assert arguments.read_text() == "/F /T /PID\n"
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
            (r'tool "say \"hi\""', True, ["tool", 'say "hi"']),
            (r'tool C:\a\ "C:\b c\\" \\\"x', True, ["tool", "C:\\a\\", "C:\\b c\\", '\\"x']),
            ("tool 'a b'", True, ["tool", "'a", "b'"]),
            ('tool "" "a""b" c"d e"f', True, ["tool", "", 'a"b', "cd ef"]),
            ("tool $HOME; rm -rf /", False, ["tool", "$HOME;", "rm", "-rf", "/"]),
        ],
    )
    def test_a_text_is_split_and_no_shell_sees_it(self, text: str, windows: object, arguments: list[str]) -> None:
        assert split_command(text, windows=bool(windows)) == arguments

    @pytest.mark.parametrize("text", ['tool "open', '"open', '"open" "open'])
    def test_an_open_quotation_mark_is_a_configuration_error_on_windows(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(external, "ON_WINDOWS", True)
        with pytest.raises(ConfigurationError, match="No closing quotation"):
            ProcessProvider(text)

    @given(arguments=st.lists(st.text("ab \t\"\\'", max_size=8), max_size=4))
    @example(arguments=["", '"', "\\", 'a\\\\" b'])
    def test_windows_arguments_are_split_as_python_joins_them(self, arguments: list[str]) -> None:
        line = subprocess.list2cmdline(["tool.exe", *arguments])
        assert split_windows(line) == ["tool.exe", *arguments]

    @given(text=st.text('ab \t"\\', max_size=20))
    def test_any_text_is_a_windows_command_or_refused(self, text: str) -> None:
        try:
            split_windows(text)
        except ValueError as error:
            assert "quotation" in str(error)  # noqa: PT017  # either is right

    def test_a_text_that_no_system_accepts_is_refused_at_once(self) -> None:
        with pytest.raises(ConfigurationError, match="more than 131072 characters"):
            ProcessProvider("x" * 10_000_000)

    @pytest.mark.parametrize("wrong", ["", "  ", "'open", [], [""], [1], 5, None, b"true"])
    def test_an_empty_or_invalid_command_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError):
            ProcessProvider(wrong)

    @pytest.mark.parametrize("wrong", [0, -1, "60", True, float("nan")])
    def test_an_invalid_timeout_is_a_configuration_error(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="timeout"):
            ProcessProvider("true", timeout=wrong)


PRINT_AND_LEAVE_A_CHILD = """
import json, os, sys
if {leave_group}:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 60"], os.environ, setsid=True)
else:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 60"], os.environ)
open(sys.argv[1], "w").write(str(pid))
print(json.dumps({{"access_key_id": "LTAIexample", "access_key_secret": "s"}}))
sys.stdout.flush()
print("token=hunter2", file=sys.stderr)
sys.exit({status})
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
class TestChildrenThatHoldTheOutput:
    """A command that ends and leaves a child on its pipes."""

    def leaving(self, tmp_path: Path, *, leave_group: bool = False, status: int = 0) -> ProcessProvider:
        code = PRINT_AND_LEAVE_A_CHILD.format(leave_group=leave_group, status=status)
        return ProcessProvider([*command(code), str(tmp_path / "pid")], timeout=30)

    def test_a_good_document_is_served_at_once_and_the_child_is_killed(self, tmp_path: Path) -> None:
        before = time.monotonic()
        assert self.leaving(tmp_path).get_credentials().access_key_id == "LTAIexample"
        assert time.monotonic() - before < 15
        wait_until_gone(int((tmp_path / "pid").read_text()))

    def test_a_good_document_is_served_at_once_on_windows_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(external, "ON_WINDOWS", True)
        monkeypatch.setenv("PATH", str(tmp_path))  # without the killer of Windows
        before = time.monotonic()
        assert self.leaving(tmp_path).get_credentials().access_key_id == "LTAIexample"
        assert time.monotonic() - before < 15
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    def test_a_daemon_goes_on_and_costs_neither_thread_nor_descriptor(self, tmp_path: Path) -> None:
        provider = self.leaving(tmp_path, leave_group=True)
        provider.get_credentials()
        threads, descriptors = set(threading.enumerate()), count_descriptors()
        daemons = [int((tmp_path / "pid").read_text())]
        try:
            for _ in range(3):
                provider.refresh()
                daemons.append(int((tmp_path / "pid").read_text()))
            assert all(_runs(daemon) for daemon in daemons)
            assert count_descriptors() == descriptors
            left = set(threading.enumerate()) - threads
            assert not [one.name for one in left if not one.name.startswith("ramrole-creds-")], "of the command"
        finally:
            for daemon in daemons:
                os.killpg(daemon, signal.SIGKILL)

    def test_a_failure_is_reported_at_once(self, tmp_path: Path) -> None:
        before = time.monotonic()
        with pytest.raises(ProcessError, match="status 3") as raised:
            self.leaving(tmp_path, status=3).get_credentials()
        assert time.monotonic() - before < 15
        assert "hunter2" not in str(raised.value)
        wait_until_gone(int((tmp_path / "pid").read_text()))

    @pytest.mark.parametrize("more", ["", ', "more": {}'], ids=["within", "after-a-brace"])
    def test_a_child_that_finishes_the_document_is_waited_for(self, more: str) -> None:
        code = (
            "import os, sys, time\n"
            f'sys.stdout.write(\'{{"access_key_id": "LTAIexample"{more}\'); sys.stdout.flush()\n'
            "parent = os.getpid()\n"
            "if os.fork() == 0:\n"
            "    while os.getppid() == parent: pass\n"
            "    time.sleep(0.5)\n"  # the reader has noticed that the command has ended
            '    print(\', "access_key_secret": "s"}\')\n'
        )
        assert ProcessProvider(command(code), timeout=30).get_credentials().access_key_id == "LTAIexample"


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert not _runs(pid)


LONG = "Zq7" * 14  # as a secret looks


@pytest.mark.parametrize(
    ("written", "cut"),
    [
        pytest.param(f"{LONG}hunter2", True, id="the-end-of-a-line"),
        pytest.param(f"{LONG}hunter2{' w' * 996}", False, id="where-it-is-cut-off"),
        pytest.param('{"password": "correct hunter2 staple"}', False, id="quoted-with-blanks"),
        pytest.param(f"{LONG}\nhunter2==\ndone", False, id="wrapped"),
        pytest.param(f"-----BEGIN PRIVATE KEY-----\n{LONG}\nhunter2=\n-----END PRIVATE KEY-----\nok", False, id="pem"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nhunter2=", False, id="half-a-pem"),
        pytest.param("Authorization: Bearer hunter2", False, id="bearer"),
        pytest.param("ACCESS_KEY_SECRET =\n  hunter2", False, id="on-the-next-line"),
    ],
)
def test_no_part_of_a_secret_is_shown_of_what_a_command_wrote(written: str, cut: bool) -> None:
    assert "hunter2" not in describe_stderr(written.encode(), cut=cut)


FIELDS = st.sampled_from(
    [
        *("mode", "access_key_id", "access_key_secret", "sts_token", "expiration"),
        *("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "Code"),
    ]
)
VALUES = st.sampled_from(["AK", "StsToken", "hunter2", "", "2099-01-01T00:00:00Z"]) | st.none() | st.integers()


@pytest.mark.skipif(not Path("/bin/cat").exists(), reason="prints a file")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    printed=st.dictionaries(FIELDS, VALUES, max_size=6).map(json.dumps).map(str.encode)
    | st.binary(max_size=60).map(lambda content: content + b"hunter2")
)
def test_whatever_a_command_prints_ends_in_credentials_or_in_a_typed_error(tmp_path: Path, printed: bytes) -> None:
    path = tmp_path / "printed"
    path.write_bytes(printed)
    try:
        credentials = ProcessProvider(["/bin/cat", str(path)]).fetch(FetchContext.create(10.0))
    except ProcessError as error:
        assert "/bin/cat printed" in str(error)  # noqa: PT017  # either is right
        assert "hunter2" not in str(error)  # noqa: PT017  # as above
    else:
        assert credentials.access_key_id


@settings(max_examples=1000)
@given(
    before=st.lists(st.sampled_from(["a", " ", "\n", '"', "'", "=", ":", ";", "token", "secret = ", "bearer "])).map(
        "".join
    ),
    name=st.sampled_from(["password", "API_TOKEN", "access_key_secret", "--db-passwd"]),
    between=st.sampled_from(["=", ": ", ' = "', "='", '": "', "=\n", ":\n\n  "]),
    after=st.text("ab \n\"',;", max_size=40),
)
def test_a_named_secret_is_not_shown_whatever_is_around_it(before: str, name: str, between: str, after: str) -> None:
    written = f"{before} {name}{between}hunter2{after}".encode()
    assert "hunter2" not in describe_stderr(written, cut=False)


def test_the_last_lines_of_a_long_complaint_are_shown() -> None:
    written = "".join(f"line {number}\n" for number in range(9000)) + "login needed\n"
    assert describe_stderr(written.encode()[-65536:], cut=True).endswith("line 8999 login needed")


@pytest.mark.parametrize(
    "piece", ["secret", "token ", "password=", 'secret="', "a", "secret\n", "-----BEGIN ", "bearer "], ids=repr
)
def test_what_a_command_wrote_is_searched_in_linear_time(piece: str) -> None:
    written = (piece * 65536)[:65536].encode()
    before = time.process_time()
    describe_stderr(written, cut=False)
    describe_stderr(b"token" + b" " * 65000, cut=False)
    describe_stderr(b"token=" + b" " * 65000, cut=False)
    assert time.process_time() - before < 1.0  # seconds; a quadratic search takes ten and more


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_provider_logs_what_it_fetched(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = {"access_key_id": "LTAIexample", "access_key_secret": "hunter2", "sts_token": "hunter3"}
        ProcessProvider(printing(**keys)).get_credentials()
    assert "hunter" not in caplog.text


def test_a_command_that_says_it_gives_a_long_term_key_gives_no_token() -> None:
    document = {"mode": "AK", "access_key_id": "a", "access_key_secret": "b", "sts_token": "left over"}
    provider = ProcessProvider([sys.executable, "-c", f"print({json.dumps(document)!r})"])
    assert provider.get_credentials().security_token is None
