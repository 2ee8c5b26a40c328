"""`ramrole-creds run`: programs that do not know this library, unmodified, with credentials that stay fresh."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds.cli.child import is_in_foreground, wait_for
from ramrole_creds.testing import FakeCloud
from ramrole_creds.testing.clocks import TickingClock

pytest.importorskip("uvicorn", reason="the extra serve")
pytest.importorskip("httptools", reason="the extra serve")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = [sys.executable, "-m", "ramrole_creds.cli", "run"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """A fake cloud whose time passes and whose sessions last 15 minutes, for child processes."""
    with FakeCloud(clock=TickingClock(), credential_lifetime=900) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FAKE_CLOUD", running.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        yield running


def program(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return [sys.executable, str(file)]


def run(*arguments: str, under: bool = True) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments] if under else [one for one in arguments if one != "--"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)


def test_the_child_gets_the_uri_and_no_other_source(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "false")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    child = json.loads(run("--", sys.executable, "-c", code).stdout)
    assert child["ALIBABA_CLOUD_CREDENTIALS_URI"].startswith("http://127.0.0.1:")
    assert child["ALICLOUD_CREDENTIALS_URI"] == child["ALIBABA_CLOUD_CREDENTIALS_URI"]
    assert child["ALIBABA_CLOUD_ECS_METADATA_DISABLED"] == "true"
    assert child["ALIBABA_CLOUD_CLI_PROFILE_DISABLED"] == "true"
    assert not any(name.startswith("ALIBABA_CLOUD_ACCESS_KEY") for name in child)
    assert "127.0.0.1" in child["NO_PROXY"].split(",")
    assert cloud.requests
    assert tmp_path.exists()


@pytest.mark.usefixtures("cloud")
def test_it_ends_with_the_status_of_the_command() -> None:
    assert run("--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    assert run("--", "no-such-program").returncode == 127
    assert run("--", sys.executable, "--version").returncode == 0


@posix_only
@pytest.mark.usefixtures("cloud")
def test_a_child_that_a_signal_ends_gives_128_and_its_number() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run("--", sys.executable, "-c", code).returncode == 128 + signal.SIGKILL


@posix_only
@pytest.mark.usefixtures("cloud")
def test_signals_reach_the_child_and_its_answer_counts(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        """
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
        print("ready", flush=True)
        signal.pause()
        """,
    )
    with subprocess.Popen([*COMMAND, "--", *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    assert process.returncode == 42


@posix_only
def test_ctrl_c_before_the_child_has_started_gives_130(cloud: FakeCloud) -> None:
    cloud.faults.add("token", "hang")
    command = [*COMMAND, "--", sys.executable, "-c", "print('started')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not cloud.requests and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (128 + signal.SIGINT, "", "")


@posix_only
def test_what_the_terminal_sends_to_the_child_too_is_recognised() -> None:
    pty = pytest.importorskip("pty", reason="terminals of Unix")
    code = "from ramrole_creds.cli.child import is_in_foreground; print(f'<{is_in_foreground()}>', flush=True)"
    command = [sys.executable, "-c", code]
    without = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    assert without.stdout == "<False>\n"
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    printed = b""
    while b">" not in printed:
        printed += os.read(terminal, 1000)
    os.waitpid(process, 0)
    os.close(terminal)
    assert b"<True>" in printed


@posix_only
def test_a_signal_that_comes_while_the_child_is_started_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        os.kill(os.getpid(), signal.SIGUSR1)
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    status = wait_for([sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ))
    assert status == 128 + signal.SIGUSR1


@posix_only
@pytest.mark.parametrize("in_foreground", [True, False])
def test_what_the_terminal_has_sent_to_the_child_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch, in_foreground: bool
) -> None:
    monkeypatch.setattr("ramrole_creds.cli.child.is_in_foreground", lambda: in_foreground)
    code = (
        "import os, signal, sys, time\n"
        "came = []\n"
        "signal.signal(signal.SIGINT, lambda *_: came.append('again'))\n"
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3 + len(came)))\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "os.kill(os.getppid(), signal.SIGUSR1)\n"  # is passed on in any case
        "while True: time.sleep(0.05)\n"  # Python handles no signal that comes right before a sleep
    )
    status = wait_for([sys.executable, "-c", code], dict(os.environ))
    assert status == (3 if in_foreground else 4)


@posix_only
def test_a_terminal_that_belongs_to_another_session_sends_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more, **options: opened(os.devnull if path == "/dev/tty" else path, *more, **options)
    )
    assert not is_in_foreground()


@pytest.mark.usefixtures("no_metadata")
def test_without_credentials_the_command_is_not_started() -> None:
    done = run("--", sys.executable, "-c", "print('started')")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Run `ramrole-creds doctor`" in done.stderr


@pytest.mark.usefixtures("no_metadata")
def test_a_long_term_key_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tKey")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    done = run("--", sys.executable, "-c", "print('started')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "long-term key" in done.stderr


def test_an_official_client_reads_the_uri_without_the_takeover(cloud: FakeCloud, tmp_path: Path) -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    command = program(
        tmp_path,
        """
        from alibabacloud_credentials.client import Client
        credential = Client().get_credential()
        print(credential.provider_name, credential.access_key_id[:4])
        """,
    )
    done = run("--no-takeover", "--", *command)
    assert done.stdout == "default/credential_uri STS.\n", done.stderr
    cloud.requests.assert_called_once("credentials")


NODE = Path(__file__).parents[1] / "testing" / "node"


@pytest.fixture
def node() -> str:
    """The command that runs the official client of Node.js."""
    found = shutil.which("node")
    if found is None or not (NODE / "node_modules" / "@alicloud" / "credentials").is_dir():
        pytest.skip("node, or @alicloud/credentials, is not installed: npm install --prefix tests/testing/node")
    return found


def test_the_official_node_client_gets_credentials_under_run(cloud: FakeCloud, node: str) -> None:
    done = run("--", node, str(NODE / "default.js"))
    printed = json.loads(done.stdout)
    assert printed["provider"] == "default/credential_uri"
    assert cloud.credential_store.lookup(printed["accessKeyId"]) is not None
    cloud.requests.assert_called_once("credentials")


def test_the_official_node_client_gets_credentials_from_serve(cloud: FakeCloud, node: str) -> None:
    serve = [*COMMAND[:-1], "serve"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        uri = service.stdout.readline().strip()
        variables = {"ALIBABA_CLOUD_CREDENTIALS_URI": uri, "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
        command = [node, str(NODE / "default.js")]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=True, timeout=60)
        service.terminate()
    assert cloud.credential_store.lookup(json.loads(done.stdout)["accessKeyId"]) is not None


@pytest.mark.usefixtures("cloud")
def test_a_sitecustomize_that_is_there_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import builtins; builtins.SITE = 'ran'\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(own), os.environ.get("PYTHONPATH", "")]))
    code = "import sys; print(SITE, [e for e in sys.path if 'takeover' in e], sys.modules['sitecustomize'].__file__)"
    out = run("--", sys.executable, "-c", code).stdout.split()
    assert out == ["ran", "[]", str(own / "sitecustomize.py")]


WHICH_HOOKS_RAN = """
import sys
from alibabacloud_credentials.provider.default import DefaultCredentialsProvider as provider
print(getattr(sys, "ran", []), provider.get_credentials.__module__.partition(".")[0])
"""
TAKEN = "ramrole_creds.integrations.takeover"


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a directory with a `sitecustomize` at the front of PYTHONPATH; it notes that it ran."""

    def make(name: str, text: str = "") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        note = f"import sys; sys.ran = [*getattr(sys, 'ran', []), {name!r}]\n"
        (folder / "sitecustomize.py").write_text(note + textwrap.dedent(text), encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        return folder

    return make


# As tools do that hide the next sitecustomize: take yourself off the path, then import the one that follows.
NEXT = """
    import importlib, os
    here = os.path.dirname(os.path.abspath(__file__))
    del sys.modules["sitecustomize"]
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    try:
        importlib.import_module("sitecustomize")
    except ImportError:
        pass
"""


@pytest.mark.usefixtures("cloud")
def test_hooks_that_call_the_next_one_all_run_once(hook: Callable[..., Path]) -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    hook("last", NEXT)
    hook("first", NEXT)
    done = run("--", sys.executable, "-c", WHICH_HOOKS_RAN)
    assert done.stdout.strip() == "['first', 'last'] ramrole_creds", done.stderr


@pytest.mark.usefixtures("cloud")
def test_a_hook_before_ours_that_calls_the_next_one_lets_the_takeover_happen(tmp_path: Path) -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.ran = ['tracer']\n" + textwrap.dedent(NEXT))
    launcher = f"import os, sys; os.environ['PYTHONPATH'] = {str(tmp_path)!r} + os.pathsep + os.environ['PYTHONPATH']; "
    launcher += "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    done = run("--", sys.executable, "-c", launcher, WHICH_HOOKS_RAN)
    assert done.stdout.strip() == "['tracer'] ramrole_creds", done.stderr


@pytest.mark.usefixtures("cloud")
def test_a_hook_that_fails_is_reported_as_without_us_and_the_takeover_happens(hook: Callable[..., Path]) -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    hook("broken", "raise RuntimeError('of the hook')")
    done = run("--", sys.executable, "-c", WHICH_HOOKS_RAN)
    assert done.stdout.strip() == "['broken'] ramrole_creds"
    assert "Error in sitecustomize" in done.stderr
    assert "of the hook" in done.stderr


@pytest.mark.usefixtures("cloud")
def test_a_usercustomize_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ramrole_creds

    python = os.path.realpath(sys.executable)  # a virtual environment has no user's site
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(ramrole_creds.__file__).parents[1]))
    ask = [python, "-c", "import site; print(site.ENABLE_USER_SITE, site.getusersitepackages())"]
    enabled, folder = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    if enabled != "True":
        pytest.skip("this interpreter has no user's site")
    Path(folder).mkdir(parents=True)
    (Path(folder) / "usercustomize.py").write_text("import sys; sys.ran = ['user']\n")
    code = "import sys; print(sys.ran, *(type(finder).__module__ for finder in sys.meta_path))"
    done = run("--", python, "-c", code)
    assert done.stdout.startswith(f"['user'] {TAKEN} "), done.stderr


