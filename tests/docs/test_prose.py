"""The English of the manual and of the code's texts: short sentences, and no word that says it in a roundabout way.

Spelling and style in general are the business of codespell and proselint, which `tox run -e lint` runs.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in NAMES), *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
VENDOR_TEXTS = {"ecs.py", "hostile.py", "openapi.py"}  # the fake cloud answers in the words of the real services
MAX_WORDS = 45
# A pattern, and what to write.
WORDS = {
    r"(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|part\b)": "is not a …; there is no …",
    r"\btold\b|\btells?\b": "report, say, emit",
    r"\btroubles?\b": "failure, error, problem",
    r"(?<!\brole )\bof (?:its|their) own\b": "leave it out, or write: separate",
    r"\b(?:desk|itinerary|conversation)s?\b": "the field's word",
    r"\bflights?\b(?<!in flight)(?! recorder)": "fetch; in flight",
    r"\btravel(?:s|led)?\b": "is carried, is sent",
    r"\bsimply\b|\bjust\b(?! before\b)|\bobviously\b|\bof course\b": "leave it out",
    r"\bplease\b": "leave it out",
    r"\bleverag\w+|\butili[sz]\w+": "use",
    r"\bseamless\w*|\bpowerful\b|\brobust\b|\bblazing\w*": "say what it does",
    r"\bamongst\b|\bwhilst\b|\bhence\b|\bthereof\b": "among, while, so",
    r"\bfor ever\b": "forever",
    r"\bpatien(?:ce|t)\b": "timeout, how long a call waits",
    r"\bupstreams?\b": "source",
    r"\bof (?:yours|ours)\b": "your, that you write",
    r"\bat hand\b|\bin vain\b|\banew\b": "current; unused; again",
    r"\bhand(?:s|ed|ing)? (?:out|over)\b": "return, pass",
    r"\bwarm\b": "has credentials already",
}
FRONT_PAGES = ("README.md", "docs/index.md", "docs/start.md", "docs/quick-start.md", "docs/why.md")
ABBREVIATIONS = {"ACK", "ARN", "ECS", "OIDC", "OSS", "RAM", "RRSA", "STS"}


def prose(page: Path) -> str:
    """A page without code, tables, links' addresses and directives."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^([`:]{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|^ {4}.*$|^\(.*\)=$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"``.*?``|`[^`]*`", "CODE", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def sentences(page: Path) -> list[str]:
    """The sentences of a page; the cells of tables count as sentences."""
    found = []
    for block in re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.) |^#+ |\|", prose(page), flags=re.MULTILINE):
        found += re.split(r"(?<=[.!?:;])\s+", " ".join(block.split()))
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_word_of_the_list(page: Path) -> None:
    text = prose(page)
    found = [
        (match.group(), instead) for word, instead in WORDS.items() for match in re.finditer(word, text, re.IGNORECASE)
    ]
    assert found == []


@pytest.mark.parametrize("folder", sorted({file.parent for file in SOURCES}), ids=lambda folder: folder.name)
def test_no_docstring_and_no_text_of_the_code_has_a_word_of_the_list(folder: Path) -> None:
    found = []
    for file in (one for one in SOURCES if one.parent == folder and one.name not in VENDOR_TEXTS):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        text = re.sub(r"``.*?``|`[^`]*`", "CODE", "\n".join(one for one in texts if " " in one), flags=re.DOTALL)
        found += [(file.name, match.group()) for word in WORDS for match in re.finditer(word, text, re.IGNORECASE)]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_is_too_long(page: Path) -> None:
    assert [one for one in sentences(page) if len(one.split()) > MAX_WORDS] == []


def test_the_glossary_defines_each_abbreviation_of_the_front_pages() -> None:
    """A reader who is new to Alibaba Cloud meets them there first."""
    used = {word for name in FRONT_PAGES for word in re.findall(r"\b[A-Z]{3,4}\b", prose(ROOT / name))}
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert used & ABBREVIATIONS >= {"ECS", "OSS", "RAM", "STS"}
    assert used & ABBREVIATIONS <= set(re.findall(r"^([A-Z]+)$", glossary, re.MULTILINE))
