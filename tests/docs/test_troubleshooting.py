"""The page of errors quotes errors as the code writes them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
QUOTED = [text.replace("\\`", "`") for text in HEADINGS if not re.fullmatch(r"(`[A-Z][A-Za-z.]+`(, )?)+", text)]


def texts_of_the_code() -> str:
    """All text literals of the package, those of one expression together."""
    found = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
    return "\n".join(found)


CODE = texts_of_the_code()


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_error_is_one_of_ours(text: str) -> None:
    assert text.strip("`") in CODE


def test_every_error_class_that_the_page_names_exists() -> None:
    import ramrole_creds

    for name in re.findall(r"^`([A-Z]\w+)`\.", PAGE, re.MULTILINE):
        assert name == "TypeError" or hasattr(ramrole_creds, name), name
