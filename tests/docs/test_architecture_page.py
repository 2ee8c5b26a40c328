"""The page of the architecture names every part of the package, its layer, and files that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ramrole_creds"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("| layer | module | what it does |")[2].partition("\n\n")[0]
LAYERS = {
    name.removesuffix("/").removesuffix(".py"): int(layer)
    for layer, names in re.findall(r"^\| (\d) \| (.*?) \|", TABLE, re.MULTILINE)
    for name in re.findall(r"`([\w./]+)`", names)
}


def test_the_table_has_the_layers_that_are_checked() -> None:
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition('containers = ["ramrole_creds"]')[2]
    listed = re.findall(r'^  "(.*)",$', contract.partition("layers = [")[2].partition("\n]")[0], re.MULTILINE)
    checked = {name: number for number, names in enumerate(reversed(listed)) for name in re.split(r" [|:] ", names)}
    assert checked == LAYERS


def test_the_table_has_every_part_of_the_package() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert parts - {"__init__"} == set(LAYERS)


def test_every_file_and_folder_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.\w+)?|[\w/]+\.(?:py|pyi|md))`", PAGE)
    assert len(named) > 40
    folders = (PACKAGE, PACKAGE.parent, ROOT, *(path for path in PACKAGE.rglob("*") if path.is_dir()))
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []


@pytest.mark.parametrize(
    ("libraries", "folder"), [({"click", "rich"}, "cli"), ({"uvicorn", "starlette"}, "local_service")]
)
def test_the_libraries_of_an_extra_are_imported_in_one_folder(libraries: set[str], folder: str) -> None:
    importing = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if libraries & {name.partition(".")[0] for name in names}:
                importing.add(file.relative_to(PACKAGE).parts[0])
    assert importing == {folder}
