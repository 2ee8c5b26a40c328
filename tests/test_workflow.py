"""The workflow of a public forge runs what `.ci/run` runs, with the least rights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="the extra yaml")

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def environments(text: str) -> set[str]:
    return {name for names in re.findall(r"tox run.*? -e ([\w,-]+)", text) for name in names.split(",")}


def test_each_system_runs_the_environments_of_the_script() -> None:
    steps = WORKFLOW["jobs"]["everywhere"]["steps"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = "\n".join(line for line in script.splitlines() if not line.startswith("#"))
    assert environments("\n".join(step.get("run", "") for step in steps)) == environments(
        commands.replace("-parallel", "")
    )
    assert {"run": "bash .ci/run"} in WORKFLOW["jobs"]["linux"]["steps"]


def test_the_systems_and_versions_are_those_that_the_package_claims() -> None:
    matrix = WORKFLOW["jobs"]["everywhere"]["strategy"]["matrix"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)


def test_the_jobs_may_only_read_and_keep_no_token() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [job for job in WORKFLOW["jobs"].values() if "permissions" in job or "secrets" in str(job)]
    checkouts = [step for step in STEPS if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(WORKFLOW["jobs"])


def test_every_action_is_named_by_a_commit_and_its_release() -> None:
    used = re.findall(r"^ *- uses: (.+)$", TEXT, re.MULTILINE)
    assert len(used) == sum("uses" in step for step in STEPS)
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
