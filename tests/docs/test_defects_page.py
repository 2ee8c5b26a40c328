"""Each line of the page of defects names tests that exist."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "defects-avoided.md").read_text(encoding="utf-8")
HEADS = (
    "| the official Python library | this library | test |",
    "| what users report | this library | test |",
    "|---|---|---|",
)
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and line not in HEADS]


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests, those of classes with the class in front; of scenarios, their names."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".json"):
        return frozenset(case["name"] for case in json.loads(text))
    names: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            inner = (one for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)))
            names |= {f"{node.name}::{one.name}" for one in inner}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
    return frozenset(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_defect_names_tests_that_exist(row: str) -> None:
    _, theirs, ours, tests, _ = row.split("|")
    named = re.findall(r"`([\w/.]+)::([^`]+)`", tests)
    assert theirs.strip()
    assert ours.strip()
    assert named
    assert re.sub(r"`[^`]*`|[, ]", "", tests) == ""
    for file, name in named:
        assert name in names_in(file), (file, name)


def test_the_page_has_no_line_twice() -> None:
    told = [row.split("|")[1] for row in ROWS]
    assert len(set(told)) == len(told) > 50
