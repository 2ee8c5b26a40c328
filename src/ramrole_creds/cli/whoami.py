"""Which credentials a program would get here, and from where."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import click

from ramrole_creds import RamRoleError, default_provider


def run_whoami(*, expect_role: str | None, as_json: bool) -> int:
    """Ask the default chain once and print what it found, without secrets.

    Returns:
        0, or 1 where there are no credentials; the reason is on standard error.
    """
    try:
        with default_provider(expect_role=expect_role) as provider:
            provider.get_credentials()
            status = provider.status()
    except RamRoleError as error:
        click.echo(str(error), err=True)
        return 1
    facts = {
        "source": status.provider_name,
        "identity": status.identity,
        "access_key_id": status.access_key_id,
        "expiration": status.expiration.isoformat() if status.expiration else None,
    }
    if as_json:
        click.echo(json.dumps(facts))
        return 0
    left = _left(status.expiration)
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):14} {value or 'unknown'}{left if name == 'expiration' else ''}")
    return 0


def _left(expiration: datetime | None) -> str:
    if expiration is None:
        return ""
    seconds = int((expiration - datetime.now(timezone.utc)).total_seconds())
    return f" (in {timedelta(seconds=seconds)})" if seconds > 0 else ""
