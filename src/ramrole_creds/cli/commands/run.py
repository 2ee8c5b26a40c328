"""`ramrole-creds run`."""

from __future__ import annotations

import sys

import click

from ramrole_creds.cli.options import only_option


@click.command(
    short_help="Run a command with credentials that stay fresh.", context_settings={"allow_interspersed_args": False}
)
@only_option
@click.option("--no-takeover", is_flag=True, help="Leave the official SDKs of a Python child as they are.")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND…")
def command(*, only: tuple[str, ...], no_takeover: bool, arguments: tuple[str, ...]) -> None:
    """Run a command and give it credentials that stay fresh for as long as it lives, in any language.

    Starts `serve` on a private port for the child's life and points the official SDKs at it. In a Python child the
    official SDKs' own providers are replaced by this library's.

    Signals are passed on to the child. Needs the extra `serve`: pip install '.[cli,serve]' in a checkout.

    Exit status: that of the command (128 + N where signal N ended it); 1 when there are no credentials, 126
    when the command cannot be executed, 127 when it is not found.

    \b
    Examples:
      ramrole-creds run -- java -jar app.jar
      ramrole-creds run -- python app.py --verbose
      ramrole-creds run --only ecs_ram_role -- terraform apply
    """
    from ramrole_creds.cli.extras import require_extra

    require_extra("serve", "uvicorn", "starlette", "httptools")
    from ramrole_creds.cli.served_child import run_child

    sys.exit(run_child(arguments, only=only, takeover=not no_takeover))
