"""How tests of the command run it in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from ramrole_creds.cli.app import app

if TYPE_CHECKING:
    from click.testing import Result


def run(*arguments: str) -> Result:
    """What the command printed, and its exit status."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False)
