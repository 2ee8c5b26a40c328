"""Splits the text of a command into arguments, by the rules of the platform."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ramrole_creds.errors import ConfigurationError

_WINDOWS_BLANKS = " \t\r\n"
# In the rest of a Windows command line: backslashes before a quotation mark, a quotation mark, blanks, other text.
_WINDOWS_TOKEN = re.compile(r'(?P<slashes>\\+)(?=")|(?P<quote>")|(?P<blanks>[ \t\r\n]+)|(?P<text>\\+|[^\\" \t\r\n]+)')


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
        try:
            arguments = split_windows(command) if windows else shlex.split(command.replace("\\\n", ""))
        except ValueError as error:
            raise ConfigurationError(f"The credential command cannot be split into arguments: {error}.") from None
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
    while position < len(text):
        token = _WINDOWS_TOKEN.match(text, position)
        assert token is not None  # noqa: S101  # every character is in one of the groups
        position = token.end()
        if token["blanks"] and not quoted:
            arguments += [] if argument is None else [argument]
            argument = None
        elif token["slashes"]:
            argument = (argument or "") + "\\" * (len(token["slashes"]) // 2)
            if len(token["slashes"]) % 2:  # the mark after it is literal
                argument += '"'
                position += 1
        elif token["quote"] and quoted and text.startswith('"', position):
            argument = (argument or "") + '"'
            position += 1
        elif token["quote"]:
            quoted, argument = not quoted, argument or ""
        else:
            argument = (argument or "") + token[0]
    if quoted:
        raise ValueError("No closing quotation")
    return [*arguments, argument] if argument is not None else arguments
