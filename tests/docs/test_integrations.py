"""The manual's table of SDKs says what their tests prove."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_sdks_is_current() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))

    assert table["is_current"](), "Run: python docs/integrations_table.py"


def test_every_file_of_tests_has_a_row() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))

    files = {path.stem.removeprefix("test_") for path in (ROOT / "tests/integrations/sdk").glob("test_*.py")}
    assert files - {"recipes"} == set(table["SDKS"])
