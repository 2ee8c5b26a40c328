"""The life of credentials as rows of characters, one column for each slice of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH: Final = 60
LABEL_WIDTH: Final = 12


def draw_row(
    label: str, *, begin: float, end: float, spans: Iterable[tuple[float, float, str]], blank: str = " "
) -> str:
    """One row; later spans are drawn over earlier ones, and each has at least one column.

    Args:
        label: what the row shows.
        begin: Unix seconds of the left edge.
        end: Unix seconds of the right edge.
        spans: begin, end and character of each.
        blank: the character where nothing is.
    """
    columns = [blank] * WIDTH
    scale = WIDTH / max(end - begin, 1e-9)
    for since, until, char in spans:
        first = min(WIDTH - 1, max(0, int((since - begin) * scale)))
        last = min(WIDTH, max(first + 1, int((until - begin) * scale)))
        columns[first:last] = char * (last - first)
    return f"{label:{LABEL_WIDTH}}{''.join(columns)}"
