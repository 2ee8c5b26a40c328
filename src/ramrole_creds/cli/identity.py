"""Which credentials a program gets here, and from which source."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone

import click

from ramrole_creds import RamRoleError, default_provider
from ramrole_creds.cli.wrapping import wrap_lines

LABEL_WIDTH = 14


def run_whoami(*, expect_role: str | None, verify: bool, as_json: bool) -> int:
    """Ask the default chain once and print what it found, without secrets.

    Args:
        expect_role: the only role that is accepted.
        verify: ask STS too.
        as_json: print one JSON object.

    Returns:
        0, or 1 where there are no credentials; the reason is on standard error.
    """
    facts: dict[str, str | None]
    try:
        with default_provider(expect_role=expect_role) as provider:
            credentials = provider.get_credentials()
            status = provider.status()
            facts = {
                "source": status.provider_name,
                "identity": status.identity,
                "access_key_id": status.access_key_id,
                "expiration": status.expiration.isoformat() if status.expiration else None,
            }
            if verify:
                from ramrole_creds.sts import StsClient

                caller = StsClient().get_caller_identity(credentials)
                facts |= {"account": caller.account_id, "arn": caller.arn, "type": caller.identity_type}
    except RamRoleError as error:
        click.echo(wrap_lines(str(error), indent="    ", stream=sys.stderr), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(facts))
        return 0
    for name, value in facts.items():
        remaining = time_left(status.expiration) if name == "expiration" else ""
        missing = "never" if name == "expiration" and credentials.security_token is None else "unknown"
        line = f"{name.replace('_', ' '):{LABEL_WIDTH}} {value or missing}{remaining}"
        click.echo(wrap_lines(line, indent=" " * (LABEL_WIDTH + 1)))
    return 0


def time_left(expiration: datetime | None) -> str:
    """How long until then: " (in 5:58:12)", or "" where it is not known or past."""
    if expiration is None:
        return ""
    seconds = int((expiration - datetime.now(timezone.utc)).total_seconds())
    return f" (in {timedelta(seconds=seconds)})" if seconds > 0 else ""
