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
