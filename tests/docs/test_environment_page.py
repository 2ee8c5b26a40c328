"""The page of environment variables names what the code reads, and nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ramrole_creds.providers.variables import FOREIGN_VARIABLES

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b((?:ALIBABA_CLOUD|ALIBABACLOUD|ALICLOUD|RAMROLE_CREDS)_[A-Z0-9]+(?:_[A-Z0-9]+)*)\b")


def test_the_page_and_the_code_know_the_same_variables() -> None:
    page = set(NAME.findall((ROOT / "docs" / "environment.md").read_text(encoding="utf-8")))
    code = {name for file in (ROOT / "src").rglob("*.py") for name in NAME.findall(file.read_text(encoding="utf-8"))}
    assert code - page == set()
    assert page - code == set()


def names_read(tree: ast.Module) -> set[str]:
    """What a module reads from `os.environ` by a literal name, and the constants that hold names of variables."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("environ.get", "getenv")):
            found |= texts_of(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            found |= texts_of(node.slice)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target).endswith(("_VARIABLE", "_VARIABLES")) or ast.unparse(target) == "MULTIPROCESS":
                found |= texts_of(node.value)
    return found


def texts_of(expression: ast.expr) -> set[str]:
    """The names of variables in an expression."""
    nodes = list(ast.walk(expression))
    if any(isinstance(node, ast.comprehension) for node in nodes):  # made of parts of names
        return set()
    constants = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {
        value for value in constants if isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+|[a-z_]{8,}", value)
    }


def test_the_page_has_every_variable_that_the_code_reads_by_name() -> None:
    page = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")))
    sources = (ROOT / "src").rglob("*.py")
    read = {name for file in sources for name in names_read(ast.parse(file.read_text(encoding="utf-8")))}
    assert {"HOME", "POD_NAME", "FC_FUNCTION_NAME", "ALIBABA_CLOUD_ROLE_ARN"} <= read
    assert {name for name in read if name not in page and name.upper() not in page} == set()


def test_the_page_says_how_to_rename_what_other_tools_read() -> None:
    table = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8").partition("| rename it to |")[2]
    rows = [re.findall(r"`(\w+)`", line) for line in table.partition("\n\n")[0].splitlines() if "`" in line]
    assert {name: ours for *names, ours in rows for name in names} == FOREIGN_VARIABLES


def test_the_page_says_which_variables_the_official_library_reads() -> None:
    official = pytest.importorskip("alibabacloud_credentials", reason="the extra credentials")
    sources = (file.read_text(encoding="utf-8") for file in Path(official.__file__).parent.rglob("*.py"))
    read = set(re.findall(r"\b(ALIBABA_CLOUD_\w+)", " ".join(sources)))
    rows = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8").splitlines()
    marked = {name for row in rows if re.match(r"\| [^|]* \| P\b", row) for name in NAME.findall(row.split("|")[1])}
    assert len(read) > 10
    assert marked == read
