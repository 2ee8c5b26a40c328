"""Draws a recording: states over time, and the outcome of each fetch; as text and as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ramrole_creds.recorder._replay import Replay

WIDTH: Final = 60
MARKS: Final = {"replaced": "R", "kept": "=", "failed": "x"}
CHARACTERS: Final = {"fresh": "━", "advisory": "─", "mandatory": "·", "expired": " ", "empty": " "}
COLOURS: Final = {
    "fresh": "#2da44e",
    "advisory": "#bf8700",
    "mandatory": "#cf5a1b",
    "expired": "#cf222e",
    "empty": "#8c959f",
}
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


def draw_text(played: Replay) -> str:
    """Two rows of characters: states, and fetches; then the broken promises."""
    records = played.records
    if not records:
        return "The recording is empty.\n"
    begin, end = _extent(records)
    scale = (WIDTH - 1) / max(end - begin, 1e-9)
    states, fetches = [" "] * WIDTH, [" "] * WIDTH
    for since, until, state in spans(records):
        for column in range(int((since - begin) * scale), int((until - begin) * scale) + 1):
            states[column] = CHARACTERS[state]
    for record in records:
        fetches[int((record["now"] - begin) * scale)] = MARKS[record["settled"]]
    lines = [
        f"{len(records)} fetches in {(end - begin) / 3600:.1f} h",
        f"state    {''.join(states)}  ━ fresh ─ advisory · mandatory",
        f"fetches  {''.join(fetches)}  R replaced = kept x failed",
        *(f"record {one.index + 1}: {one.promise} ({one.detail})" for one in played.broken),
        "No promise is broken." if not played.broken else f"{len(played.broken)} broken promises.",
    ]
    return "\n".join(lines) + "\n"


def draw_svg(played: Replay) -> str:
    """The same as an SVG."""
    records = played.records
    begin, end = _extent(records)
    scale = 900 / max(end - begin, 1e-9)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 150" font-family="sans-serif" font-size="12">',
        f"<title>{len(records)} fetches, {len(played.broken)} broken promises</title>",
    ]
    for since, until, state in spans(records):
        left, width = 30 + (since - begin) * scale, (until - since) * scale
        parts.append(f'<rect x="{left:.1f}" y="30" width="{width:.1f}" height="24" fill="{COLOURS[state]}"/>')
    broken = {one.index for one in played.broken}
    for index, record in enumerate(records):
        x = 30 + (record["now"] - begin) * scale
        colour = "#cf222e" if index in broken or record["settled"] == "failed" else "#57606a"
        parts.append(f'<path d="M{x:.1f} 60v16" stroke="{colour}"/>')
    for row, (state, colour) in enumerate(COLOURS.items()):
        parts.append(f'<rect x="{30 + row * 110}" y="110" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{48 + row * 110}" y="121" fill="#57606a">{escape(state)}</text>')
    return "\n".join([*parts, "</svg>", ""])
