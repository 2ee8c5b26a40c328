"""The pictures of the manual are what the code draws."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from ramrole_creds import EcsRamRoleProvider
from ramrole_creds.testing import FakeCloud, VirtualClock

if TYPE_CHECKING:
    from types import ModuleType
    from typing import TypeGuard

DOCS = Path(__file__).parents[2] / "docs"
ALL_FILES = sorted(path.name for path in (DOCS / "pictures").glob("*.svg"))
# benchmarks/fleet.py draws the fleet.
FILES = [name for name in ALL_FILES if not name.startswith(("demo-", "fleet-"))]
NAMES = sorted({re.sub(r"(?:-narrow)?-(?:light|dark)\.svg$", "", name) for name in ALL_FILES})


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_a_light_and_a_dark_form_for_large_and_small_screens(name: str) -> None:
    assert {f"{name}{form}-{theme}.svg" for form in ("", "-narrow") for theme in ("light", "dark")} <= set(ALL_FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_is_what_the_code_draws(name: str, pictures: ModuleType) -> None:
    picture, theme = Path(name).stem.rsplit("-", 1)
    width = pictures.NARROW if picture.endswith("-narrow") else pictures.WIDE
    drawn = pictures.PICTURES[picture.removesuffix("-narrow")](pictures.THEMES[theme], width)
    assert (DOCS / "pictures" / name).read_text(encoding="utf-8") == drawn
    ET.fromstring(drawn)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_narrow_picture_of_the_fleet_is_made_of_the_wide_one(theme: str, pictures: ModuleType) -> None:
    wide, narrow = (
        (DOCS / "pictures" / f"fleet{form}-{theme}.svg").read_text(encoding="utf-8") for form in ("", "-narrow")
    )
    assert narrow == pictures.stacked(wide)
    panels = [one for one in ET.fromstring(narrow) if one.tag.endswith("}svg")]
    assert len(panels) == 4


@pytest.mark.parametrize("name", [name for name in ALL_FILES if "-narrow-" in name])
def test_a_narrow_picture_has_letters_that_a_small_screen_shows_large_enough(name: str) -> None:
    drawn = ET.fromstring((DOCS / "pictures" / name).read_text(encoding="utf-8"))
    width = float(drawn.attrib["viewBox"].split()[2])
    text = ET.tostring(drawn, encoding="unicode")
    sizes = {float(size) for size in re.findall(r"font(?:-size=\"|: |-size: )([\d.]+)", text)} - {0.0}
    assert min(sizes) * 380 / width >= 7  # CSS pixels on a screen of 420; exponents are that small


@pytest.mark.parametrize("theme", ["light", "dark", "narrow-light", "narrow-dark"])
def test_the_picture_of_the_demo_has_the_steps_of_the_demo(theme: str) -> None:
    code = (DOCS.parent / "src" / "ramrole_creds" / "cli" / "demonstration.py").read_text(encoding="utf-8")
    steps = re.findall(r'\.step\(f?"(.+?)"\)$', code, re.MULTILINE)
    drawn = ET.fromstring((DOCS / "pictures" / f"demo-{theme}.svg").read_text(encoding="utf-8"))
    shown = "".join(drawn.itertext()).replace("\xa0", " ")
    assert len(steps) == 6
    for step in steps:
        words = "".join(shown.split())  # a narrow screen breaks lines
        assert all("".join(part.split()) in words for part in re.split(r"\{.*?\}", step)), step
    assert "Every check passed." in shown


@pytest.mark.parametrize("theme", ["light", "dark", "narrow-light", "narrow-dark"])
def test_the_picture_of_the_demo_has_the_checks_of_the_demo(theme: str) -> None:
    code = (DOCS.parent / "src" / "ramrole_creds" / "cli" / "demonstration.py").read_text(encoding="utf-8")
    texts = [part for call in ast.walk(ast.parse(code)) if is_passing_check(call) for part in fixed_parts(call)]
    drawn = ET.fromstring((DOCS / "pictures" / f"demo-{theme}.svg").read_text(encoding="utf-8"))
    shown = "".join("".join(drawn.itertext()).split()).replace("\xa0", "")
    assert len(texts) > 12
    assert [text for text in texts if "".join(text.split()) not in shown] == []


def is_passing_check(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether this is `stage.check(text, holds=…)`, not one that reports a failure."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("stage.check"):
        return False
    return not any(isinstance(one.value, ast.Constant) and not one.value.value for one in node.keywords)


def fixed_parts(call: ast.Call) -> list[str]:
    """The fixed parts of the text of a check that passes."""
    text = call.args[0]
    if isinstance(text, ast.IfExp):
        text = text.body
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return [str(part.value) for part in parts if isinstance(part, ast.Constant)]


def test_the_picture_of_the_fixture_has_the_names_of_the_fixtures_and_of_the_cloud() -> None:
    plugin = importlib.import_module("ramrole_creds.testing.pytest_plugin")
    words = " ".join(ET.fromstring((DOCS / "pictures" / "fixture-light.svg").read_text(encoding="utf-8")).itertext())
    named = set(re.findall(r"\bramrole_\w+", words))
    assert named == {"ramrole_cloud", "ramrole_clock"} <= set(vars(plugin))
    assert callable(VirtualClock.advance)
    assert inspect.signature(FakeCloud).parameters["host"].default == "127.0.0.1"
    services = {service.name for service in FakeCloud().services}
    assert {"sts", "ram", "ecs", "oss", "sls", "ots"} <= services
    assert all(service.upper() in words for service in ("sts", "ram", "ecs", "oss", "sls", "ots"))


def test_a_call_asks_for_one_snapshot_as_the_picture_says(ramrole_cloud: FakeCloud) -> None:
    words = " ".join(ET.fromstring((DOCS / "pictures" / "call-light.svg").read_text(encoding="utf-8")).itertext())
    provider = EcsRamRoleProvider()
    snapshot = provider.get_credentials()
    assert "get_credentials()" in words
    assert provider.get_credentials() is snapshot, "one comparison, and the same snapshot"
    assert all((snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token))
    ramrole_cloud.assert_called_once("credentials")


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_picture_asks_no_other_host(name: str) -> None:
    text = (DOCS / "pictures" / name).read_text(encoding="utf-8")
    assert not re.search(r'(?:href|src)=(?!"#)|url\((?!#)|@import|<script', text)


def test_every_picture_is_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"])
    shown = re.findall(r"```{picture} (\w+)\n", pages)
    assert sorted(set(shown)) == NAMES
    assert set(re.findall(r"pictures/([\w.-]+)", (DOCS.parent / "README.md").read_text(encoding="utf-8"))) <= set(
        ALL_FILES
    )


def test_every_picture_of_a_page_has_a_text_for_those_who_do_not_see_it() -> None:
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"```{picture} \w+\n", text)) == len(re.findall(r"```{picture} \w+\n\w.{60}", text)), (
            page.name
        )
