"""The examples of docs/other-programs.md, and the files that it names, run or read as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ramrole_creds.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "other-programs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
MANIFESTS = ROOT / "docs" / "manifests"


@pytest.mark.usefixtures("ramrole_cloud")
@pytest.mark.parametrize("example", EXAMPLES, ids=["takeover", "library"])
def test_every_example_of_the_page_runs(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "local_service" in example:
        pytest.importorskip("uvicorn", reason="the extra serve")
        pytest.importorskip("httptools", reason="the extra serve")
    else:
        pytest.importorskip("alibabacloud_credentials", reason="alibabacloud-credentials")
    exec(compile(example, "docs/other-programs.md", "exec"), {})
    assert capsys.readouterr().out.startswith(("default/ecs_ram_role", "20"))


@pytest.mark.usefixtures("ramrole_cloud")
@pytest.mark.parametrize("program", ["sh", "node"])
def test_a_program_without_an_sdk_reads_the_uri(tmp_path: Path, program: str) -> None:
    pytest.importorskip("uvicorn", reason="the extra serve")
    for tool in {program, "curl"} if program == "sh" else {program}:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    (name, code) = re.findall(r"^```js\n// (\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)[0]
    (tmp_path / name).write_text(code, encoding="utf-8")
    (line,) = re.findall(rf"^ramrole-creds (run -- {program} .*)$", PAGE, flags=re.MULTILINE)
    command = [sys.executable, "-m", "ramrole_creds.cli", *shlex.split(line)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "STS.NTFAKE" in done.stdout


@pytest.mark.parametrize("name", ["ramrole-creds.service", "compose.yaml", "sidecar.yaml"])
def test_every_file_serves_with_options_that_there_are(name: str) -> None:
    text = (MANIFESTS / name).read_text(encoding="utf-8")
    (line,) = re.findall(r"^(?:ExecStart=\S+ |\s+(?:command|args): \[)(serve.*)", text, flags=re.MULTILINE)
    verb, *arguments = re.split(r"[\s,]+", line.strip("] "))
    command = app.get_command(None, verb)  # type: ignore[arg-type]  # the context is not used
    assert command is not None
    command.make_context(verb, arguments)
