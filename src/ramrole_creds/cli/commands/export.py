"""`ramrole-creds export`."""

from __future__ import annotations

import click

from ramrole_creds.cli.options import only_option, valid_for_option

CLI = "aliyun-cli"
STYLES = ("env", "dotenv", "powershell", "json", "process", "ini", CLI)


@click.command(short_help="Print the credentials for another program.")
@click.option(
    "--format", "style", default="env", show_default=True, type=click.Choice(STYLES), help="Form of the output."
)
@click.option("--write", metavar="NAME", help="With aliyun-cli: add the profile NAME to the CLI's file.")
@valid_for_option
@only_option
@click.option("--yes", is_flag=True, help="Print secrets on a terminal too.")
def command(*, style: str, write: str | None, valid_for: float, only: tuple[str, ...], yes: bool) -> None:
    """Print the credentials that a program gets here, for another program.

    The output holds secrets, so it goes to a pipe or a file; on a terminal only with --yes. The format
    aliyun-cli holds no secret: it is a profile of the CLI that runs this command whenever the CLI needs credentials.

    Exit status: 0; 1 when there are no credentials; 2 when the command line is not valid.

    \b
    Examples:
      eval "$(ramrole-creds export)"
      ramrole-creds export --format dotenv > .env
      ramrole-creds export --format powershell | Out-String | Invoke-Expression
      ramrole-creds export --format aliyun-cli --write role
    """
    import json
    import sys
    from shlex import quote

    from ramrole_creds.cli import handing_over

    if write is not None and style != CLI:
        raise click.UsageError(f"--write needs --format {CLI}.")
    if style == CLI:
        if write is None:
            click.echo(json.dumps(handing_over.cli_profile("ramrole"), indent=2))
        else:
            path = handing_over.write_cli_profile(write)
            click.echo(
                f"Profile {write} was added to {path}. Use it: aliyun --profile {quote(write)} sts GetCallerIdentity"
            )
        return
    if sys.stdout.isatty() and not yes:
        raise click.UsageError(
            "The output holds secrets and standard output is a terminal. Send it to a pipe or a file, or add --yes."
        )
    click.echo(handing_over.render(handing_over.get_credentials(only, valid_for), style))
