"""The walk of CONTRIBUTING.md that adds a provider: its test passes with its class."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_provider_of_the_walk_passes_the_test_of_the_walk(tmp_path: Path) -> None:
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["test_key_file.py", "key_file.py"]
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout


def test_every_environment_of_the_table_is_one_of_tox() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    named = {one for names in re.findall(r"`tox run -e ([\w,-]+)", PAGE) for one in names.split(",")}
    assert {name for name in named if f"[testenv:{name}]" not in tox} <= {"py", "py313t", "py314"}


def test_every_file_that_a_walk_names_exists() -> None:
    named = re.findall(r"`((?:docs|tests|src|benchmarks)/[\w./-]+)`", PAGE)
    here = [name for name in named if "NAME" not in name and "key_file" not in name]
    assert len(here) > 10
    assert [name for name in here if not (ROOT / name).exists()] == []
