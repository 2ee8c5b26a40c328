"""Long lines on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap

MIN_WIDTH = 40


def wrap_lines(text: str, *, indent: str) -> str:
    """Wrap each line to the terminal's width; leave the text as it is where standard output is not a terminal.

    Args:
        text: lines.
        indent: begins each continued line.
    """
    if not sys.stdout.isatty():
        return text
    width = max(MIN_WIDTH, shutil.get_terminal_size().columns)
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
