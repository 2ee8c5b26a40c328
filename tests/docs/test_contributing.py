"""The walks of CONTRIBUTING.md: the one that adds a provider is followed step by step, in a copy of the package."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TABLE = Path("src/ramrole_creds/__init__.py")
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def insert(file: Path, before: str, text: str) -> None:
    """Put a line of the walk into a file."""
    found = file.read_text(encoding="utf-8")
    assert found.count(before) == 1
    file.write_text(found.replace(before, text + before), encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The package with the files of the walk, and no step done yet."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def run(checkout: Path, *arguments: str) -> str:
    """Run Python on the copy, and give what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_provider_of_the_walk_passes_its_test_once_it_is_in_the_table(checkout: Path) -> None:
    test = ("-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/providers/test_key_file.py")
    assert "cannot import name 'KeyFileProvider'" in run(checkout, *test)
    (row,) = re.findall(r'as `("providers.key_file": .*?,)`', PAGE)
    insert(checkout / TABLE, '    "providers.push"', f"    {row}\n")
    assert "2 passed" in run(checkout, *test)


def test_the_url_of_the_walk_makes_its_provider(checkout: Path) -> None:
    (entry,) = re.findall(r'`("key_file": \(KeyFileProvider, None\))`', PAGE)
    ((url, call),) = re.findall(r"`(key-file:\S+)` and `(KeyFileProvider\(.*?\))`", PAGE)
    file = checkout / "src/ramrole_creds/_discovery/from_url.py"
    insert(file, '        "push": (', f"        {entry},\n")
    insert(
        file,
        "    from ramrole_creds.providers.push import",
        "    from ramrole_creds.providers.key_file import KeyFileProvider\n",
    )
    code = (
        "from ramrole_creds import provider_from_url; from ramrole_creds.providers.key_file import KeyFileProvider; "
        f"print(vars(provider_from_url({url!r}))['_path'] == vars({call})['_path'])"
    )
    assert run(checkout, "-c", code) == "True\n"


def test_the_code_of_the_walk_has_the_style_of_the_repository(checkout: Path) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is in the group lint")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    assert run(checkout, "-m", "ruff", "check", "--no-cache", *FILES) == "All checks passed!\n"
    assert "already formatted" in run(checkout, "-m", "ruff", "format", "--no-cache", "--check", *FILES)


def test_the_table_has_every_environment_of_tox_and_no_other() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    there = {
        f"{stem}{name}"
        for stem, several in re.findall(r"^\[testenv:([\w-]+)(?:{([\w,-]+)})?\]$", tox, re.MULTILINE)
        for name in several.split(",")
    }
    named = {one for names in re.findall(r"tox run -e ([\w,-]+)", PAGE) for one in names.split(",")}
    assert named - there == {"py", "py314"}
    assert there - named - set(re.findall(r"`([\w-]+)`", PAGE)) == set()


def test_the_set_up_installs_what_the_tests_run_with() -> None:
    (extras,) = re.findall(r"^extras = (.+)$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)[:1]
    (installed,) = re.findall(r"pip install --editable '\.\[([\w,-]+)\]' --group dev", PAGE)
    assert installed.split(",") == extras.split(", ")


def test_the_hooks_before_a_commit_come_from_the_package_index_and_are_those_of_the_checks() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r"^  - repo: (.+)$", hooks, re.MULTILINE) == ["local"]
    tools = {one for one in re.findall(r'"([^"]+)"', hooks) if not one.startswith("pre-commit-hooks")}
    assert {one for one in tools if f'"{one}"' not in project} == set()


def test_every_file_that_a_walk_names_exists() -> None:
    named = re.findall(r"`((?:docs|tests|src|benchmarks|signing|verify)/[\w./-]+)`", PAGE)
    here = [name for name in named if "NAME" not in name and "key_file" not in name]
    assert len(here) > 10
    places = (ROOT, ROOT / "src/ramrole_creds", ROOT / "src/ramrole_creds/testing")
    assert [name for name in here if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("_known()", "src/ramrole_creds/_discovery/from_url.py"),
        ("scheme_of()", "tests/signing/test_vectors.py"),
        ("SCHEMES", "tests/testing/verify/test_signer_and_verifier_agree.py"),
        ("SCHEMES", "tests/testing/verify/test_official_signatures.py"),
        ("MISMATCH", "tests/testing/verify/test_official_signatures.py"),
        ("ARGUMENTS", "tests/every_scheme.py"),
        ("ARGUMENTS", "tests/test_every_url.py"),
        ("ACTS", "tests/test_tracebacks.py"),
        ("test_the_example_of_each_page_runs()", "tests/docs/test_providers_page.py"),
        ("HttpTransport", "src/ramrole_creds/_http/transport.py"),
        ("sealed()", "src/ramrole_creds/credentials.py"),
        ("PRODUCTS", "tests/integrations/sdk/test_product_clients.py"),
        ("PREPARED", "tests/integrations/sdk/test_recipes.py"),
        ("[testenv:lowest-sdk]", "tox.ini"),
        ("NEEDS", "tests/integrations/sdk/conftest.py"),
        ("all-sdks", "pyproject.toml"),
        ("SDK_TESTS", "tox.ini"),
        ("RECORD_RESULTS", "tests/integrations/sdk/conftest.py"),
    ],
)
def test_what_a_walk_names_in_a_file_is_there(name: str, file: str) -> None:
    assert name in PAGE
    assert name.removesuffix("()") in (ROOT / file).read_text(encoding="utf-8")
