"""`ramrole-creds whoami`."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Show the credentials here, and their source.")
@click.option("--expect-role", metavar="NAME", help="Fail if the credentials are of any other role.")
@click.option("--verify", is_flag=True, help="Ask STS (GetCallerIdentity) whose credentials these are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
def command(*, expect_role: str | None, verify: bool, as_json: bool) -> None:
    """Show which credentials a program gets here, and from which source. Never prints a secret.

    Exit status: 0 with credentials, 1 without (standard error has a line for each source), or when
    STS rejects them (--verify).

    \b
    Examples:
      ramrole-creds whoami
      ramrole-creds whoami --verify
      ramrole-creds whoami --json
      ramrole-creds whoami --expect-role web
    """
    from ramrole_creds.cli.identity import run_whoami

    sys.exit(run_whoami(expect_role=expect_role, verify=verify, as_json=as_json))
