"""`ramrole-creds exec`."""

from __future__ import annotations

import click

from ramrole_creds.cli.options import only_option, valid_for_option


@click.command(
    "exec",
    short_help="Run a command with one snapshot of the credentials.",
    context_settings={"allow_interspersed_args": False},
)
@valid_for_option
@only_option
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND…")
def command(*, valid_for: float, only: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Run a command with one snapshot of the credentials in its environment.

    The command replaces this process and the credentials are not renewed: for programs that run longer than the
    credentials live, use `run`.

    Exit status: that of the command; 1 when there are no credentials that live for --valid-for, 126 when the
    command cannot be executed, 127 when it is not found.

    \b
    Examples:
      ramrole-creds exec -- aliyun oss ls
      ramrole-creds exec --valid-for 900 -- ./backup.sh --all
    """
    from ramrole_creds.cli import handing_over

    credentials = handing_over.get_credentials(only, valid_for)
    handing_over.execute(arguments, handing_over.as_variables(credentials))
