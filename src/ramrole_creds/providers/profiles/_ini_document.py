"""The ini files of the SDKs: without interpolation, and with values that may contain any character of a secret."""

from __future__ import annotations

import re

_SECTION = re.compile(r"\[([^\[\]\r\n]*)\]\s*(?:[#;].*)?")
_INLINE_COMMENT = re.compile(r"\s[#;].*")


class MalformedIni(ValueError):
    """A line that is none of section, `key = value`, comment and blank; the text names its number only."""


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections by name, each a mapping of lower-case keys to values.

    `%`, and `#` and `;` inside a word, are parts of a value. A comment begins with `#` or `;` at the beginning of a
    line or after a blank, but not within a value that is JSON. A key that is given twice has the later value, as have
    those of a section that is.

    Raises:
        MalformedIni: a line makes no sense.
    """
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        header = _SECTION.fullmatch(words)
        if header is not None:
            section = sections.setdefault(header.group(1).strip(), {})
            continue
        key, separator, value = words.partition("=")
        if section is None:
            raise MalformedIni(f"line {number} stands before the first [section]")
        if not separator or not key.strip():
            raise MalformedIni(f"line {number} is neither [section] nor key = value")
        section[key.strip().lower()] = _value(value)
    return sections


def _value(text: str) -> str:
    value = text.strip()
    if value[:1] == "{":
        return value
    value = _INLINE_COMMENT.sub("", f" {value}").strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
