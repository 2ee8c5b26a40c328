"""The lowest declared version of every dependency is one that the tests run with."""

from __future__ import annotations

import configparser
import importlib
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli").loads(
    (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]
DECLARED = {"": PYPROJECT["project"]["dependencies"], **EXTRAS}
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini", encoding="utf-8")
LOWEST = {
    line: line.partition("install_lowest.py ")[2].partition(" --group")[0].split()
    for name in TOX.sections()
    if name.startswith("testenv:lowest")
    for line in TOX[name]["commands_pre"].replace("\\\n", " ").splitlines()
    if line
}
"""What each command asks for that installs lowest versions."""
NEWEST_ONLY = {"airflow"}
"""Airflow admits newer releases of its dependencies than its old ones work with, and publishes outside of the package
index which to install. With what a resolver finds for 3.1.0, Airflow itself cannot run a task."""


def words_of(section: str, option: str) -> set[str]:
    """The words of an option of tox.ini, with those of the sections that it refers to."""
    text = TOX[section].get(option, TOX["testenv"].get(option, ""))
    referred = [words_of(name, other) for name, other in re.findall(r"{\[([\w:-]+)\](\w+)}", text)]
    return set(re.split(r"[\s,]+", text)).union(*referred)


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_extra_is_tested_in_its_newest_version(extra: str) -> None:
    environments = [name for name in TOX.sections() if name.startswith("testenv") and "lowest" not in name]
    assert [name for name in environments if extra in words_of(name, "extras")]


def test_every_sdk_that_has_a_test_must_be_there_in_an_environment() -> None:
    table = runpy.run_path(str(ROOT / "docs" / "integrations_table.py"))["ALL"]
    required = {name for section in TOX.sections() for name in words_of(section, "set_env")}
    assert {test for test, _, _ in table.values()} - required == set()


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - NEWEST_ONLY))
def test_every_extra_is_tested_in_its_lowest_version(extra: str) -> None:
    assert [command for command, asked in LOWEST.items() if extra in asked]


def test_an_environment_of_lowest_versions_asks_for_extras_that_exist() -> None:
    assert len(LOWEST) > 4
    assert {extra for asked in LOWEST.values() for extra in asked} == EXTRAS.keys() - NEWEST_ONLY


@pytest.mark.parametrize("extra", DECLARED)
def test_every_dependency_has_a_lowest_version(extra: str) -> None:
    unbounded = [one for one in DECLARED[extra] if not re.match(r"[\w.-]+(\[[\w,-]+\])?>=\d", one)]
    assert not unbounded


def test_a_dependency_of_several_extras_has_one_lowest_version() -> None:
    bounds: dict[str, set[str]] = {}
    for one in (one for declared in DECLARED.values() for one in declared):
        name, _, bound = one.partition(">=")
        bounds.setdefault(name.partition("[")[0], set()).add(bound)
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_what_is_held_down_besides_is_not_a_declared_dependency() -> None:
    """A line of tests/lowest.txt would hide the declared bound."""
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    held = {re.split(r"[<>=]", line)[0] for line in lines if line and not line.startswith("#")}
    declared = {re.split(r"[\[>;]", one)[0] for found in DECLARED.values() for one in found}
    assert not held & declared
