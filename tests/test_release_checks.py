"""The check of a release: at a tag, the changelog names the version and its date."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

CHECK = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "check_release.py"))["check_changelog"]


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([], "## [Unreleased]\n"),
        (["nightly"], "## [Unreleased]\n"),
        (["v0.1.0"], "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n"),
    ],
)
def test_a_changelog_that_fits_its_tags_passes(tags: list[str], text: str) -> None:
    CHECK(tags, text)


@pytest.mark.parametrize("text", ["## [Unreleased]\n", "## [0.1.0]\n", "## [0.0.9] - 2026-11-01\n"])
def test_a_tag_without_a_dated_section_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match=r"0\.1\.0"):
        CHECK(["v0.1.0"], text)


def test_the_changelog_of_the_project_has_the_form_that_the_check_reads() -> None:
    text = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "\n## [Unreleased]\n" in text
