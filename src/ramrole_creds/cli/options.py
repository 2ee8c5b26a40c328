"""Options that several subcommands have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The names of `default_provider(only=…)`, for the shell's completion; packages may add others.
SOURCES: Final = ("env", "oidc_role_arn", "cli_profile", "profile", "ecs_ram_role", "credential_uri")


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    del context, parameter
    return [name for name in SOURCES if name.startswith(incomplete)]


def only_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--only`, any number of times."""
    option = click.option(
        "--only",
        multiple=True,
        metavar="SOURCE",
        shell_complete=_complete,
        help="Use only this source of the chain, as `explain` names it; repeatable.",
    )
    return option(function)
