"""`ramrole-creds watch`."""

from __future__ import annotations

import sys

import click

from ramrole_creds.cli.options import only_option, seconds_option


@click.command(short_help="Watch the credentials live.")
@only_option
@seconds_option("--interval", minimum=0.1, default=1.0, text="Time between updates.")
@seconds_option("--for", "seconds", minimum=0, text="End after this time; the default is Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on a line for each event, for scripts.")
def command(*, only: tuple[str, ...], interval: float, seconds: float | None, as_json: bool) -> None:
    """Watch the credentials of a program live: state, life left, fetches and failures.

    On a terminal it draws a panel: the life of the credentials as a bar with both refresh windows, and a timeline. In
    a pipe it prints one line for each event.

    Exit status: 0 at Ctrl-C or after --for, 1 when a setting is not valid.

    \b
    Examples:
      ramrole-creds watch
      ramrole-creds watch --only ecs_ram_role
      ramrole-creds watch --for 60 | tee credentials.log
      ramrole-creds watch --json | jq .event
    """
    from ramrole_creds.cli.watching import watch

    sys.exit(watch(only, interval=interval, seconds=seconds, as_json=as_json))
