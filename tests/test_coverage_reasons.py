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


PLACES = list(CHECK["places"](REASONS))


@pytest.mark.parametrize("place", PLACES, ids=[f"{one.name} {one.function}" for one in PLACES])
def test_a_line_with_a_reason_is_in_its_function_once(place: Any) -> None:
    assert len(place.lines) == 1


def test_a_reason_excuses_no_other_line_of_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src" / "ramrole_creds").mkdir(parents=True)
    (tmp_path / "src" / "ramrole_creds" / "a.py").write_text(
        "def first(x):\n    if x:\n        return False\n    return x\n\n\n"
        "class Two:\n    def second(self, x):\n        if x:\n            return False\n        return False\n"
    )
    monkeypatch.setitem(CHECK["located"].__globals__, "ROOT", tmp_path)
    name = "src/ramrole_creds/a.py"
    assert CHECK["located"](name, "first", "return False") == [3]
    assert CHECK["located"](name, "Two.second", "return False") == [10, 11]
    assert CHECK["located"](name, "Two.second", "if x:\nreturn False") == [10]
    assert CHECK["located"](name, "", "return False") == []

    def problems(lines: dict[str, list[str]], *found: int, sometimes: bool = False) -> str:
        reasons = [{"reason": "r", "sometimes": sometimes, "lines": {"a.py": lines}}]
        return "\n".join(CHECK["compared"](CHECK["places"](reasons), {(name, number) for number in found}))

    assert problems({"first": ["return False"]}, 3) == ""
    assert f"without a reason: {name}:10: Two.second: return False" in problems({"first": ["return False"]}, 3, 10)
    assert "has a reason, and is covered" in problems({"first": ["return False"]})
    assert problems({"first": ["return False"]}, sometimes=True) == ""
    assert "the file has this line 2 times" in problems({"Two.second": ["return False"]}, 10)
    assert "the file has this line 0 times" in problems({"third": ["return False"]})


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
    assert [number for _, number in places] == found
