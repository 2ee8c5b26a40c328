"""The apps of the first pages: each app and its test are files that the page names, and the test passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = "my-app"


@pytest.mark.parametrize(
    ("page", "names", "needs"),
    [
        ("quick-start.md", ["app.py", "test_app.py"], ()),
        ("start.md", ["reports.py", "test_reports.py"], ("oss2", "time_machine")),
    ],
)
def test_the_app_of_the_page_passes_the_test_of_the_page_in_a_checkout(
    tmp_path: Path, page: str, names: list[str], needs: tuple[str, ...]
) -> None:
    """In a folder below the settings of this repository, as a reader makes it."""
    for module in needs:
        pytest.importorskip(module)
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    files = re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == names
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    app = tmp_path / FOLDER
    app.mkdir()
    for name, code in files:
        (app / name).write_text(code, encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("cd ")]
    start = f"cd {FOLDER} && touch pytest.ini && ../.venv/bin/python -m pytest"
    assert line.startswith(start)
    (app / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *line.removeprefix(start).split()]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_quick_start_makes_the_folder_of_its_app() -> None:
    text = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
    assert re.findall(r"`mkdir ([\w-]+)`", text) == [FOLDER]
    assert text.count("```python\n") == text.count("<!-- file: ")


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
