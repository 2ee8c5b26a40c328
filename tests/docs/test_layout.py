"""Wide tables and pictures of the manual on a small screen."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

LAYOUT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "layout.py"))


def table(columns: int, cells: list[str]) -> str:
    heads = "".join(f'<th class="head"><p>h{number} &amp; <code>c</code></p></th>' for number in range(columns))
    return f'<table class="docutils"><tr>{heads}</tr><tr>{"".join(cells)}</tr></table>'


def test_each_cell_of_a_wide_table_names_its_column() -> None:
    found = LAYOUT["with_labels"](f"<p>a</p>{table(4, ['<td><p>x</p></td>'] * 4)}<p>b</p>")
    assert [f'<td data-label="h{number} &amp; c"><p>x</p></td>' in found for number in range(4)] == [True] * 4
    assert '<table class="stacked docutils">' in found


def test_an_empty_cell_is_marked_and_keeps_its_place() -> None:
    found = LAYOUT["with_labels"](table(4, ["<td><p>x</p></td>", '<td class="y"><p></p>\n</td>', "<td>z</td>"]))
    assert '<td data-empty="" class="y">' in found
    assert '<td data-label="h2 &amp; c">z</td>' in found


def test_a_narrow_table_stays_as_it_is() -> None:
    narrow = table(2, ["<td>x</td>"] * 2)
    assert LAYOUT["with_labels"](narrow) == narrow


def test_a_long_name_breaks_after_a_sign_and_a_block_of_code_stays_as_it_is() -> None:
    found = LAYOUT["with_breaks"]('<code><span class="pre">A_B</span></code><pre><span class="n">A_B</span></pre>')
    assert found == '<code><span class="pre">A_<wbr>B</span></code><pre><span class="n">A_B</span></pre>'


def test_a_picture_has_each_form_and_its_text_in_each_theme() -> None:
    shown = LAYOUT["picture"]("life", 'A "life".', "../_static/")
    for theme in ("light", "dark"):
        assert f'srcset="../_static/life-narrow-{theme}.svg"' in shown
        assert f'<img alt="A &quot;life&quot;." src="../_static/life-{theme}.svg">' in shown


def test_a_picture_that_does_not_exist_stops_the_build() -> None:
    with pytest.raises(FileNotFoundError, match="python docs/make_pictures"):
        LAYOUT["picture"]("nothing", "", "")
