"""Runs every Python block of the pages below, in order, as one program per page, against the fake cloud."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    "async.md",
    "index.md",
    "migrate-boto3.md",
    "migrate-credentials.md",
    "migrate-oss2.md",
    "migrate-sdk-core.md",
    "servers.md",
    "start.md",
]
# Without the files that test_quick_start.py writes and runs.
BLOCK = re.compile(r"(?:^<!-- needs: (\w+) -->\n)?(?<!\.py -->\n)^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("ramrole_cloud")
# The official libraries have deprecated calls in them.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_the_page_runs(page: str) -> None:
    names: dict[str, object] = {"__name__": page}
    examples = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert examples
    for needs, example in examples:
        if not needs or importlib.util.find_spec(needs) is not None:
            exec(compile(example, page, "exec"), names)


@pytest.mark.usefixtures("ramrole_cloud")
def test_the_migrated_client_says_the_same_as_the_official_one(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "migrate"}
    before, after = (example for _, example in BLOCK.findall((DOCS / "migrate-credentials.md").read_text("utf-8"))[:2])
    exec(compile(before + after, "migrate-credentials.md", "exec"), names)
    assert capsys.readouterr().out.splitlines() == ["default/ecs_ram_role", "default/ecs_ram_role"]


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("migrate-")])
def test_every_page_of_a_migration_has_its_parts(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = ["Arguments and units", "Variables", "Exceptions", "What differs on purpose", "Wrong, and right"]
    # The page for boto3 has a table of names instead of a program before and after.
    for part in [*parts, "Roll out, and roll back", *["Before and after"] * (page != "migrate-boto3.md")]:
        assert f"## {part}\n" in text, (page, part)
