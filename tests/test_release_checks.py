"""The checks of a release: at a tag, the changelog names the version and its date; the archives are complete."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
CHECKS: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "check_release.py"))
CHECK: Callable[[list[str], str, str], None] = CHECKS["check_changelog"]
RELEASED = "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n\n### Added\n\n- A line.\n"


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ([], "## [Unreleased]\n\n- A line.\n"),
        (["nightly"], "## [Unreleased]\n"),
        (["v0.1.0"], RELEASED),
        (["v0.1.0"], RELEASED.replace("## [Unreleased]\n\n", "")),
    ],
    ids=["no tag", "no version", "released", "without Unreleased"],
)
def test_a_changelog_that_fits_its_tags_passes(tags: list[str], text: str) -> None:
    CHECK(tags, text, "0.1.0")


@pytest.mark.parametrize(
    "text",
    [
        "## [Unreleased]\n",
        "## [0.1.0]\n",
        "## [0.0.9] - 2026-11-01\n",
        "## [0.1.0] - 2026-02-30\n",
        "## [0.1.0] - soon\n",
        "## [0.1.0] - 20261201\n",
    ],
)
def test_a_tag_without_a_dated_section_is_refused(text: str) -> None:
    with pytest.raises(SystemExit, match=r"no section '## \[0\.1\.0\] - DATE'"):
        CHECK(["v0.1.0"], text, "0.1.0")


def test_entries_that_are_left_as_unreleased_are_refused_at_a_tag() -> None:
    with pytest.raises(SystemExit, match="has entries under 'Unreleased'"):
        CHECK(["v0.1.0"], RELEASED.replace("## [Unreleased]\n", "## [Unreleased]\n\n- Forgotten.\n"), "0.1.0")


def test_a_tag_of_another_version_than_the_one_built_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"The tag says 0\.1\.0, pyproject\.toml 0\.2\.0"):
        CHECK(["v0.1.0"], RELEASED, "0.2.0")


def test_the_changelog_of_the_project_has_the_form_that_the_check_reads() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "\n## [Unreleased]\n" in text


def archives(folder: Path) -> tuple[Path, Path]:
    """An unpacked sdist with what it must hold and one module, and the wheel with the same module."""
    unpacked = folder / "unpacked"
    for name in (*CHECKS["IN_SDIST"], CHECKS["PACKAGE"]):
        place = unpacked / name
        if (ROOT / name).is_dir():
            place.mkdir(parents=True)
        else:
            place.write_text("", encoding="utf-8")
    (unpacked / CHECKS["PACKAGE"] / "py.typed").write_text("", encoding="utf-8")
    with zipfile.ZipFile(folder / "wheel.whl", "w") as wheel:
        wheel.writestr("ramrole_creds/py.typed", "")
        wheel.writestr("ramrole_creds-0.1.0.dist-info/METADATA", "")
    return unpacked, folder / "wheel.whl"


def test_archives_that_hold_what_the_repository_has_pass(tmp_path: Path) -> None:
    CHECKS["check_files"](*archives(tmp_path))


def test_an_sdist_without_a_file_that_it_must_hold_is_refused(tmp_path: Path) -> None:
    unpacked, wheel = archives(tmp_path)
    (unpacked / "LICENSE").unlink()
    with pytest.raises(SystemExit, match=r"The sdist lacks LICENSE\."):
        CHECKS["check_files"](unpacked, wheel)


def test_a_wheel_without_a_file_of_the_package_is_refused(tmp_path: Path) -> None:
    unpacked, wheel = archives(tmp_path)
    (unpacked / CHECKS["PACKAGE"] / "credentials.py").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"different files: ramrole_creds/credentials\.py"):
        CHECKS["check_files"](unpacked, wheel)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows the files of a checkout only")
def test_an_sdist_with_a_file_that_nobody_committed_is_refused(tmp_path: Path) -> None:
    unpacked, wheel = archives(tmp_path)
    (unpacked / "tests" / "notes.txt").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"git does not know: tests/notes\.txt"):
        CHECKS["check_files"](unpacked, wheel)
