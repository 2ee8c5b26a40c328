"""`ramrole-creds doctor`."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Find out why there are credentials here, or why not.")
@click.option("-v", "--verbose", is_flag=True, help="Show the details of each check.")
@click.option("--offline", is_flag=True, help="Do not call STS or the region's endpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
def command(*, verbose: bool, offline: bool, as_json: bool) -> None:
    """Find out why a program gets credentials here, or why it does not. Never prints a secret.

    It checks where it runs, variables, files, the metadata service, and STS through the proxy that a program uses. The
    last line is the verdict: which identity a program has here, or the cause and the fix.

    Exit status: 0 when a program gets credentials that are accepted, 1 when it does not.

    \b
    Examples:
      ramrole-creds doctor
      ramrole-creds doctor -v
      ramrole-creds doctor --offline --json
    """
    import json

    from ramrole_creds.cli.diagnosis.examination import examine
    from ramrole_creds.cli.screen import open_screen

    if as_json:
        report = examine(offline=offline)
        click.echo(json.dumps(report.as_dict(), indent=2))
        sys.exit(0 if report.verdict.usable else 1)
    screen = open_screen()
    with screen.waiting("Calling the sources of credentials …"):
        report = examine(offline=offline)
    for check in report.checks:
        screen.mark(check.mark, check.text)
        for detail in check.details if verbose else ():
            screen.line(detail)
    screen.closing(str(report.verdict), holds=report.verdict.usable)
    sys.exit(0 if report.verdict.usable else 1)
