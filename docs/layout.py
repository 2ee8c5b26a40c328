"""Pictures and tables that a small screen shows whole, and the descriptions of pages.

The directive `picture` shows a picture of `docs/pictures` in the form that fits the screen and the theme. Its text is
for those who do not see it. Tables of many columns become rows below each other on a small screen: each cell gets the
title of its column as `data-label`, which `manual.css` shows there. A page is described by its title and its first
sentences, for search engines and for previews of links.
"""

from __future__ import annotations

import html
import re
import textwrap
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).with_name("pictures")
SMALL = "(max-width: 600px)"  # as in manual.css
MAX_DESCRIPTION = 200  # characters
MIN_COLUMNS = 3  # of a table that does not fit on a small screen

_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
_HEADING = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_CODE = re.compile(r'(<span class="pre">)([^<]+)')
_CELL = re.compile(r"<td\b([^>]*)>(.*?)</td>", re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)


def picture(name: str, text: str, prefix: str) -> str:
    """The HTML of a picture: the light and the dark form, of which the theme shows one."""
    forms = []
    for theme in ("light", "dark"):
        wide, narrow = f"{name}-{theme}.svg", f"{name}-narrow-{theme}.svg"
        for file in (wide, narrow):
            if not (PICTURES / file).is_file():
                raise FileNotFoundError(f"docs/pictures/{file} does not exist. Run: python docs/make_pictures.py")
        forms.append(
            f'<picture class="only-{theme}"><source media="{SMALL}" srcset="{prefix}{narrow}">'
            f'<img alt="{html.escape(text)}" src="{prefix}{wide}"></picture>'
        )
    return "\n".join(forms)


def with_breaks(body: str) -> str:
    """A page whose code in running text breaks after a sign, where a name is wider than the screen."""
    return _CODE.sub(lambda match: match[1] + re.sub(r"(?<=[_./(=])(?=\w)", "<wbr>", match[2]), body)


def with_labels(body: str) -> str:
    """A page whose wide tables name the column of each cell."""
    return _TABLE.sub(lambda match: _labelled(match[0]), body)


def _labelled(table: str) -> str:
    titles = [html.escape(html.unescape(re.sub(r"<[^>]+>", "", title)).strip()) for title in _HEADING.findall(table)]
    if len(titles) < MIN_COLUMNS:
        return table

    def row(match: re.Match[str]) -> str:
        labels = iter(titles)
        return _CELL.sub(lambda cell: _labelled_cell(cell, next(labels, "")), match[0])

    return _ROW.sub(row, table).replace('<table class="', '<table class="stacked ', 1)


def _labelled_cell(cell: re.Match[str], label: str) -> str:
    """A cell with its label; an empty one has none, and takes no room below the others."""
    named = f'data-label="{label}"' if re.sub(r"<[^>]+>|\s", "", cell[2]) else 'data-empty=""'
    return f"<td {named}{cell[1]}>{cell[2]}</td>"


def fit(_app: object, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Make a page fit on a small screen."""
    if "body" in context:
        context["body"] = with_breaks(with_labels(context["body"]))


def describe(_app: object, _page: str, _template: str, context: dict[str, Any], doctree: Any) -> None:  # noqa: ANN401  # Sphinx
    """Describe a page. A picture and an address would have to be absolute: the manual has no address yet."""
    from docutils import nodes

    first = next((one for one in doctree.findall(nodes.paragraph)), None) if doctree is not None else None
    if first is not None:
        title = html.unescape(re.sub(r"<[^>]+>", "", context["title"]))
        text = textwrap.shorten(first.astext(), MAX_DESCRIPTION, placeholder=" …")
        said = {"name=description": text, "property=og:title": title, "property=og:description": text}
        for key, value in {**said, "property=og:type": "website"}.items():
            kind, name = key.split("=")
            context["metatags"] += f'\n<meta {kind}="{name}" content="{html.escape(value)}">'


def setup(app: Any) -> dict[str, bool]:  # noqa: ANN401  # Sphinx
    """Give Sphinx the directive `picture` and the labels of tables."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    class Picture(SphinxDirective):
        """A picture by its name, with its text."""

        required_arguments = 1
        has_content = True

        def run(self) -> list[nodes.Node]:
            prefix = "../" * self.env.docname.count("/") + "_static/"
            shown = nodes.raw("", picture(self.arguments[0], " ".join(self.content), prefix), format="html")
            return [nodes.container("", shown)]  # which can be the target of a link

    app.add_directive("picture", Picture)
    app.connect("html-page-context", fit)
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True}