def test_run_under_run_under_run_takes_over_once_and_fetches_once(cloud: FakeCloud, hook: Callable[..., Path]) -> None:
    pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    hook("own")
    code = WHICH_HOOKS_RAN + "from alibabacloud_credentials.client import Client; Client().get_credential()"
    done = run("--", *COMMAND, "--", *COMMAND, "--", sys.executable, "-c", code)
    assert done.stdout.strip() == "['own'] ramrole_creds", done.stderr
    cloud.requests.assert_called_once("credentials")


@pytest.mark.usefixtures("cloud")
def test_an_interpreter_without_this_library_starts_as_it_does_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.modules['ramrole_creds'] = None; import runpy; runpy.run_path(sys.argv[1]); print('fine')"
    from ramrole_creds.integrations import takeover

    monkeypatch.setenv("RAMROLE_CREDS_TAKEOVER", "1")
    hook = str(takeover.HOOK_DIRECTORY / "sitecustomize.py")
    done = subprocess.run([sys.executable, "-c", code, hook], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("fine\n", "")


PROFILES = """
shop:
  target: dev
  outputs:
    dev: {type: maxcompute, auth_type: chain, project: shop, schema: default, endpoint: "%s/api", threads: 1}
"""


@pytest.mark.slow
def test_dbt_signs_its_calls_of_maxcompute_under_run(
    cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real program: dbt with dbt-maxcompute, which asks the official client's default chain."""
    dbt = shutil.which("dbt")
    if dbt is None:
        pytest.skip("dbt is not installed: pip install 'dbt-core<1.12' dbt-maxcompute")
    (tmp_path / "dbt_project.yml").write_text("name: shop\nversion: '1.0'\nprofile: shop\n", encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(PROFILES % cloud.url, encoding="utf-8")
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    run("--", dbt, "debug", "--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path))
    calls = cloud.requests.to("odps")
    assert calls
    assert {call.status for call in calls} == {200}  # the signature and the token of each call were accepted
    cloud.requests.assert_called_once("credentials")
