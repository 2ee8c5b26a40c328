"""Draws a recording: states over time, and the outcome of each fetch; as text and as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ramrole_creds.recorder._replay import Replay

COLUMNS: Final = 69
MIN_COLUMNS: Final = 20
LABEL_COLUMNS: Final = 9
MARKS: Final = {"replaced": "R", "kept": "=", "failed": "x"}
CHARACTERS: Final = {"fresh": "━", "advisory": "─", "mandatory": "·", "expired": " ", "empty": " "}
ASCII_CHARACTERS: Final = {**CHARACTERS, "fresh": "#", "advisory": "-", "mandatory": "."}
COLOURS: Final = {
    "fresh": "#2da44e",
    "advisory": "#bf8700",
    "mandatory": "#cf5a1b",
    "expired": "#cf222e",
    "empty": "#8c959f",
}
FETCH_COLOUR: Final = "#57606a"
BROKEN_COLOUR: Final = "#8250df"
LEFT: Final = 30
PLOT_WIDTH: Final = 900
Record = dict[str, Any]
Span = tuple[float, float, str]


def spans(records: Sequence[Record]) -> Iterator[Span]:
    """Begin, end and state of each stretch of time, by what was recorded to be held."""
    for index, record in enumerate(records):
        begin = float(record["now"])
        end = float(records[index + 1]["now"]) if index + 1 < len(records) else begin
        held = record["held"]
        edges = [("empty", end)] if held is None else [
            (state, end if held[name] is None else float(held[name]))
            for state, name in (("fresh", "advisory_at"), ("advisory", "mandatory_at"), ("mandatory", "expires_at"))
        ] + [("expired", end)]  # fmt: skip
        for state, until in edges:
            until = min(max(until, begin), end)  # noqa: PLW2901  # cut to this record's stretch
            if until > begin:
                yield begin, until, state
            begin = until


def _extent(records: Sequence[Record]) -> tuple[float, float]:
    """The first moment and the last; threads may have settled two fetches in the other order."""
    moments = [float(record["now"]) for record in records] or [0.0, 1.0]
    return min(moments), max(moments)


def draw_text(played: Replay, *, columns: int = COLUMNS, encoding: str = "utf-8") -> str:
    """Two rows of characters: states, and fetches; then the broken rules.

    Args:
        played: the recording.
        columns: of the terminal.
        encoding: of the terminal; where it lacks the characters for lines, those of ASCII are used.
    """
    records = played.records
    if not records:
        return "The recording is empty.\n"
    width, characters = max(MIN_COLUMNS, columns) - LABEL_COLUMNS, _characters(encoding)
    begin, end = _extent(records)
    scale = (width - 1) / max(end - begin, 1e-9)
    states, fetches = [" "] * width, [" "] * width
    for since, until, state in spans(records):
        for column in range(int((since - begin) * scale), int((until - begin) * scale) + 1):
            states[column] = characters[state]
    for record in records:
        fetches[int((record["now"] - begin) * scale)] = MARKS[record["settled"]]
    legend = " ".join(f"{characters[state]} {state}" for state in ("fresh", "advisory", "mandatory"))
    lines = [
        f"{len(records)} fetches in {(end - begin) / 3600:.1f} h",
        f"state    {''.join(states)}",
        f"fetches  {''.join(fetches)}",
        legend,
        " ".join(f"{mark} {settled}" for settled, mark in MARKS.items()),
        *(f"record {one.index + 1}: {one.rule} ({one.detail})" for one in played.broken),
        "No rule is broken." if not played.broken else f"{len(played.broken)} broken rules.",
    ]
    return "\n".join(lines) + "\n"


def _characters(encoding: str) -> dict[str, str]:
    try:
        "".join(CHARACTERS.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII_CHARACTERS
    return CHARACTERS


def draw_svg(played: Replay) -> str:
    """The same as an SVG: a bar of states, a line for each fetch, and a triangle below each broken rule."""
    records = played.records
    begin, end = _extent(records)
    scale = PLOT_WIDTH / max(end - begin, 1e-9)
    hours = (end - begin) / 3600 if records else 0.0
    summary = f"{len(records)} fetches in {hours:.1f} h, {len(played.broken)} broken rules"
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 160" font-family="sans-serif" font-size="12">',
        f"<title>{summary}</title>",
        _label(LEFT, 20, summary),
        '<g shape-rendering="crispEdges">',
    ]
    for since, until, state in spans(records):
        left, width = LEFT + (since - begin) * scale, (until - since) * scale + 0.6  # no seams
        parts.append(f'<rect x="{left:.1f}" y="34" width="{width:.1f}" height="24" fill="{COLOURS[state]}"/>')
    places = [LEFT + (record["now"] - begin) * scale for record in records]
    for x, record in zip(places, records, strict=True):
        parts.append(f'<path d="M{x:.1f} 62v14" stroke="{_mark_colour(record)}"/>')
    parts.append("</g>")
    broken = sorted({one.index for one in played.broken})
    parts += [f'<path d="M{places[index]:.1f} 79l-5 9h10z" fill="{BROKEN_COLOUR}"/>' for index in broken]
    parts += [_label(LEFT, 102, "0 h"), _label(LEFT + PLOT_WIDTH, 102, f"{hours:.1f} h", anchor="end")]
    legend = [*COLOURS.items(), ("fetch", FETCH_COLOUR), ("failed", COLOURS["expired"]), ("broken", BROKEN_COLOUR)]
    for column, (name, colour) in enumerate(legend):
        x = LEFT + column * PLOT_WIDTH // len(legend)
        shape = f'<rect x="{x}" y="130" width="12" height="12" fill="{colour}"/>'
        if name in ("fetch", "failed"):
            shape = f'<path d="M{x + 6} 129v14" stroke="{colour}"/>'
        elif name == "broken":
            shape = f'<path d="M{x + 6} 131l-5 9h10z" fill="{colour}"/>'
        parts += [shape, _label(x + 18, 141, name)]
    return "\n".join([*parts, "</svg>", ""])


def _mark_colour(record: Record) -> str:
    return COLOURS["expired"] if record["settled"] == "failed" else FETCH_COLOUR


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{FETCH_COLOUR}" text-anchor="{anchor}">{escape(text)}</text>'
