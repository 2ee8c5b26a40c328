"""The page of the command has every subcommand and every option as the code has them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

click = pytest.importorskip("click", reason="the extra cli")

from ramrole_creds.cli.app import COMMANDS, app  # noqa: E402  # needs click

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "command.md").read_text(encoding="utf-8")
OVERVIEW = PAGE.partition("| subcommand | what it does | exit status |")[2].partition("\n\n")[0]


def command(name: str) -> Any:
    return app.get_command(click.Context(app), name)


def test_the_tables_of_options_are_those_of_the_code() -> None:
    made = runpy.run_path(str(DOCS / "generated.py"))["with_command_options"](PAGE)
    assert made == PAGE, "docs/command.md is out of date. Run: python docs/generated.py"


def test_the_overview_has_every_subcommand() -> None:
    named = [name for line in OVERVIEW.splitlines()[2:] for name in re.findall(r"`([\w-]+)`", line.split("|")[1])]
    assert sorted(named) == sorted(COMMANDS)


def test_the_page_names_the_subcommands_that_print_data_for_scripts() -> None:
    (sentence,) = re.findall(r"`--json` prints data for scripts \(([^)]*)\)", PAGE)
    parts = {name: getattr(command(name), "commands", {name: command(name)}).values() for name in COMMANDS}
    flags = {
        name
        for name, commands in parts.items()
        if any("--json" in option.opts and option.is_flag for one in commands for option in one.params)
    }
    assert set(re.findall(r"`(\w+)`", sentence)) == flags
