"""What a subcommand needs beyond the extra `cli`."""

from __future__ import annotations

from importlib.util import find_spec

import click

from ramrole_creds.errors import install_command


def require_extra(extra: str, *modules: str) -> None:
    """End with the command that installs the extra, where a module of it is missing.

    Raises:
        ClickException: one is missing.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{missing[0]} is not installed. Install it: {install_command(extra)}.")
