"""The README's examples, run as they stand there against the fake cloud."""

from __future__ import annotations

import importlib
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_EXAMPLE_LINES = 10


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def python_block(part: str) -> str:
    """The one Python block that holds `part`."""
    (block,) = [block for block in blocks("python") if part in block]
    return block


def run(example: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run an example and give what it prints."""
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    return capsys.readouterr().out


def test_every_python_example_has_at_most_ten_lines() -> None:
    assert blocks("python")
    for block in blocks("python"):
        assert len(block.strip().splitlines()) <= MAX_EXAMPLE_LINES, block


def test_both_commands_stand_in_blocks_of_their_own() -> None:
    assert blocks("sh") == [
        "python3 -m venv .venv && .venv/bin/pip install '.[cli]' && .venv/bin/ramrole-creds demo\n",
        "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run -e py\n",
    ]


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert blocks("sh")[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_requests_example_makes_a_call_that_is_accepted(
    ramrole_cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    example = python_block("RequestsAuth").replace("https://sts.cn-hangzhou.aliyuncs.com/", ramrole_cloud.url)
    printed = run(example, capsys)
    assert "default/ecs_ram_role" in printed
    assert "AssumedRoleUser" in printed


# The SDKs have deprecated calls of their own in them.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_oss2_example_stores_an_object(
    ramrole_cloud: FakeCloud, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="oss2")  # that SDK logs the headers it sends, the token among them
    run(python_block("oss2").replace("https://oss-cn-hangzhou.aliyuncs.com", ramrole_cloud.url), capsys)
    ramrole_cloud.requests.assert_called_once("oss", method="PUT", status=200)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tea_openapi_example_says_who_it_is(ramrole_cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    address = ramrole_cloud.url.removeprefix("http://")
    endpoint = f'protocol="http", endpoint="{address}"'
    printed = run(python_block("Config").replace('endpoint="sts.cn-hangzhou.aliyuncs.com"', endpoint), capsys)
    assert ":assumed-role/web/" in printed


def test_the_testing_example_is_a_test_that_passes(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(python_block("def test_"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_an_index_of_packages_shows_no_picture_and_no_link_that_it_lacks() -> None:
    pyproject = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    tool = pyproject.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    shown = README
    for one in tool["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        shown = re.sub(one["pattern"], one["replacement"], shown)
    assert "<" not in re.sub(r"```.*?```|`[^`]*`", "", shown, flags=re.DOTALL)
    assert re.findall(r"\]\((?!https://)", shown) == []
    assert "Quick start (`docs/quick-start.md`): from the demo" in shown


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_to_a_file_leads_somewhere(link: str) -> None:
    assert (ROOT / link).is_file()
