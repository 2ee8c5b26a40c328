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


def seconds_option(
    *names: str, minimum: float, maximum: float | None = None, default: float | None = None, text: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes seconds. Its help shows a default other than 0."""
    return click.option(
        *names,
        default=default,
        show_default=bool(default),
        type=click.FloatRange(minimum, maximum),
        metavar="SECONDS",
        help=text,
    )


def valid_for_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--valid-for` of commands that give one snapshot to a program."""
    return seconds_option("--valid-for", minimum=0, default=0.0, text="Minimum remaining life.")(function)


def port_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--port` of commands that listen."""
    option = click.option(
        "--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Local port; 0 takes a free one."
    )
    return option(function)


def allow_host_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--allow-host` of commands that listen, any number of times."""
    option = click.option(
        "--allow-host", multiple=True, metavar="NAME", help="Accept this in the Host header too; repeatable."
    )
    return option(function)
