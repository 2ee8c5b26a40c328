"""The page of the conformance kit names as many cases as there are."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ramrole_creds.testing.conformance.cases import all_cases

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_the_table_counts_the_cases_of_each_group() -> None:
    groups = Counter(case.id.partition("/")[0] for case in all_cases())
    rows = re.findall(r"^\| .* \| (\d+) of (\d+) \| .*\|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for line in (line for line in PAGE.splitlines() if " of " in line and line.startswith("|")):
        pairs = [(int(held), int(tried)) for held, tried in re.findall(r"(\d+) of (\d+)", line)]
        assert [tried for _, tried in pairs] == [
            groups[name] for name in ("protocol", "downgrade", "life", "clock", "answer")
        ]
        assert line.rstrip("| ").endswith(str(sum(held for held, _ in pairs)))
    assert f"all {sum(groups.values())} |" in PAGE
