"""Draws the manual's pictures from the code: `python docs/make_pictures.py` writes docs/pictures/*.svg.

Each picture has a light and a dark form. A test draws them again and compares. The picture of the demo is its output:
the test compares its steps. `python docs/make_pictures.py machines` writes that picture only.
"""

from __future__ import annotations

import io
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ramrole_creds import RefreshPolicy, default_provider

if TYPE_CHECKING:
    from ramrole_creds.cli.screen import ProgressBar

FOLDER = Path(__file__).with_name("pictures")
LIFE_SECONDS = 6 * 3600
THEMES = {
    "light": {"ink": "#1f2328", "muted": "#57606a", "line": "#8c959f", "fill": "#f6f8fa"},
    "dark": {"ink": "#e6edf3", "muted": "#9198a1", "line": "#656c76", "fill": "#161b22"},
}
STATES = {"fresh": "#2da44e", "advisory": "#bf8700", "mandatory": "#cf5a1b", "expired": "#cf222e"}
Colours = dict[str, str]


class Drawing:
    """An SVG of a fixed size; text is 14 px."""

    def __init__(self, width: int, height: int, title: str, colours: Colours) -> None:
        self.colours = colours
        start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        self.parts = [f'{start}font-family="system-ui, sans-serif" font-size="14"><title>{escape(title)}</title>']

    def text(
        self, x: float, y: float, text: str, *, colour: str = "ink", anchor: str = "middle", size: int = 14
    ) -> None:
        """A line of text."""
        fill = self.colours.get(colour, colour)
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" fill="{fill}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, *, fill: str = "fill", line: str = "line") -> None:
        """A rectangle with round corners."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
            f'fill="{self.colours.get(fill, fill)}" stroke="{self.colours.get(line, line)}"/>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, *, colour: str = "line") -> None:
        """An arrow, horizontal or vertical."""
        stroke = self.colours.get(colour, colour)
        self.parts.append(f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{stroke}" stroke-width="1.5"/>')
        side = 5 if x2 > x1 or y2 > y1 else -5
        head = (
            f"M{x2:g} {y2:g}l{-1.6 * side:g} {-side}v{2 * side}z"
            if y1 == y2
            else f"M{x2:g} {y2:g}l{-side} {-1.6 * side:g}h{2 * side}z"
        )
        self.parts.append(f'<path d="{head}" fill="{stroke}"/>')

    def svg(self) -> str:
        """The whole document."""
        return "\n".join([*self.parts, "</svg>", ""])


def life(colours: Colours) -> str:
    """The life of six-hour credentials, with both windows as `RefreshPolicy` opens them."""
    policy = RefreshPolicy()
    advisory, mandatory = policy.advisory_left(LIFE_SECONDS, 0.0), policy.mandatory_left(LIFE_SECONDS)
    drawing = Drawing(760, 190, "The life of six-hour credentials", colours)
    left, fresh_width, advisory_width, mandatory_width = 20, 330, 170, 110
    spans = [
        ("fresh", fresh_width, "readers get them at once", "nobody fetches"),
        ("advisory", advisory_width, "readers get them at once", "the refresher fetches"),
        ("mandatory", mandatory_width, f"waits ≤ {policy.mandatory_wait:g} s", "a reader fetches"),
        ("expired", 110, "waits for a fetch", "never returned"),
    ]
    marks = ["6:00:00 left", f"{advisory / 60:.0f} min left", f"{mandatory / 60:.0f} min left", "0"]
    x = float(left)
    for (state, width, reader, fetcher), mark in zip(spans, marks, strict=True):
        drawing.box(x, 60, width - 4, 34, fill=STATES[state], line=STATES[state])
        drawing.text(x + width / 2 - 2, 82, state, colour="#ffffff")
        drawing.text(x + width / 2 - 2, 118, reader, colour="ink", size=12)
        drawing.text(x + width / 2 - 2, 136, fetcher, colour="muted", size=12)
        drawing.text(x, 48, mark, colour="muted", anchor="start", size=12)
        x += width
    drawing.text(left, 22, "The life of credentials that live six hours (not to scale)", anchor="start")
    renewed = left + fresh_width + 40
    drawing.arrow(renewed, 176, renewed, 148)
    drawing.text(renewed + 12, 174, "new credentials: fresh again", colour="muted", anchor="start", size=12)
    return drawing.svg()


def chain(colours: Colours) -> str:
    """The default chain, in its own order, with the two outcomes of a provider that has nothing to give."""
    names = [provider.get_provider_name() for provider in default_provider().providers]
    drawing = Drawing(760, 80 + 44 * len(names), "The default chain", colours)
    drawing.text(
        20, 24, "default_provider() asks in this order and stays with the first that has credentials", anchor="start"
    )
    for number, name in enumerate(names):
        y = 44 + 44 * number
        drawing.box(20, y, 190, 30)
        drawing.text(115, y + 20, name)
        if number + 1 < len(names):
            drawing.arrow(115, y + 30, 115, y + 42)
            drawing.text(127, y + 41, "not here", colour="muted", anchor="start", size=11)
        drawing.arrow(210, y + 15, 270, y + 15)
        drawing.text(
            280, y + 20, "has credentials: the chain uses them", colour=STATES["fresh"], anchor="start", size=12
        )
        drawing.text(510, y + 20, "here but broken: an error", colour=STATES["expired"], anchor="start", size=12)
    drawing.text(
        20, 64 + 44 * len(names), "None has any: NoCredentialsError, with a line for each", anchor="start", size=12
    )
    return drawing.svg()


def call(colours: Colours) -> str:
    """One call, from the app to the metadata service."""
    drawing = Drawing(760, 250, "One call, from the app to the metadata service", colours)
    columns = [
        (20, "your app"),
        (170, "SDK client"),
        (320, "provider"),
        (470, "credential cache"),
        (620, "metadata service"),
    ]
    for x, name in columns:
        drawing.box(x, 14, 120, 30)
        drawing.text(x + 60, 34, name, size=13)
        drawing.parts.append(
            f'<path d="M{x + 60} 44V240" stroke="{colours["line"]}" stroke-dasharray="3 4" fill="none"/>'
        )
    steps = [
        (80, 230, 76, "put_object()"),
        (230, 380, 100, "get_credentials()"),
        (380, 530, 124, "one comparison"),
        (530, 230, 148, "a snapshot: id, secret, token"),
        (530, 680, 188, "in the background: GET"),
        (680, 530, 212, "new credentials"),
    ]
    for start, end, y, text in steps:
        drawing.arrow(start, y, end, y)
        drawing.text((start + end) / 2, y - 6, text, size=11, colour="ink")
    return drawing.svg()


def fixture(colours: Colours) -> str:
    """What the pytest fixtures put around the code under test."""
    drawing = Drawing(760, 210, "What the fixtures put around the code under test", colours)
    drawing.box(20, 20, 220, 170, fill="none")
    drawing.text(130, 44, "your test")
    drawing.box(40, 60, 180, 34)
    drawing.text(130, 82, "the code under test", size=13)
    drawing.box(40, 140, 180, 34)
    drawing.text(130, 162, "ramrole_clock.advance(…)", size=13)
    drawing.box(420, 20, 320, 170, fill="none")
    drawing.text(580, 44, "ramrole_cloud, on 127.0.0.1")
    for number, name in enumerate(("instance metadata", "STS, RAM, ECS", "OSS, SLS, OTS … that verify signatures")):
        drawing.box(440, 58 + 42 * number, 280, 32)
        drawing.text(580, 79 + 42 * number, name, size=13)
    drawing.arrow(220, 77, 420, 77)
    drawing.text(320, 68, "100.100.100.200 is redirected", size=11)
    drawing.arrow(220, 157, 420, 157)
    drawing.text(320, 148, "moves all time", size=11)
    return drawing.svg()


def machines(colours: Colours) -> str:
    """Where fetches happen when tasks run on other machines, and what the tests of each engine counted."""
    table = runpy.run_path(str(Path(__file__).with_name("integrations_table.py")))
    counted = table["results"]()["engines"]
    engines = [(title, counted[name]) for name, (title, _, _) in table["ENGINES"].items() if name in counted]
    columns = 5
    rows = -(-len(engines) // columns)
    drawing = Drawing(760, 300 + 72 * rows, "Where fetches happen when tasks run on other machines", colours)
    drawing.box(20, 60, 170, 160)
    drawing.text(105, 136, "your program")
    drawing.text(105, 156, "provider", colour="muted", size=12)
    for number, name in enumerate(("machine A", "machine B")):
        y = 20 + 120 * number
        drawing.box(330, y, 200, 100, fill="none")
        drawing.text(430, y + 22, name)
        for worker in range(2):
            drawing.box(342 + 92 * worker, y + 34, 84, 52)
            drawing.text(384 + 92 * worker, y + 55, "worker", size=12)
            drawing.text(384 + 92 * worker, y + 73, "1 fetch a set", colour=STATES["fresh"], size=12)
        drawing.arrow(530, y + 60, 600, y + 60)
        drawing.box(600, y + 35, 140, 50)
        drawing.text(670, y + 56, "its own", size=12)
        drawing.text(670, y + 74, "metadata service", size=12)
        drawing.arrow(190, y + 60, 330, y + 60)
        drawing.text(260, y + 50, "configuration only", colour="muted", size=11)
    said = "Counted in the tests: how often one process fetched one set of credentials, at most"
    drawing.text(20, 282, said, anchor="start")
    for number, (title, one) in enumerate(engines):
        x, y = 20 + 146 * (number % columns), 294 + 72 * (number // columns)
        drawing.box(x, y, 136, 62)
        drawing.text(x + 68, y + 20, title, size=12)
        workers = f"{one['workers']} worker{'s' * (one['workers'] > 1)}"
        drawing.text(x + 68, y + 37, f"{workers}, {one['fetches']} fetches", colour="muted", size=10)
        state = "fresh" if one["most"] == 1 else "mandatory"
        drawing.text(x + 68, y + 53, f"{one['most']} per set and process", colour=STATES[state], size=11)
    return drawing.svg()


def demo() -> dict[str, str]:
    """The terminal of `ramrole-creds demo`, by theme; it runs the demo, so its figures differ from run to run."""
    from rich.console import Console
    from rich.terminal_theme import TerminalTheme

    from ramrole_creds.cli.demonstration import run_demo
    from ramrole_creds.cli.screen import PlainProgressBar, RichScreen

    class StillScreen(RichScreen):
        """Shows no bar that moves."""

        def progress(self, total: float) -> ProgressBar:
            del total
            return PlainProgressBar()

    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, highlight=False)
    if not run_demo(StillScreen(console), threads=4, seed=7):
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
        svg = console.export_svg(title="ramrole-creds demo", theme=colours, clear=False, unique_id="demo")
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # it would load fonts from another host
        svg = svg.replace("Fira Code, monospace", "ui-monospace, Consolas, 'DejaVu Sans Mono', monospace")
        svg = re.sub(r"<!--.*?-->", "", svg)
        drawn[theme] = "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"
    return drawn


PICTURES = {"machines": machines, "life": life, "chain": chain, "call": call, "fixture": fixture}


def draw(name: str) -> None:
    """Write one picture in both forms."""
    for theme, colours in THEMES.items():
        (FOLDER / f"{name}-{theme}.svg").write_text(PICTURES[name](colours), encoding="utf-8")


def main(names: list[str]) -> int:
    """Write these pictures, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        draw(name)
    if not names:
        for theme, drawn in demo().items():
            (FOLDER / f"demo-{theme}.svg").write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
