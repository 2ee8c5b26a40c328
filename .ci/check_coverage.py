"""Checks that every line and branch that the tests leave out has its reason in tests/not_covered.json.

Run it by `tox run -e coverage`. The file holds reasons, and for each the places: a source file, a function in it
("" outside of all functions), and the text of a line. Where the function has that line several times, the lines
before it stand in front, as many as make it unique. A place stands for the lines behind it too, as far as none of
them was run. A place that is not there, or that a run covers, is an error; the places of a reason with
`"sometimes": true` may be covered, since threads, clocks or the machine decide it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
REASONS = ROOT / "tests" / "not_covered.json"


class Place(NamedTuple):
    """A line with a reason; `lines` are the numbers of the lines that it may mean, one unless the entry is wrong."""

    name: str
    function: str
    text: str
    sometimes: bool
    lines: list[int]


def main() -> int:
    """Compare the last run with the reasons.

    Raises:
        SystemExit: a place has no reason, or a reason has no place; the message lists them.
    """
    found = {place for name, facts in measured().items() for place in uncovered(name, facts)}
    problems = list(compared(places(json.loads(REASONS.read_text(encoding="utf-8"))), found))
    if problems:
        print("\n".join(problems))
        sys.exit(f"Write a test, or mend {REASONS.relative_to(ROOT)}.")
    print(f"{len(found)} places are not covered; each has its reason.")
    return 0


def places(reasons: list[dict[str, Any]]) -> Iterator[Place]:
    """The lines that have a reason."""
    for reason in reasons:
        for file, functions in reason["lines"].items():
            name = f"src/ramrole_creds/{file}"
            for function, texts in functions.items():
                for text in texts:
                    sometimes = reason.get("sometimes", False)
                    yield Place(name, function, text, sometimes, located(name, function, text))


def compared(known: Iterator[Place], found: set[tuple[str, int]]) -> Iterator[str]:
    """A line of text for each difference between the places with a reason and those that were not covered."""
    explained = set()
    for place in known:
        shown = f"{place.name}, {place.function or 'outside of functions'}: {place.text!r}"
        if len(place.lines) != 1:
            yield f"the file has this line {len(place.lines)} times: {shown}"
            continue
        (number,) = place.lines
        explained.add((place.name, number))
        if (place.name, number) not in found and not place.sometimes:
            yield f"has a reason, and is covered: {shown} (line {number})"
    for name, number in sorted(found - explained):
        function, text = functions_of(name)[number - 1], stripped(name)[number - 1]
        yield f"not covered, and without a reason: {name}:{number}: {function or 'outside of functions'}: {text}"


def located(name: str, function: str, text: str) -> list[int]:
    """The lines of a file that are in this function and read so, the lines before them included."""
    lines, functions, wanted = stripped(name), functions_of(name), text.split("\n")
    ends = range(len(wanted), len(lines) + 1)
    return [end for end in ends if functions[end - 1] == function and lines[end - len(wanted) : end] == wanted]


def measured() -> dict[str, dict[str, Any]]:
    """What coverage wrote of the last run, by file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        command = [sys.executable, "-m", "coverage", "json", "-q", "--fail-under=0", "-o", str(report)]
        subprocess.run(command, cwd=ROOT, check=True)
        files: dict[str, dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["files"]
    return files


@cache
def stripped(name: str) -> list[str]:
    """The lines of a source file without their indentation; none of a file that is gone."""
    path = ROOT / name
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@cache
def functions_of(name: str) -> list[str]:
    """For each line the function that it is in, with its classes before it: "Cache.get"."""
    found = [""] * len(stripped(name))
    if found:
        _name_lines(ast.parse((ROOT / name).read_text(encoding="utf-8")), "", found)
    return found


def _name_lines(tree: ast.AST, outer: str, found: list[str]) -> None:
    for node in ast.iter_child_nodes(tree):
        inner = outer
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{outer}.{node.name}".lstrip(".")
            first, last = node.body[0].lineno, node.end_lineno or node.lineno
            found[first - 1 : last] = [inner] * (last - first + 1)
        _name_lines(node, inner, found)


def uncovered(name: str, facts: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The first line of each run of lines that were not executed, and each line with a branch that was not taken."""
    missing, executed = set(facts["missing_lines"]), set(facts["executed_lines"])
    before = None  # the statement before this one
    for number in sorted(missing | executed):
        if number in missing and before not in missing:
            yield name, number
        before = number
    for source, target in facts["missing_branches"]:
        if source not in missing and target not in missing:
            yield name, source


if __name__ == "__main__":
    sys.exit(main())
