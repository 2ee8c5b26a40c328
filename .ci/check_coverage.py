"""Checks that every line and branch that the tests leave out has its reason in tests/not_covered.json.

Run it by `tox run -e coverage`. The file holds reasons, and for each the places: a source file and the text of a line.
A place stands for the lines behind it too, as far as none of them was run. A place that a run covers all the same
is kept: threads and clocks decide some of them. A place whose line is gone is an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
REASONS = ROOT / "tests" / "not_covered.json"


def main() -> int:
    """Compare the last run with the reasons.

    Raises:
        SystemExit: a place has no reason, or a reason has no place; the message lists them.
    """
    reasons: list[dict[str, Any]] = json.loads(REASONS.read_text(encoding="utf-8"))
    places_of = [place for one in reasons for place in one["lines"].items()]
    known = {(f"src/ramrole_creds/{name}", line) for name, lines in places_of for line in lines}
    gone = sorted((name, line) for name, line in known if line not in stripped(name))
    places = sorted({place for name, facts in measured().items() for place in uncovered(name, facts)})
    unexplained = [(name, number, text) for name, number, text in places if (name, text) not in known]
    for name, number, text in unexplained:
        print(f"not covered, and without a reason: {name}:{number}: {text}")
    for name, line in gone:
        print(f"not in the file any more: {name}: {line}")
    if unexplained or gone:
        sys.exit(f"Write a test, or the reason into {REASONS.relative_to(ROOT)}.")
    print(f"{len(places)} places are not covered; each has its reason.")
    return 0


def measured() -> dict[str, dict[str, Any]]:
    """What coverage wrote of the last run, by file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        command = [sys.executable, "-m", "coverage", "json", "-q", "--fail-under=0", "-o", str(report)]
        subprocess.run(command, cwd=ROOT, check=True)
        files: dict[str, dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["files"]
    return files


def stripped(name: str) -> list[str]:
    """The lines of a source file without their indentation; none of a file that is gone."""
    path = ROOT / name
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def uncovered(name: str, facts: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
    """The first line of each run of lines that were not executed, and each line with a branch that was not taken."""
    lines, missing, executed = stripped(name), set(facts["missing_lines"]), set(facts["executed_lines"])
    before = None  # the statement before this one
    for number in sorted(missing | executed):
        if number in missing and before not in missing:
            yield name, number, lines[number - 1]
        before = number
    for source, target in facts["missing_branches"]:
        if source not in missing and target not in missing:
            yield name, source, lines[source - 1]


if __name__ == "__main__":
    sys.exit(main())
