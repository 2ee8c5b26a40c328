"""The ini files of the SDKs, read as the standard library's configparser reads them, but without interpolation.

Values may contain any character of a secret: `%`, and `#` and `;` inside a word, are parts of a value.
"""

from __future__ import annotations

import re
from typing import Final

# Its keys apply to every section, as in configparser.
DEFAULTS_SECTION: Final = "DEFAULT"

_SECTION = re.compile(r"\[(?P<name>[^\[\]\r\n]*)\]\s*(?:[#;].*)?")
_KEY = re.compile(r"(?P<key>[^=:]*)[=:](?P<value>.*)")
_INLINE_COMMENT = re.compile(r"\s[#;].*")


class MalformedIni(ValueError):
    """A line that cannot be read; the text names the number of the line, and the reason."""


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections by name, each a mapping of lower-case keys to values.

    A line is `key = value` or `key: value`. A line that is indented more than its key's line continues the value. A
    comment begins with `#` or `;` at the beginning of a line or after whitespace, but not in a value that is JSON. The
    keys of `[DEFAULT]` apply to every section.

    Raises:
        MalformedIni: a line cannot be read, or repeats a section or a key.
    """
    reader = _Reader()
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        reader.read_line(number, line)
    return reader.sections()


class _Reader:
    """Takes a file line by line."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[str]]] = {}
        self._section: dict[str, list[str]] | None = None
        self._value: list[str] | None = None
        self._indent = 0
        self._seen: dict[tuple[str, str], int] = {}
        self._name = ""

    def read_line(self, number: int, line: str) -> None:
        words = line.strip()
        if not words and self._value is not None:
            self._value.append("")
        if not words or words[0] in "#;":
            return
        indent = len(line) - len(line.lstrip())
        if self._value is not None and indent > self._indent:
            self._value.append(words)
            return
        self._indent = indent
        header = _SECTION.fullmatch(words)
        if header is not None:
            self._open_section(number, header["name"].strip())
        else:
            self._open_key(number, words)

    def sections(self) -> dict[str, dict[str, str]]:
        """Everything that was read."""
        plain = {name: {key: _plain(value) for key, value in section.items()} for name, section in self._values.items()}
        defaults = plain.pop(DEFAULTS_SECTION, {})
        return {name: {**defaults, **section} for name, section in plain.items()}

    def _open_section(self, number: int, name: str) -> None:
        if name != DEFAULTS_SECTION:
            self._note(number, name, "", f"the section [{name}]")
        self._name, self._value = name, None
        self._section = self._values.setdefault(name, {})

    def _open_key(self, number: int, words: str) -> None:
        if self._section is None:
            raise MalformedIni(f"line {number} comes before the first [section]")
        match = _KEY.fullmatch(words)
        key = match["key"].strip().lower() if match is not None else ""
        if match is None or not key:
            raise MalformedIni(f"line {number} is neither [section] nor key = value")
        self._note(number, self._name, key, f"the key {key}")
        self._value = self._section[key] = [match["value"].strip()]

    def _note(self, number: int, section: str, key: str, what: str) -> None:
        before = self._seen.setdefault((section, key), number)
        if before != number:
            raise MalformedIni(f"line {number} repeats {what} of line {before}")


def _plain(lines: list[str]) -> str:
    """The value without comments and quotation marks."""
    if lines[0].startswith("{") or (not lines[0] and "".join(lines).startswith("{")):
        return "\n".join(lines).strip()
    value = "\n".join(_INLINE_COMMENT.sub("", f" {line}").strip() for line in lines).strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
