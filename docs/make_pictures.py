"""Draws the manual's pictures from the code: `python docs/make_pictures.py` writes docs/pictures/*.svg.

Each picture has a light and a dark form, and each of these a wide and a narrow one, for small screens. A test draws
them again and compares. The picture of the demo is its output: the test compares its steps.
`python docs/make_pictures.py machines` writes that picture only.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from ramrole_creds import (
    Credentials,
    FetchError,
    FunctionProvider,
    ProviderChain,
    ProviderUnavailable,
    RamRoleError,
    RefreshPolicy,
    default_provider,
)

FOLDER = Path(__file__).with_name("pictures")
LIFE_SECONDS = 6 * 3600
THEMES = {
    "light": {"ink": "#1f2328", "muted": "#57606a", "line": "#8c959f", "fill": "#f6f8fa"},
    "dark": {"ink": "#e6edf3", "muted": "#9198a1", "line": "#656c76", "fill": "#161b22"},
}
WIDE, NARROW = 760, 360
STATES = {"fresh": "#2da44e", "advisory": "#bf8700", "mandatory": "#cf5a1b", "expired": "#cf222e"}
Colours = dict[str, str]


class Drawing:
    """An SVG of a fixed size; text is 14 px, unless it says otherwise."""

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


def life(colours: Colours, width: int = WIDE) -> str:
    """The life of six-hour credentials, with both windows as `RefreshPolicy` opens them."""
    policy = RefreshPolicy()
    advisory, mandatory = policy.advisory_left(LIFE_SECONDS, 0.0), policy.mandatory_left(LIFE_SECONDS)
    spans = [
        ("fresh", "6:00:00 left", "readers get them at once", "nobody fetches"),
        ("advisory", f"{advisory / 60:.0f} min left", "readers get them at once", "the refresher fetches"),
        ("mandatory", f"{mandatory / 60:.0f} min left", f"waits ≤ {policy.mandatory_wait:g} s", "a reader fetches"),
        ("expired", "0", "waits for a fetch", "never returned"),
    ]
    if width == NARROW:
        return _life_downwards(colours, spans)
    drawing = Drawing(width, 190, "The life of six-hour credentials", colours)
    left, fresh_width = 20, 330
    x = float(left)
    for (state, mark, reader, fetcher), span in zip(spans, [fresh_width, 170, 110, 110], strict=True):
        drawing.box(x, 60, span - 4, 34, fill=STATES[state], line=STATES[state])
        drawing.text(x + span / 2 - 2, 82, state, colour="#ffffff")
        drawing.text(x + span / 2 - 2, 118, reader, colour="ink", size=12)
        drawing.text(x + span / 2 - 2, 136, fetcher, colour="muted", size=12)
        drawing.text(x, 48, mark, colour="muted", anchor="start", size=12)
        x += span
    drawing.text(left, 22, "The life of credentials that live six hours (not to scale)", anchor="start")
    renewed = left + fresh_width + 40
    drawing.arrow(renewed, 176, renewed, 148)
    drawing.text(renewed + 12, 174, "new credentials: fresh again", colour="muted", anchor="start", size=12)
    return drawing.svg()


def _life_downwards(colours: Colours, spans: list[tuple[str, str, str, str]]) -> str:
    drawing = Drawing(NARROW, 452, "The life of six-hour credentials", colours)
    drawing.text(10, 24, "The life of credentials that live six hours", anchor="start", size=15)
    drawing.text(10, 44, "(not to scale)", colour="muted", anchor="start")
    y = 60
    for (state, mark, reader, fetcher), height in zip(spans, (120, 100, 76, 76), strict=True):
        drawing.box(10, y, 110, height - 4, fill=STATES[state], line=STATES[state])
        drawing.text(65, y + height / 2 + 3, state, colour="#ffffff", size=15)
        drawing.text(134, y + 16, mark, colour="muted", anchor="start", size=13)
        drawing.text(134, y + 38, reader, anchor="start")
        drawing.text(134, y + 58, fetcher, colour="muted", anchor="start")
        if state == "advisory":
            drawing.arrow(134, y + 78, 124, y + 78)
            drawing.text(140, y + 83, "new credentials: fresh again", anchor="start", size=13)
        y += height
    return drawing.svg()


def outcome(error: RamRoleError) -> str:
    """What a chain does after a provider that raises this: "next", or the name of the error that it raises."""

    def fail() -> Credentials:
        raise error

    try:
        ProviderChain(FunctionProvider(fail), FunctionProvider(lambda: Credentials("next", "secret"))).get_credentials()
    except RamRoleError as raised:
        return type(raised).__name__
    return "next"


def chain(colours: Colours, width: int = WIDE) -> str:
    """The default chain, in its own order, with the outcomes of a provider that has nothing to give."""
    names = [provider.get_provider_name() for provider in default_provider().providers]
    if outcome(ProviderUnavailable("not here")) != "next" or outcome(FetchError("broken")) != "FetchError":
        sys.exit("A chain does not do what this picture says: change the picture.")
    if width == NARROW:
        return _narrow_chain(colours, names)
    drawing = Drawing(width, 80 + 44 * len(names), "The default chain", colours)
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


def _narrow_chain(colours: Colours, names: list[str]) -> str:
    drawing = Drawing(NARROW, 116 + 58 * len(names), "The default chain", colours)
    drawing.text(10, 24, "default_provider() asks in this order and", anchor="start")
    drawing.text(10, 44, "stays with the first that has credentials", anchor="start")
    for number, name in enumerate(names):
        y = 64 + 58 * number
        drawing.box(10, y, 130, 30)
        drawing.text(75, y + 20, name)
        if number + 1 < len(names):
            drawing.arrow(75, y + 30, 75, y + 56)
            drawing.text(87, y + 48, "not here", colour="muted", anchor="start", size=13)
        drawing.arrow(140, y + 15, 164, y + 15)
        drawing.text(172, y + 12, "has credentials: used", colour=STATES["fresh"], anchor="start")
        drawing.text(172, y + 32, "here but broken: an error", colour=STATES["expired"], anchor="start")
    y = 84 + 58 * len(names)
    drawing.text(10, y, "None has any: NoCredentialsError,", anchor="start")
    drawing.text(10, y + 18, "with a line for each", anchor="start")
    return drawing.svg()


def call(colours: Colours, width: int = WIDE) -> str:
    """One call, from the app to the metadata service."""
    parties = ["your app", "SDK client", "provider", "credential cache", "metadata service"]
    steps = [  # from which party to which, and what
        (0, 1, "put_object()"),
        (1, 2, "get_credentials()"),
        (2, 3, "one comparison"),
        (3, 1, "a snapshot: id, secret, token"),
        (3, 4, "in the background: GET"),
        (4, 3, "new credentials"),
    ]
    if width == NARROW:
        return _call_downwards(colours, parties, steps)
    drawing = Drawing(width, 250, "One call, from the app to the metadata service", colours)
    for number, name in enumerate(parties):
        x = 20 + 150 * number
        drawing.box(x, 14, 120, 30)
        drawing.text(x + 60, 34, name, size=13)
        drawing.parts.append(
            f'<path d="M{x + 60} 44V240" stroke="{colours["line"]}" stroke-dasharray="3 4" fill="none"/>'
        )
    for (start, end, text), y in zip(steps, (76, 100, 124, 148, 188, 212), strict=True):
        drawing.arrow(80 + 150 * start, y, 80 + 150 * end, y)
        drawing.text(80 + 75 * (start + end), y - 6, text, size=11, colour="ink")
    return drawing.svg()


def _call_downwards(colours: Colours, parties: list[str], steps: list[tuple[int, int, str]]) -> str:
    step, box = 84, 220
    drawing = Drawing(
        NARROW, 20 + step * (len(parties) - 1) + 40, "One call, from the app to the metadata service", colours
    )
    for number, name in enumerate(parties):
        drawing.box(10, 10 + step * number, box, 34)
        drawing.text(10 + box / 2, 32 + step * number, name)
    for start, end, text in steps:
        down = end > start
        x = 40 if down else 212 if start - end == 1 else 262
        if start - end > 1:  # back over several parties: beside them
            drawing.parts.append(
                f'<path d="M{10 + box} {27 + step * start}H{x}V{27 + step * end}" fill="none" '
                f'stroke="{colours["line"]}" stroke-width="1.5"/>'
            )
            drawing.arrow(x, 27 + step * end, 10 + box, 27 + step * end)
            for row, words in enumerate(("a snapshot:", "id, secret,", "token")):
                drawing.text(x + 8, 12 + step * (start + end) / 2 + 18 * row, words, anchor="start", size=13)
            continue
        edges = (44 + step * start, 10 + step * end) if down else (10 + step * start, 44 + step * end)
        drawing.arrow(x, edges[0], x, edges[1])
        y = sum(edges) / 2 + 5
        drawing.text(x + 10, y, text, anchor="start", size=13)
    return drawing.svg()


def fixture(colours: Colours, width: int = WIDE) -> str:
    """What the pytest fixtures put around the code under test."""
    title = "What the fixtures put around the code under test"
    drawing = Drawing(width, 440 if width == NARROW else 210, title, colours)
    if width == NARROW:
        drawing.box(10, 20, 340, 130, fill="none")
        drawing.text(180, 44, "your test")
        _boxes(drawing, [(18, 60, 136, "the code under test"), (162, 60, 182, "ramrole_clock.advance(…)")])
        _cloud(drawing, 10, 252, 340)
        drawing.arrow(60, 94, 60, 252)
        drawing.text(70, 186, "100.100.100.200", anchor="start", size=13)
        drawing.text(70, 204, "is redirected", anchor="start", size=13)
        drawing.arrow(262, 94, 262, 252)
        drawing.text(272, 196, "moves all", anchor="start", size=13)
        drawing.text(272, 214, "time", anchor="start", size=13)
        return drawing.svg()
    drawing.box(20, 20, 220, 170, fill="none")
    drawing.text(130, 44, "your test")
    _boxes(drawing, [(40, 60, 180, "the code under test"), (40, 140, 180, "ramrole_clock.advance(…)")])
    _cloud(drawing, 420, 20, 320)
    drawing.arrow(220, 77, 420, 77)
    drawing.text(320, 68, "100.100.100.200 is redirected", size=11)
    drawing.arrow(220, 157, 420, 157)
    drawing.text(320, 148, "moves all time", size=11)
    return drawing.svg()


def _boxes(drawing: Drawing, boxes: list[tuple[int, int, int, str]]) -> None:
    for x, y, width, text in boxes:
        drawing.box(x, y, width, 34)
        drawing.text(x + width / 2, y + 22, text, size=13)


def _cloud(drawing: Drawing, x: int, y: int, width: int) -> None:
    drawing.box(x, y, width, 170, fill="none")
    drawing.text(x + width / 2, y + 24, "ramrole_cloud, on 127.0.0.1")
    for number, name in enumerate(("instance metadata", "STS, RAM, ECS", "OSS, SLS, OTS … that verify signatures")):
        drawing.box(x + 20, y + 38 + 42 * number, width - 40, 32)
        drawing.text(x + width / 2, y + 59 + 42 * number, name, size=13)


def machines(colours: Colours, width: int = WIDE) -> str:
    """Where fetches happen when tasks run on other machines, and what the tests of each engine counted."""
    table = runpy.run_path(str(Path(__file__).with_name("integrations_table.py")))
    counted = table["results"]()["engines"]
    engines = [(title, counted[name]) for name, (title, _, _) in table["ENGINES"].items() if name in counted]
    title = "Where fetches happen when tasks run on other machines"
    if width == NARROW:
        drawing = Drawing(width, 470 + 72 * -(-len(engines) // 2), title, colours)
        _narrow_machines(drawing)
        drawing.text(10, 432, "Counted in the tests: how often one process", anchor="start")
        drawing.text(10, 452, "fetched one set of credentials, at most", anchor="start")
        _counted(drawing, engines, left=10, top=464, columns=2, box=165, sizes=(14, 12, 13))
        return drawing.svg()
    drawing = Drawing(width, 300 + 72 * -(-len(engines) // 5), title, colours)
    drawing.box(20, 60, 170, 160)
    drawing.text(105, 136, "your program")
    drawing.text(105, 156, "provider", colour="muted", size=12)
    for number, name in enumerate(("machine A", "machine B")):
        y = 20 + 120 * number
        drawing.box(330, y, 200, 100, fill="none")
        drawing.text(430, y + 22, name)
        for worker in range(2):
            _two_lines(drawing, (342 + 92 * worker, y + 34, 84, 52), ("worker", "1 fetch a set"), STATES["fresh"])
        drawing.arrow(530, y + 60, 600, y + 60)
        _two_lines(drawing, (600, y + 35, 140, 50), ("its own", "metadata service"))
        drawing.arrow(190, y + 60, 330, y + 60)
        drawing.text(260, y + 50, "configuration only", colour="muted", size=11)
    said = "Counted in the tests: how often one process fetched one set of credentials, at most"
    drawing.text(20, 282, said, anchor="start")
    _counted(drawing, engines, left=20, top=294, columns=5, box=136, sizes=(12, 10, 11))
    return drawing.svg()


def _narrow_machines(drawing: Drawing) -> None:
    _two_lines(drawing, (10, 10, 340, 50), ("your program", "provider"), "muted", size=14)
    drawing.text(180, 100, "configuration only", colour="muted", size=13)
    for x, name in ((10, "machine A"), (185, "machine B")):
        middle = x + 82.5
        drawing.arrow(middle, 60, middle, 130)
        drawing.box(x, 130, 165, 170, fill="none")
        drawing.text(middle, 152, name)
        for y in (164, 230):
            _two_lines(drawing, (x + 12, y, 141, 52), ("worker", "1 fetch a set"), STATES["fresh"], size=13)
        drawing.arrow(middle, 300, middle, 340)
        _two_lines(drawing, (x, 340, 165, 50), ("its own", "metadata service"), size=13)


def _two_lines(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    lines: tuple[str, str],
    colour: str = "ink",
    size: int = 12,
) -> None:
    """A box with two lines of text, the second one in another colour."""
    x, y, width, height = box
    drawing.box(*box)
    drawing.text(x + width / 2, y + height / 2 - 5, lines[0], size=size)
    drawing.text(x + width / 2, y + height / 2 + 13, lines[1], colour=colour, size=size)


def _counted(
    drawing: Drawing,
    engines: list[tuple[str, dict[str, int]]],
    *,
    left: int,
    top: int,
    columns: int,
    box: int,
    sizes: tuple[int, int, int],
) -> None:
    """A box for each engine, with its figures."""
    for number, (title, one) in enumerate(engines):
        x, y = left + (box + 10) * (number % columns), top + 72 * (number // columns)
        drawing.box(x, y, box, 62)
        drawing.text(x + box / 2, y + 20, title, size=sizes[0])
        workers = f"{one['workers']} worker{'s' * (one['workers'] > 1)}"
        drawing.text(x + box / 2, y + 37, f"{workers}, {one['fetches']} fetches", colour="muted", size=sizes[1])
        state = "fresh" if one["most"] == 1 else "mandatory"
        most = f"{one['most']} per set and process"
        drawing.text(x + box / 2, y + 53, most, colour=STATES[state], size=sizes[2])


def stacked(svg: str) -> str:
    """A figure of two by two panels, with the panels below each other: the narrow form of the picture of the fleet."""
    head, body = re.split(r"(?<=>)\n", svg.split("<svg", 1)[1], maxsplit=1)
    left, top, width, height = (float(number) for number in _found(r'viewBox="([\d. ]+)"', head).split())
    column, row, title = width / 2, height * 0.515, height * 0.037  # the title of the figure is above the upper row
    rows = ((top + title, row - title), (top + row, height - row))
    panels = [(x, y, y_size) for y, y_size in rows for x in (left, left + column)]
    total = sum(size for _, _, size in panels)
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    parts = [
        f'<svg {names} viewBox="0 0 {column:g} {total:g}" version="1.1">',
        f'<defs><g id="whole">\n{body.strip().removesuffix("</svg>")}</g></defs>',
    ]
    y = 0.0
    for panel_x, panel_y, size in panels:
        box = f'viewBox="{panel_x:g} {panel_y:g} {column:g} {size:g}"'
        parts.append(f'<svg y="{y:g}" width="{column:g}" height="{size:g}" {box}><use xlink:href="#whole"/></svg>')
        y += size
    return "\n".join([*parts, "</svg>", ""])


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"The picture does not have {pattern}.")
    return match.group(1)


PICTURES = {"machines": machines, "life": life, "chain": chain, "call": call, "fixture": fixture}


def draw(name: str) -> None:
    """Write one picture in all forms."""
    for theme, colours in THEMES.items():
        (FOLDER / f"{name}-{theme}.svg").write_text(PICTURES[name](colours), encoding="utf-8")
        (FOLDER / f"{name}-narrow-{theme}.svg").write_text(PICTURES[name](colours, NARROW), encoding="utf-8")


def main(names: list[str]) -> int:
    """Write these pictures, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        draw(name)
    for theme in THEMES:
        fleet = (FOLDER / f"fleet-{theme}.svg").read_text(encoding="utf-8")
        (FOLDER / f"fleet-narrow-{theme}.svg").write_text(stacked(fleet), encoding="utf-8")
    if not names:
        from demo_pictures import demo

        for name, drawn in demo().items():
            (FOLDER / f"demo-{name}.svg").write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
