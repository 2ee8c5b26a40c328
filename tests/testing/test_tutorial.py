"""The testing tutorial's code, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"


def test_every_example_of_the_tutorial_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ramrole_creds.testing.pytest_plugin")
    files = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(files) >= 8
    for name, code in files:
        (pytester.path / name).write_text(code, encoding="utf-8")
    tests = sum(code.count("def test_") for _, code in files)
    result = pytester.runpytest_subprocess("-W", "error")
    assert result.ret == 0, result.stdout.str()
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) >= tests
    assert outcomes.get("skipped", 0) <= 2  # the official client and time-machine, where they are not installed


def test_every_code_block_has_a_name_and_is_therefore_run() -> None:
    text = DOCUMENT.read_text("utf-8")
    named = re.findall(r"^```python\n# (?:app|test_\w+)\.py\n", text, re.MULTILINE)
    assert text.count("```python\n") == len(named)


def test_every_fault_stands_in_the_reference() -> None:
    from dataclasses import fields

    from ramrole_creds.testing.faults.kinds import KINDS

    table = DOCUMENT.read_text("utf-8").partition("### Faults")[2].partition("### Assertions")[0]
    for name, kind in KINDS.items():
        row = re.search(rf"^\|.*`{name}`.*$", table, re.MULTILINE)
        assert row is not None, name
        for option in fields(kind):
            assert f"`{option.name}`" in row.group() or option.name == name, (name, option.name)
