"""Long lines wrap on a terminal and nowhere else."""

from __future__ import annotations

import io

import pytest

from ramrole_creds.cli.wrapping import wrap_lines

LINE = "identity    " + "many words of some length " * 6


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_line_is_wrapped_between_words_to_the_width_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = wrap_lines(LINE, indent="            ", stream=Terminal()).splitlines()
    assert len(rows) > 1
    assert all(len(row) <= columns for row in rows)
    assert all(row.startswith("            ") for row in rows[1:])
    assert " ".join(" ".join(rows).split()) == " ".join(LINE.split())


def test_a_word_that_does_not_fit_stays_in_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = "arn " + "x" * 60
    assert wrap_lines(line, indent="    ", stream=Terminal()) == line


@pytest.mark.parametrize("text", ["No role. " * 20, "at " + "x" * 70], ids=["many words", "a long word"])
def test_a_reference_to_the_documentation_has_its_own_row(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    reference = " (docs: troubleshooting.html#metadataerror-credentials)"
    rows = wrap_lines(f"Error: {text}{reference}", indent="    ", stream=Terminal()).splitlines()
    assert rows[-1] == f"    {reference.strip()}"
    assert " ".join(" ".join(rows[:-1]).split()) == f"Error: {text}".strip()


def test_a_short_line_with_a_reference_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    line = "Error: No role. (docs: troubleshooting.html#rolenotattached)"
    assert wrap_lines(line, indent="    ", stream=Terminal()) == line


def test_into_a_pipe_a_line_goes_as_it_is() -> None:
    assert wrap_lines(LINE, indent="  ", stream=io.StringIO()) == LINE
