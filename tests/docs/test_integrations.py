"""The manual's tables of SDKs, libraries and engines say what their tests prove and recorded."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tables_are_those_that_the_results_give() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))

    assert table["is_current"](), "Run: python docs/integrations_table.py"


def test_every_file_of_tests_of_one_sdk_has_a_row() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))

    files = {path.stem.removeprefix("test_") for path in (ROOT / "tests/integrations/sdk").glob("test_*.py")}
    assert files - {"addressing", "migration_errors", "recipes"} == {name for name, _, _ in table["ALL"].values()}


def test_every_defect_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| .* \| `((?:workers/)?test_\w+\.py)::(test_\w+)` \|$", page, flags=re.MULTILINE)

    assert len(named) > 20
    for file, test in named:
        path = ROOT / "tests" / "integrations" / (file if "/" in file else f"sdk/{file}")
        assert f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)


def test_every_page_that_counts_the_sdks_counts_those_of_the_table() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))

    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    counts = {page.name: re.findall(r"\b(\d+) SDKs\b", page.read_text(encoding="utf-8")) for page in pages}
    found = {page: set(counted) for page, counted in counts.items() if counted}
    assert found.keys() >= {"index.md", "start.md"}
    assert set().union(*found.values()) == {str(len(table["SDKS"]))}
