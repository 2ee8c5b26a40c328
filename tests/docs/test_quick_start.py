"""The quick start: its app and its test are the files that the page names, and the test passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")


def test_the_app_of_the_page_passes_the_test_of_the_page_in_a_checkout(tmp_path: Path) -> None:
    """A folder below the settings of this repository, as a reader makes it."""
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["app.py", "test_app.py"]
    assert len(re.findall(r"^```python$", PAGE, re.MULTILINE)) == len(files)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (folder,) = re.findall(r"`mkdir ([\w-]+)`", PAGE)
    app = tmp_path / folder
    app.mkdir()
    for name, text in files:
        (app / name).write_text(text, encoding="utf-8")
    (line,) = [line for line in PAGE.splitlines() if line.startswith("cd ")]
    assert line == f"cd {folder} && touch pytest.ini && ../.venv/bin/python -m pytest"
    (app / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_every_command_of_the_manual_that_installs_works_from_a_checkout() -> None:
    """Nothing is published: a name on an index would be somebody else's."""
    files = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), *ROOT.glob("*.md")]
    extras = extras_of_the_package()
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "'ramrole-creds[" not in text, file
        assert "install ramrole-creds" not in text, file
        for named in re.findall(r"install (?:--editable )?'\.\[([\w,-]+)\]'", text):
            assert set(named.split(",")) <= extras, (file, named)


def extras_of_the_package() -> set[str]:
    """The extras that the package has."""
    table = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.optional-dependencies]")[2]
    return set(re.findall(r"^([\w-]+) = \[", table.partition("\n[")[0], re.MULTILINE))
