"""The pictures of the manual are what the code draws."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"
ALL_FILES = sorted(path.name for path in (DOCS / "pictures").glob("*.svg"))
# benchmarks/fleet.py draws the fleet.
FILES = [name for name in ALL_FILES if not name.startswith(("demo-", "fleet-"))]


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_picture_has_a_light_and_a_dark_form(pictures: ModuleType) -> None:
    drawn = {f"{name}-{theme}.svg" for name in pictures.PICTURES for theme in pictures.THEMES}
    assert drawn <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_is_what_the_code_draws(name: str, pictures: ModuleType) -> None:
    picture, theme = Path(name).stem.rsplit("-", 1)
    drawn = pictures.PICTURES[picture](pictures.THEMES[theme])
    assert (DOCS / "pictures" / name).read_text(encoding="utf-8") == drawn
    ET.fromstring(drawn)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_of_the_demo_has_the_steps_of_the_demo(theme: str) -> None:
    code = (DOCS.parent / "src" / "ramrole_creds" / "cli" / "demonstration.py").read_text(encoding="utf-8")
    steps = re.findall(r'\.step\(f?"(.+?)"\)$', code, re.MULTILINE)
    drawn = ET.fromstring((DOCS / "pictures" / f"demo-{theme}.svg").read_text(encoding="utf-8"))
    shown = "".join(drawn.itertext()).replace("\xa0", " ")
    assert len(steps) == 6
    for step in steps:
        assert all(part in shown for part in re.split(r"\{.*?\}", step)), step
    assert "Every check passed." in shown


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_picture_asks_no_other_host(name: str) -> None:
    text = (DOCS / "pictures" / name).read_text(encoding="utf-8")
    assert not re.search(r'(?:href|src)=(?!"#)|url\((?!#)|@import|<script', text)


def test_every_picture_is_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"])
    assert [name for name in ALL_FILES if f"pictures/{name}" not in pages] == []


def test_every_picture_of_a_page_has_a_text_for_those_who_do_not_see_it() -> None:
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert text.count("```{image}") == text.count(":alt: "), page.name
