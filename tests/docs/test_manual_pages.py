"""What the manual names is there, and what is there is named."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import ramrole_creds
from ramrole_creds import errors

ROOT = Path(__file__).parents[2]
NAMES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in NAMES), *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.usefixtures("ramrole_cloud")
def test_the_example_of_signing_signs() -> None:
    page = (ROOT / "docs" / "signing.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "docs/signing.md", "exec"), names)
    assert "Authorization" in str(names["signed"].headers)  # type: ignore[attr-defined]  # made by the example


def test_every_public_name_stands_on_the_page_of_the_api() -> None:
    page = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    named = set(re.findall(r"auto\w+:: ramrole_creds\.(?:\w+\.)?(\w+)$", page, flags=re.MULTILINE))
    of_modules = {name for name in vars(errors) if "automodule:: ramrole_creds.errors" in page}
    assert set(ramrole_creds.__all__) - named - of_modules == {"__version__"}


PUBLIC_MODULES = ["signing", "testing", "metadata", "sts", "events", "errors", "clock", "local_service", "recorder"]
INTEGRATIONS = sorted(file.stem for file in (ROOT / "src" / "ramrole_creds" / "integrations").glob("[a-z]*.py"))


@pytest.mark.parametrize("module", [*PUBLIC_MODULES, *(f"integrations.{name}" for name in INTEGRATIONS)])
def test_every_name_of_a_public_module_is_in_the_reference(module: str) -> None:
    page = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    if re.search(rf"automodule:: ramrole_creds\.{module}\n(?!   :no-members:)", page):
        return  # Sphinx takes the names from the module
    names = importlib.import_module(f"ramrole_creds.{module}").__all__
    at_the_root = {name for name in names if name in ramrole_creds.__all__}
    shown = re.findall(rf"auto\w+:: ramrole_creds\.(?:{module}\.)?(\w+)(?:\(\))?$", page, flags=re.MULTILINE)
    assert set(names) - at_the_root - set(shown) == set()
    assert names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_of_the_repository(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_section_that_a_page_at_the_top_links_to_is_there() -> None:
    """Those of the manual are checked when it is built."""
    for page in ROOT.glob("*.md"):
        for name, section in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            text = (page.parent / name if name else page).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert section in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}, (
                page,
                section,
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_to_another_site_has_the_form_of_a_url(page: Path) -> None:
    """Nothing is asked: whether the site answers is not checked."""
    for link in re.findall(r"(?:\]\(|<)(https?:[^)>\s]*)", page.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        assert parts.scheme == "https", link
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    paths = re.findall(r"`((?:docs|tests|benchmarks)/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []
