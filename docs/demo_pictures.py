"""The pictures of `ramrole-creds demo`, for `make_pictures.py`: the demo runs, and its terminal becomes an SVG."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from ramrole_creds.cli.demonstration import run_demo
from ramrole_creds.cli.screen import PlainProgressBar, RichScreen

if TYPE_CHECKING:
    from ramrole_creds.cli.diagnosis.report import Mark
    from ramrole_creds.cli.screen import ProgressBar

WIDE_COLUMNS, NARROW_COLUMNS = 100, 46


class TwoScreens(RichScreen):
    """Shows no bar that moves, and shows the steps on a narrow screen too."""

    def __init__(self, wide: Console, narrow: Console) -> None:
        super().__init__(wide)
        self.narrow = RichScreen(narrow)

    def title(self, title: str, text: str) -> None:
        super().title(title, text)
        self.narrow.title(title, text)

    def step(self, text: str) -> None:
        super().step(text)
        self.narrow.step(text)

    def mark(self, mark: Mark, text: str) -> None:
        super().mark(mark, text)
        self.narrow.mark(mark, text)

    def closing(self, text: str, *, holds: bool) -> None:
        super().closing(text, holds=holds)
        self.narrow.closing(text, holds=holds)

    def progress(self, total: float) -> ProgressBar:
        del total
        return PlainProgressBar()


def demo() -> dict[str, str]:
    """The terminal of `ramrole-creds demo`, by form; it runs the demo, so its figures differ from run to run.

    The narrow form has the steps and what was checked, without the lines in between.
    """
    wide, narrow = (
        Console(record=True, width=width, file=io.StringIO(), force_terminal=True, highlight=False)
        for width in (WIDE_COLUMNS, NARROW_COLUMNS)
    )
    if not run_demo(TwoScreens(wide, narrow), threads=4, seed=7):
        sys.exit("The demo failed: the pictures of it were not written.")
    palettes = {
        "light": "1f2328 cf222e 116329 9a6700 0969da 8250df 1b7c83",
        "dark": "e6edf3 ff7b72 3fb950 d29922 58a6ff bc8cff 39c5cf",
    }
    grounds = {"light": "f6f8fa", "dark": "0d1117"}
    drawn = {}
    for theme, names in palettes.items():
        ground, *palette = (tuple(bytes.fromhex(name)) for name in [grounds[theme], *names.split()])
        colours = TerminalTheme(ground, palette[0], [*palette, palette[0]])
        for form, console in ((theme, wide), (f"narrow-{theme}", narrow)):
            drawn[form] = _without_fonts(
                console.export_svg(title="ramrole-creds demo", theme=colours, clear=False, unique_id="demo")
            )
    return drawn


def _without_fonts(svg: str) -> str:
    """The picture of a terminal, with the fonts of the machine that shows it."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # it would load fonts from another host
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Consolas, 'DejaVu Sans Mono', monospace")
    svg = re.sub(r"<!--.*?-->", "", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"
