"""Splits the text of a command into arguments, by the rules of the platform."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ramrole_creds.errors import ConfigurationError

MAX_COMMAND_CHARACTERS = 131072  # Linux accepts no longer argument
_WINDOWS_BLANKS = " \t\r\n"
# Parts of a Windows command line. Backslashes are special before a quotation mark only.
_ESCAPED = r'(?P<escaped>(?:\\\\)*\\")|(?P<slashes>(?:\\\\)+(?="))'
_OUTSIDE_QUOTES = re.compile(_ESCAPED + r'|(?P<quote>")|(?P<blanks>[ \t\r\n]+)|(?P<text>\\+|[^\\" \t\r\n]+)')
_INSIDE_QUOTES = re.compile(_ESCAPED + r'|(?P<doubled>"")|(?P<quote>")|(?P<text>\\+|[^\\"]+)')


def split_command(command: str | Sequence[str], *, windows: bool) -> list[str]:
    """The arguments of a command.

    Args:
        command: a list of arguments, which is copied, or one text.
        windows: True for the rules of Windows programs, else those of a POSIX shell.

    Raises:
        ConfigurationError: the command is empty, or its text cannot be split.
    """
    given: object = command  # a caller without a type checker may pass anything
    if isinstance(command, str):
        if len(command) > MAX_COMMAND_CHARACTERS:  # more than a system accepts, and slow to split
            raise ConfigurationError(
                f"The credential command has more than {MAX_COMMAND_CHARACTERS} characters. Shorten it, or put it into "
                "a script."
            )
        try:
            arguments = split_windows(command) if windows else shlex.split(command.replace("\\\n", ""))
        except ValueError as error:
            raise ConfigurationError(
                f"The credential command cannot be split into arguments: {error}. Correct its quotation marks, or pass "
                "a list of arguments."
            ) from None
    else:
        arguments = list(given) if isinstance(given, Sequence) else []
    if not arguments or not arguments[0] or not all(isinstance(argument, str) for argument in arguments):
        raise ConfigurationError("The credential command must be a text or a list of texts, and not empty.")
    return arguments


def split_windows(text: str) -> list[str]:
    r"""The arguments of a command line, as Windows programs themselves split it.

    The program's name has no escapes: `"C:\Program Files\tool.exe"`. After it, `\"` is a quotation mark, and other
    backslashes are literal; two quotation marks inside a quoted part are one literal mark.

    Raises:
        ValueError: a quotation mark is not closed.
    """
    text = text.strip(_WINDOWS_BLANKS)
    program = re.match(r'(?:"[^"]*"|[^" \t\r\n])*', text)
    assert program is not None  # noqa: S101  # it matches the empty text too
    rest = text[program.end() :]
    if rest.startswith('"'):
        raise ValueError("No closing quotation")
    arguments = [program[0].replace('"', "")]
    return [*arguments, *_windows_arguments(rest)] if text else []


def _windows_arguments(text: str) -> list[str]:
    arguments: list[str] = []
    argument: str | None = None
    quoted, position = False, 0
    while match := (_INSIDE_QUOTES if quoted else _OUTSIDE_QUOTES).match(text, position):
        position = match.end()
        if match.lastgroup == "blanks":
            arguments += [] if argument is None else [argument]
            argument = None
            continue
        argument = argument or ""
        if match.lastgroup == "quote":
            quoted = not quoted
        else:
            argument += _literal(match)
    if quoted:
        raise ValueError("No closing quotation")
    return arguments if argument is None else [*arguments, argument]


def _literal(part: re.Match[str]) -> str:
    if part.lastgroup == "text":
        return part[0]
    if part.lastgroup == "slashes":
        return "\\" * (len(part[0]) // 2)
    return "\\" * (len(part[0]) // 2 - 1) + '"'  # escaped or doubled
