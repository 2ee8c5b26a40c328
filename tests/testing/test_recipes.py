"""The manual's compose file, and its command line beside clients in Go, Java and Node.js that know no other address."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.own_network import no_namespaces
from tests.testing.test_children import JAVA, URL

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
GO = f"""
package main
import ("fmt"; "io"; "net/http")
func main() {{
  answer, err := http.Get("{URL}")
  if err != nil {{ panic(err) }}
  body, _ := io.ReadAll(answer.Body)
  fmt.Println(string(body))
}}
"""
# A file of this name, what it holds, and the command that runs it.
PROGRAMS = {
    "curl": ("", "", "curl -sS --max-time 5 " + URL),
    "go": ("ask.go", GO, "go run ask.go"),
    "java": ("Ask.java", JAVA, "java Ask.java"),
    "node": ("ask.js", f"fetch('{URL}').then(one => one.text()).then(console.log)", "node ask.js"),
}
# The test files of the manual: the language of the block, the file, and the command that runs it.
TESTS = {
    "node": ("js", "rotation.test.js", "node --test"),
    "go": ("go", "rotation_test.go", "go test ./..."),
    "java": ("java", "RotationTest.java", "java RotationTest.java"),
}
# The fake starts at the address of the metadata service, and the client runs once it is ready.
NAMESPACE = """
ip link set lo up && ip address add 100.100.100.200/32 dev lo && exec 3< <(exec {fake})
read -r -u 3 url && echo "$url" && {client}; status=$?
kill $! && exit $status
"""


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (document,) = [one for one in map(yaml.safe_load, blocks) if isinstance(one, dict)]
    return dict(document)


def test_the_compose_file_gives_the_fake_the_address_of_the_metadata_service() -> None:
    document = compose()
    assert set(document) == {"services", "networks"}
    metadata, app = document["services"]["metadata"], document["services"]["app"]
    ((network, settings),) = metadata["networks"].items()
    ((config,),) = (document["networks"][network]["ipam"]["config"],)
    assert settings["ipv4_address"] == "100.100.100.200"
    assert ipaddress.ip_address("100.100.100.200") in ipaddress.ip_network(config["subnet"])
    assert app["networks"] == [network]
    assert "COPY . /src\nRUN pip install '/src[cli]'" in metadata["build"]["dockerfile_inline"]


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_its_command_line_serves_clients_of_other_languages(program: str, tmp_path: Path) -> None:
    pytest.importorskip("click")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if no_namespaces():
        pytest.skip(no_namespaces())
    name, content, client = PROGRAMS[program]
    if name:
        (tmp_path / name).write_text(content, encoding="utf-8")
    words = compose()["services"]["metadata"]["command"].split()
    assert words[0] == "ramrole-creds"
    fake = shlex.join([sys.executable, "-m", "ramrole_creds.cli", *words[1:]])
    script = NAMESPACE.format(fake=fake, client=client)
    environment = {**os.environ, "GOCACHE": str(tmp_path / "go"), "GOTOOLCHAIN": "local", "GOTELEMETRY": "off"}
    command = ["unshare", "-n", "bash", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    url, *printed = done.stdout.splitlines() or [done.stderr]
    assert url == "http://100.100.100.200:80", done.stderr
    assert printed == ["web web" if program == "java" else "web"], done.stderr


def example(language: str) -> str:
    """The block of that language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(block)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the test files of the manual."""
    for language, name, _ in TESTS.values():
        (tmp_path / name).write_text(example(language), encoding="utf-8")
    (tmp_path / "go.mod").write_text("module rotation\n\ngo 1.19\n", encoding="utf-8")
    return tmp_path


def run_beside(folder: Path, command: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a command by `ramrole-creds fake-cloud --`."""
    environment = {**os.environ, "GOCACHE": str(folder / "go"), "GOTOOLCHAIN": "local", "GOTELEMETRY": "off"}
    whole = [sys.executable, "-m", "ramrole_creds.cli", "fake-cloud", *options, "--", *command]
    return subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.usefixtures("trap")
@pytest.mark.parametrize("program", TESTS)
def test_the_manual_s_tests_of_other_languages_pass_beside_the_fake(program: str, folder: Path) -> None:
    pytest.importorskip("click")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = TESTS[program][2]
    assert f"-- {command}" in PAGE.read_text("utf-8") or program == "java"
    done = run_beside(folder, command.split(), "--role", "web")
    assert done.returncode == 0, done.stdout + done.stderr
    assert run_beside(folder, command.split(), "--role", "other").returncode != 0, "it can fail"


@pytest.mark.slow
def test_the_manual_s_namespace_has_the_fake_at_the_real_address(tmp_path: Path) -> None:
    pytest.importorskip("click")
    if no_namespaces():
        pytest.skip(no_namespaces())
    (script,) = re.findall(r"```sh\n(unshare .*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    command = shlex.join([sys.executable, "-m", "ramrole_creds.cli"])
    client = f'curl -sS --noproxy "*" --max-time 5 {URL}'
    script = script.replace("ramrole-creds", command).replace("go test ./...", client)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "web", done.stderr
