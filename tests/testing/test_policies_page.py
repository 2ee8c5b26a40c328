"""The code of the page on policies (policies.md), run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"


def test_every_example_of_the_page_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "ramrole_creds.testing.pytest_plugin")
    text = PAGE.read_text("utf-8")
    files = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(files) == text.count("```python\n") >= 5
    for name, code in files:
        (pytester.path / name).write_text(code, encoding="utf-8")
    result = pytester.runpytest_subprocess("-W", "error", "--ramrole-policy=policy.json")
    result.assert_outcomes(passed=sum(code.count("def test_") for _, code in files) + 1)
    assert (pytester.path / "policy.json").exists()
