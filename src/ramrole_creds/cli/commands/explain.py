"""`ramrole-creds explain`."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list with one object for each source.")
def command(*, as_json: bool) -> None:
    """Show what each source of credentials would do here, in the order in which they are asked.

    Sends no request.

    \b
    Exit status: 0, or 1 when a setting is not valid.

    \b
    Examples:
      ramrole-creds explain
      ramrole-creds explain --json
    """
    import json
    import re

    from ramrole_creds import RamRoleError, default_provider
    from ramrole_creds.cli.wrapping import wrap_lines

    try:
        with default_provider() as provider:
            text = provider.explain()
    except RamRoleError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        rows = (re.match(r"\d+\. ([^:(]+?)(?: \(.*?\))?: (.*)", line) for line in text.splitlines())
        click.echo(json.dumps([{"source": row[1], "would": row[2]} for row in rows if row is not None]))
    else:
        click.echo(wrap_lines(text, indent="   "))
