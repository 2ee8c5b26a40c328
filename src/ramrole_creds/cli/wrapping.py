"""Long lines on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from contextlib import suppress
from typing import TextIO

from ramrole_creds.errors import REFERENCE

MIN_WIDTH = 40
USUAL_WIDTH = 80


def wrap_lines(text: str, *, indent: str, stream: TextIO | None = None) -> str:
    """Wrap each line to the terminal's width; leave the text as it is where it does not go to a terminal.

    A line with a word that does not fit is left to the terminal, so that it can be copied as a whole. What refers to
    the documentation gets its own row where the line is longer than one, so that it can be copied as well.

    Args:
        text: lines.
        indent: begins each continued line.
        stream: where the text goes; standard output where it is None.
    """
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        return text
    width = max(MIN_WIDTH, _columns(stream))
    return "\n".join(_wrap(line, width, indent) for line in text.splitlines())


def _wrap(line: str, width: int, indent: str) -> str:
    text, found, section = line.partition(REFERENCE)
    if found and len(line) > width:
        return f"{_wrap(text, width, indent)}\n{indent}{found.lstrip()}{section}"
    if any(len(word) > width - len(indent) for word in line.split()):
        return line
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _columns(stream: TextIO) -> int:
    with suppress(OSError, ValueError):  # a terminal that a test made up
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    return shutil.get_terminal_size().columns
