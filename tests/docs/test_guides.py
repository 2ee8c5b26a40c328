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
NEWER = {"command process timed out after": "external.py"}
"""Texts that came with a module which old releases do not have."""
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


@pytest.mark.parametrize(
    ("page", "package", "foreign"),
    [
        ("migrate-credentials.md", "alibabacloud_credentials", 0),
        ("migrate-oss2.md", "oss2", 3),  # codes of the service
        ("migrate-sdk-core.md", "aliyunsdkcore", 1),
        ("migrate-boto3.md", "botocore", 2),
    ],
)
def test_the_errors_of_the_other_library_are_in_its_own_words(page: str, package: str, foreign: int) -> None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip(f"{package} is not installed")
    (folder,) = spec.submodule_search_locations
    files = list(Path(folder).rglob("*.py"))
    source = "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    table = (DOCS / page).read_text(encoding="utf-8").partition("| if you see |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(rows) >= 3
    older = {text for text, module in NEWER.items() if module not in {file.name for file in files}}
    missing = [text for text in rows if text not in source and text not in older]
    assert len(missing) <= foreign, missing


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("migrate-")])
def test_every_page_of_a_migration_has_its_parts(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for part in ("Before and after", "Wrong, and right", "Roll out, and roll back"):
        # The page for boto3 has a table of names instead.
        assert f"## {part}" in text or (part, page) == ("Before and after", "migrate-boto3.md"), (page, part)
