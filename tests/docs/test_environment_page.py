"""The page of environment variables names what the code reads, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b((?:ALIBABA_CLOUD|ALIBABACLOUD|RAMROLE_CREDS)_[A-Z0-9]+(?:_[A-Z0-9]+)*)\b")
FOREIGN = {"ALIBABACLOUD_ACCESS_KEY_ID"}
"""Names of other tools, which errors mention and nothing reads."""


def test_the_page_and_the_code_know_the_same_variables() -> None:
    page = set(NAME.findall((ROOT / "docs" / "environment.md").read_text(encoding="utf-8")))
    code = {name for file in (ROOT / "src").rglob("*.py") for name in NAME.findall(file.read_text(encoding="utf-8"))}
    assert code - page - FOREIGN == set()
    assert page - code == set()
