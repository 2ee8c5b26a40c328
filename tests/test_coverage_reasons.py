"""The reasons of lines that no test runs: each is of a line that is there, and a missing one is found."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CHECK = runpy.run_path(str(ROOT / ".ci" / "check_coverage.py"))
REASONS: list[dict[str, Any]] = json.loads((ROOT / "tests/not_covered.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted({name for one in REASONS for name in one["lines"]}))
def test_a_line_with_a_reason_is_in_its_file(name: str) -> None:
    lines = {line for one in REASONS for line in one["lines"].get(name, [])}
    assert sorted(lines - set(CHECK["stripped"](f"src/ramrole_creds/{name}"))) == []


@pytest.mark.parametrize(
    ("missing", "branches", "found"),
    [
        ([], [], []),
        ([11], [], [11]),
        ([11, 12], [], [11]),  # the second line follows from the first
        ([11, 13], [], [11, 13]),
        ([], [[10, 12]], [10]),
        ([11], [[10, 11]], [11]),  # the branch to a line that did not run
    ],
    ids=["all ran", "a line", "two in a row", "two apart", "a branch", "a line and its branch"],
)
def test_a_place_is_a_run_of_lines_or_a_branch(missing: list[int], branches: list[list[int]], found: list[int]) -> None:
    executed = [number for number in range(10, 15) if number not in missing]
    facts = {"missing_lines": missing, "executed_lines": executed, "missing_branches": branches}
    places = list(CHECK["uncovered"](".ci/check_coverage.py", facts))
    assert [number for _, number, _ in places] == found
