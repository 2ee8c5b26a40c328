"""Programs that a test starts reach the fake at the real address, or are not started."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from ramrole_creds.testing import FakeCloud, RealAddressError, cloud_in_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("trap")

URL = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"
ASK = f"import urllib.request; print(urllib.request.urlopen({URL!r}, timeout=5).read().decode())"


def test_a_python_child_reaches_the_fake_at_the_real_address(ramrole_cloud: FakeCloud) -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "web"
    assert ramrole_cloud.assert_called_once("role").header("Host") == "100.100.100.200"


def test_a_python_child_finds_the_cloud_through_this_library(ramrole_cloud: FakeCloud) -> None:
    code = "from ramrole_creds import default_provider; print(default_provider().get_credentials().access_key_id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ramrole_cloud.credential_store.lookup(done.stdout.strip()) is not None


METHODS = multiprocessing.get_all_start_methods()


def ask() -> bytes:
    with urllib.request.urlopen(URL, timeout=5) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("number", [1, 2])  # a fork server outlives a test
@pytest.mark.parametrize("method", METHODS)
def test_a_multiprocessing_child_reaches_it_too(ramrole_cloud: FakeCloud, method: str, number: int) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert pool.submit(ask).result() == b"web", number
    ramrole_cloud.assert_called_once("role")


@pytest.mark.skipif("forkserver" not in METHODS, reason="no fork server on this system")
def test_a_fork_server_from_before_does_not_reach_the_real_address() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        assert pool.submit(os.getpid).result()
        with FakeCloud() as cloud, cloud_in_place(cloud):
            assert pool.submit(os.getpid).result(), "its children live on"
    with FakeCloud() as cloud, cloud_in_place(cloud):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
            assert pool.submit(ask).result() == b"web"
        cloud.assert_called_once("role")


async def exec_curl() -> bytes:
    child = await asyncio.create_subprocess_exec(needs("curl"), *CURL, stdout=subprocess.PIPE)
    return (await child.communicate())[0]


async def shell_curl() -> bytes:
    child = await asyncio.create_subprocess_shell(f"{needs('curl')} {' '.join(CURL)}", stdout=subprocess.PIPE)
    return (await child.communicate())[0]


@pytest.mark.parametrize("start", [exec_curl, shell_curl])
def test_a_child_of_asyncio_reaches_it_too(ramrole_cloud: FakeCloud, start: Callable[[], Any]) -> None:
    assert asyncio.run(start()) == b"web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        pytest.param(["-c", "print(1)"], {"PATH": "/usr/bin"}, id="environment"),
        pytest.param(["-I", "-c", "print(1)"], None, id="isolated"),
        pytest.param(["-sE", "-c", "print(1)"], None, id="ignores-environment"),
    ],
)
@pytest.mark.usefixtures("ramrole_cloud")
def test_a_python_child_without_the_redirect_is_refused(
    arguments: list[str], environment: dict[str, str] | None
) -> None:
    with pytest.raises(RealAddressError, match="does not inherit the redirect"):
        subprocess.run([sys.executable, *arguments], env=environment, check=True)


@pytest.mark.ramrole(redirect=False)
@pytest.mark.usefixtures("ramrole_cloud")
def test_where_the_real_address_is_forbidden_a_child_may_not_reach_it_either() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    assert "forbids connections to the real metadata address" in done.stderr


def test_a_sitecustomize_of_the_child_is_still_imported(
    ramrole_cloud: FakeCloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import os

    directory = tmp_path_factory.mktemp("site")
    (directory / "sitecustomize.py").write_text("import builtins; builtins.was_here = True")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(directory)])}
    code = f"import json; {ASK}; print(json.dumps(was_here))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.split()[1]) is True
    ramrole_cloud.assert_called_once("role")


def needs(program: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def output(command: list[str] | str, **options: object) -> str:
    """What a command prints."""
    whole = {"capture_output": True, "text": True, "timeout": 60, **options}
    done = subprocess.run(command, check=False, **whole)  # type: ignore[call-overload]  # options of many types
    return str(done.stdout).strip() or str(done.stderr).strip()


CURL = ["-sS", "--max-time", "5", URL]
FETCH = f"fetch({URL!r}).then(answer => answer.text()).then(console.log, error => console.log(error.cause.code))"
GET = f"require('http').get({URL!r}, answer => answer.on('data', data => console.log(String(data))))"
CONNECT = """
const socket = require('net').connect(80, '100.100.100.200', () => socket.write(
  'GET /latest/meta-data/ram/security-credentials/ HTTP/1.0\\r\\n\\r\\n'));
