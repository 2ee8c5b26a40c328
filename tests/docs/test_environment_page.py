"""The page of environment variables names what the code reads, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from ramrole_creds.providers.variables import FOREIGN_VARIABLES

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b((?:ALIBABA_CLOUD|ALIBABACLOUD|ALICLOUD|RAMROLE_CREDS)_[A-Z0-9]+(?:_[A-Z0-9]+)*)\b")


def test_the_page_and_the_code_know_the_same_variables() -> None:
    page = set(NAME.findall((ROOT / "docs" / "environment.md").read_text(encoding="utf-8")))
    code = {name for file in (ROOT / "src").rglob("*.py") for name in NAME.findall(file.read_text(encoding="utf-8"))}
    assert code - page == set()
    assert page - code == set()


def test_the_page_says_how_to_rename_what_other_tools_read() -> None:
    table = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8").partition("| rename it to |")[2]
    rows = [re.findall(r"`(\w+)`", line) for line in table.partition("\n\n")[0].splitlines() if "`" in line]
    assert {name: ours for *names, ours in rows for name in names} == FOREIGN_VARIABLES
