"""No example of the manual goes without being run, whatever its language."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest

from ramrole_creds.testing import FakeCloud

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The tests that run all Python of a page.
RUN_BY = {
    "CONTRIBUTING.md": "tests/docs/test_contributing.py",
    "README.md": "tests/docs/test_readme.py",
    "docs/async.md": "tests/docs/test_guides.py",
    "docs/caching.md": "tests/cache/test_manual.py",
    "docs/index.md": "tests/docs/test_guides.py",
    "docs/integrations.md": "tests/integrations/sdk/test_recipes.py",
    "docs/many-machines.md": "tests/engines/test_celery.py",
    "docs/migrate-boto3.md": "tests/docs/test_guides.py",
    "docs/migrate-credentials.md": "tests/docs/test_guides.py",
    "docs/migrate-oss2.md": "tests/docs/test_guides.py",
    "docs/migrate-sdk-core.md": "tests/docs/test_guides.py",
    "docs/other-programs.md": "tests/docs/test_other_programs_page.py",
    "docs/policies.md": "tests/testing/test_policies_page.py",
    "docs/operate.md": "tests/docs/test_operate.py",
    "docs/providers.md": "tests/docs/test_providers_page.py",
    "docs/quick-start.md": "tests/docs/test_quick_start.py",
    "docs/servers.md": "tests/docs/test_guides.py",
    "docs/start.md": "tests/docs/test_guides.py",
    "docs/signing.md": "tests/docs/test_manual_pages.py",
    "docs/testing.md": "tests/testing/test_tutorial.py",
}
# The tests that run or read all blocks of a page in another language.
RUN_BY_LANGUAGE = {
    ("docs/command.md", "yaml"): "tests/docs/test_examples.py",
    ("docs/other-programs.md", "js"): "tests/docs/test_other_programs_page.py",
    ("docs/providers.md", "toml"): "tests/docs/test_providers_page.py",
    ("docs/testing.md", "go"): "tests/testing/test_recipes.py",
    ("docs/testing.md", "java"): "tests/testing/test_recipes.py",
    ("docs/testing.md", "js"): "tests/testing/test_recipes.py",
    ("docs/testing.md", "yaml"): "tests/testing/test_recipes.py",
}
# Languages of blocks that say something and do nothing, and Sphinx's own.
NOT_RUN = {"text", "{toctree}", "{eval-rst}", "{image}", "{error-texts}", "{include}", "{index}", "{picture}"}


def blocks(page: Path, language: str) -> list[str]:
    """A page's blocks in a language."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return found


def test_every_page_with_python_is_run_by_a_test() -> None:
    with_python = {str(page.relative_to(ROOT)) for page in PAGES if blocks(page, "python")}
    of_providers = {page for page in with_python if page.startswith("docs/providers/")}  # test_providers_page.py
    assert with_python - of_providers == set(RUN_BY)
    for page, test in RUN_BY.items():
        assert Path(page).name in (ROOT / test).read_text("utf-8"), test


def test_every_page_with_another_language_is_run_by_a_test() -> None:
    languages = ("go", "java", "js", "toml", "yaml")
    found = {(str(page.relative_to(ROOT)), one) for page in PAGES for one in languages if blocks(page, one)}
    assert found == set(RUN_BY_LANGUAGE)
    for (page, _), test in RUN_BY_LANGUAGE.items():
        assert Path(page).name in (ROOT / test).read_text("utf-8"), test


def test_no_block_of_a_page_is_overlooked() -> None:
    """By the tests that name the blocks one by one; the others take all there are."""
    assert len(blocks(ROOT / "README.md", "python")) == 4
    assert len(blocks(ROOT / "docs" / "signing.md", "python")) == 1
    recipes = (ROOT / "docs" / "integrations.md").read_text("utf-8").count("<!-- recipe: ")
    assert len(blocks(ROOT / "docs" / "integrations.md", "python")) == recipes


def test_every_block_has_a_language_that_is_known_here() -> None:
    known = NOT_RUN | {"go", "java", "js", "python", "sh", "toml", "yaml"}
    block = re.compile(r"^```(\S*)[^\n]*\n(?:.|\n)*?^```$", re.MULTILINE)
    for page in PAGES:
        assert set(block.findall(page.read_text("utf-8"))) <= known, page


def test_no_python_hides_in_a_block_that_is_not_run() -> None:
    active = ast.Import | ast.ImportFrom | ast.Call | ast.FunctionDef | ast.ClassDef
    for page in PAGES:
        for block in blocks(page, "text"):
            with contextlib.suppress(SyntaxError):
                tree = ast.parse(block.replace("…", "..."))
                assert not [node for node in ast.walk(tree) if isinstance(node, active)], (page, block)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_shell_example_is_valid_shell(page: Path) -> None:
    for block in blocks(page, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_no_python_hides_in_an_indented_block() -> None:
    for page in PAGES:
        outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        assert re.findall(r"^ {4}(?:import |from |\w+ = |\w+\(|@|def |class ).*$", outside, re.MULTILINE) == [], page


def test_every_script_of_faults_is_one_that_the_fake_cloud_takes() -> None:
    yaml = pytest.importorskip("yaml", reason="the extra yaml")
    for name in ("command.md", "testing.md"):
        documents = [yaml.safe_load(block) for block in blocks(ROOT / "docs" / name, "yaml")]
        scripts = [one for one in documents if isinstance(one, list) or "faults" in one]
        assert len(scripts) == 1, name
        with FakeCloud() as cloud:
            cloud.faults.load(scripts[0] if isinstance(scripts[0], list) else scripts[0]["faults"])
            assert len(list(cloud.faults)) >= 2


def test_every_command_of_the_manual_has_the_options_it_is_given(tmp_path: Path) -> None:
    click = pytest.importorskip("click", reason="the extra cli")
    from ramrole_creds.cli.app import app

    for name in ("faults.yaml", "recording.jsonl"):
        (tmp_path / name).write_text("[]")
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    lines += [
        line.strip().removeprefix("$ ")
        for page in PAGES
        for line in page.read_text("utf-8").splitlines()
        if line.startswith(("    ramrole-creds ", "$ ramrole-creds "))
    ]
    commands = [shlex.split(line) for line in lines if line.strip().startswith("ramrole-creds ")]
    assert len(commands) >= 2
    for _, verb, *rest in commands:
        arguments = takewhile(lambda one: one not in {">", "|"}, rest)
        given = [str(tmp_path / one) if (tmp_path / one).is_file() else one for one in arguments]
        command = app.get_command(click.Context(app), verb)
        assert command is not None, verb
        command.make_context(verb, given)