socket.on('data', data => console.log(String(data).split('\\r\\n\\r\\n')[1]));
"""
JAVA = f"""
import java.io.*; import java.net.*; import java.net.http.*;
public class Ask {{
  public static void main(String[] arguments) throws Exception {{
    URL url = new URL("{URL}");
    System.out.print(new BufferedReader(new InputStreamReader(url.openStream())).readLine() + " ");
    HttpRequest request = HttpRequest.newBuilder(url.toURI()).build();
    System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
  }}
}}
"""


def test_curl_reaches_the_fake_at_the_real_address(ramrole_cloud: FakeCloud) -> None:
    assert output([needs("curl"), *CURL]) == "web"
    assert ramrole_cloud.assert_called_once("role").header("Host") == "100.100.100.200"


PROXY_EXEMPTIONS = ["*", "localhost,100.100.100.200", "100.64.0.0/10", ".100.100.200"]


@pytest.mark.parametrize("no_proxy", PROXY_EXEMPTIONS)
def test_so_does_a_program_whose_no_proxy_names_the_address(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("no_proxy", no_proxy)
    assert output([needs("curl"), *CURL]) == "web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.parametrize("program", ["python", "curl", "node"])
def test_so_does_a_child_after_the_test_has_emptied_its_environment(ramrole_cloud: FakeCloud, program: str) -> None:
    commands = {"python": [sys.executable, "-c", ASK], "curl": ["curl", *CURL], "node": ["node", "-e", FETCH]}
    needs(commands[program][0])
    with mock.patch.dict(os.environ, {"PATH": os.environ["PATH"]}, clear=True):
        assert output(commands[program]) == "web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.parametrize("given", [None, {"PYTHONPATH": "src"}], ids=["of-the-test", "of-the-child"])
def test_so_does_a_python_child_with_another_search_path(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, given: dict[str, str] | None
) -> None:
    if given is None:
        monkeypatch.setenv("PYTHONPATH", "src")
    environment = None if given is None else {**os.environ, **given}
    assert output([sys.executable, "-c", f"{ASK}; import sys; print('src' in sys.path[2])"], env=environment) == (
        "web\nTrue"
    )
    ramrole_cloud.assert_called_once("role")


def test_so_does_node_with_other_options(ramrole_cloud: FakeCloud) -> None:
    assert output([needs("node"), "-e", FETCH], env={**os.environ, "NODE_OPTIONS": "--no-warnings"}) == "web"
    ramrole_cloud.assert_called_once("role")


def test_a_child_may_be_given_another_fake_cloud(ramrole_cloud: FakeCloud) -> None:
    with FakeCloud("api") as other:
        with cloud_in_place(other):
            given = dict(os.environ)
        assert output([sys.executable, "-c", ASK], env=given) == "api"
        assert output([needs("curl"), *CURL], env=given) == "api"
    ramrole_cloud.assert_not_called()


def spawn(path: str) -> int:
    return os.posix_spawn(needs("curl"), ["curl", *CURL, "-o", path], os.environ)


def spawnp(path: str) -> int:
    return os.posix_spawnp("curl", ["curl", *CURL, "-o", path], os.environ)


def replace(path: str) -> int:
    child = os.fork()
    if not child:
        os.execvp("curl", ["curl", *CURL, "-o", path])
    return child


def replace_with_environment(path: str) -> int:
    return os.spawnvpe(os.P_NOWAIT, "curl", ["curl", *CURL, "-o", path], {"PATH": os.environ["PATH"]})


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="this system has no such calls")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", [spawn, spawnp, replace, replace_with_environment])
def test_so_does_a_program_that_the_test_starts_without_subprocess(
    ramrole_cloud: FakeCloud, tmp_path: Path, start: Callable[[str], int]
) -> None:
    needs("curl")
    os.waitpid(start(str(tmp_path / "out")), 0)
    assert (tmp_path / "out").read_text() == "web"
    ramrole_cloud.assert_called_once("role")


def test_so_does_a_program_that_was_given_another_environment(ramrole_cloud: FakeCloud) -> None:
    assert output([needs("curl"), *CURL], env={}) == "web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.parametrize("start", ["shell", "sh", "system", "popen"])
def test_so_does_what_a_shell_starts(ramrole_cloud: FakeCloud, start: str, tmp_path: Path) -> None:
    line = f"{needs('curl')} {' '.join(CURL)}"
    if start == "shell":
        assert output(line, shell=True) == "web"
    elif start == "sh":
        assert output([needs("sh"), "-c", line]) == "web"
    elif start == "popen":
        with os.popen(line) as printed:
            assert printed.read() == "web"
    else:
        assert os.system(f"{line} > {tmp_path}/out") == 0
        assert (tmp_path / "out").read_text() == "web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.parametrize("code", [FETCH, GET, CONNECT], ids=["fetch", "http", "net"])
def test_node_reaches_it_too(ramrole_cloud: FakeCloud, code: str) -> None:
    assert output([needs("node"), "-e", code]) == "web"
    ramrole_cloud.assert_called_once("role")


def test_options_of_node_that_were_set_before_still_count(
    ramrole_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ramrole_creds.testing.children import child_environment

    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    assert child_environment(ramrole_cloud.url)["NODE_OPTIONS"].startswith("--no-warnings --require ")


@pytest.mark.slow
def test_java_reaches_it_too(ramrole_cloud: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / "Ask.java").write_text(JAVA)
    assert output([needs("java"), str(tmp_path / "Ask.java")]) == "web web"
    ramrole_cloud.assert_called("role", 2)


def test_a_python_program_behind_a_shell_reaches_it_too(ramrole_cloud: FakeCloud) -> None:
    assert output([needs("sh"), "-c", f'{sys.executable} -c "{ASK}"']) == "web"
    ramrole_cloud.assert_called_once("role")


def test_a_program_behind_a_python_child_reaches_it_too(ramrole_cloud: FakeCloud) -> None:
    code = (
        f"import os, subprocess; print(os.environ.get('http_proxy')); subprocess.run({[needs('curl'), *CURL]!r})"
        f"; os.system({' '.join(['curl', *CURL])!r})"
    )
    assert output([sys.executable, "-u", "-c", code]) == "None\nwebweb"
    ramrole_cloud.assert_called("role", 2)


@pytest.mark.parametrize(
    "command",
    [["env", "-i", "true"], ["env", "A=b", sys.executable, "-I", "-c", "1"], [sys.executable, "-IS", "-c", "1"]],
    ids=["env", "env-python", "flags"],
)
@pytest.mark.usefixtures("ramrole_cloud")
def test_a_program_that_would_drop_the_redirect_is_refused(command: list[str]) -> None:
    with pytest.raises(RealAddressError, match="does not inherit the redirect"):
        subprocess.run(command, check=True)
    with pytest.raises(RealAddressError, match="does not inherit the redirect"):
        os.system(" ".join(["true;", *command]))


@pytest.mark.parametrize("command", [["grep", "python", "-E", os.devnull], ["true", "-I"]], ids=["grep", "true"])
def test_other_programs_start_as_ever(ramrole_cloud: FakeCloud, command: list[str]) -> None:
    assert subprocess.run(command, env={}, check=False).returncode in (0, 1)
    ramrole_cloud.assert_not_called()


@pytest.mark.parametrize("option", ["-V", "--version", "--help"])
@pytest.mark.usefixtures("ramrole_cloud")
def test_a_python_that_runs_no_code_starts_as_ever(option: str) -> None:
    assert "ython" in output([sys.executable, option])


@pytest.mark.usefixtures("ramrole_cloud")
def test_a_shell_command_with_an_open_quotation_mark_is_refused_by_the_shell() -> None:
    assert subprocess.run('echo "', shell=True, stderr=subprocess.DEVNULL, check=False).returncode != 0


def test_an_environment_that_is_given_by_position_gets_the_redirect_too(ramrole_cloud: FakeCloud) -> None:
    arguments = [sys.executable, "-c", ASK]
    given = (-1, None, None, subprocess.PIPE, None, None, True, False, None, dict(os.environ))
    with subprocess.Popen(arguments, *given) as process:
        assert process.communicate(timeout=60)[0].strip() == b"web"
    ramrole_cloud.assert_called_once("role")


@pytest.mark.ramrole(redirect=False)
@pytest.mark.usefixtures("ramrole_cloud")
def test_where_the_real_address_is_forbidden_other_programs_may_not_reach_it_either() -> None:
    assert "Failed to connect to 127.0.0.1" in output([needs("curl"), *CURL]).replace("onnection refused", "")
    assert output([needs("node"), "-e", FETCH]) == "ECONNREFUSED"


def test_a_machine_without_a_metadata_service_has_none_for_children_either(no_metadata: str) -> None:
    assert no_metadata.rpartition(":")[2] in output([needs("curl"), *CURL])
    assert output([needs("node"), "-e", FETCH]) == "ECONNREFUSED"


def test_the_fake_does_not_forward_to_other_hosts_and_says_so(ramrole_cloud: FakeCloud) -> None:
    said = output([needs("curl"), "-sS", "--max-time", "5", "http://other.example/"])
    assert "'other.example'" in said
    assert "no_proxy" in said
    assert ramrole_cloud.requests[-1].status == 403


def test_an_endpoint_with_a_scheme_too_many_is_named(ramrole_cloud: FakeCloud) -> None:
    """A client that puts its own scheme before the endpoint asks the host `http`, through the proxy."""
    said = output([needs("curl"), "-sS", "--max-time", "5", "-H", f"Host: {ramrole_cloud.url}", ramrole_cloud.url])
    assert f"'{ramrole_cloud.url}'. Set the endpoint of the client without http://" in said


def test_afterwards_programs_start_with_the_environment_as_it_was() -> None:
    printed = output([sys.executable, "-c", "import os; print(sorted(os.environ))"])
    assert "RAMROLE_CREDS_TEST_REDIRECT" not in printed
    assert "http_proxy" not in printed.lower() or "http_proxy" in map(str.lower, os.environ)
