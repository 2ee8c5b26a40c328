"""`ramrole-creds explain`."""

from __future__ import annotations

import click


@click.command(short_help="Show what each source of credentials would do here.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object for each source.")
def command(*, as_json: bool) -> None:
    """Show what each source of credentials would do here, in the order in which they are asked.

    It sends no request. A source that is configured and broken stops the search: its line says so, and the lines below
    it say that their sources are not reached.

    Exit status: 0, also when a source is broken; 1 when a guard
    (RAMROLE_CREDS_EXPECT_ROLE, RAMROLE_CREDS_EXPECT_ACCOUNT) is not valid.

    \b
    Examples:
      ramrole-creds explain
      ramrole-creds explain --json
    """
    import json
    import re

    from ramrole_creds import RamRoleError, default_provider
    from ramrole_creds._discovery.chain import NOT_REACHED
    from ramrole_creds.cli.wrapping import wrap_lines

    try:
        with default_provider() as provider:
            text = provider.explain()
    except RamRoleError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        rows = (re.match(r"\d+\. ([^:(]+?)(?: \(.*?\))?: (.*)", line) for line in text.splitlines())
        facts = [
            {"source": row[1], "would": row[2], "reached": not row[2].endswith(NOT_REACHED)}
            for row in rows
            if row is not None
        ]
        click.echo(json.dumps(facts))
    else:
        click.echo(wrap_lines(text, indent="   "))
