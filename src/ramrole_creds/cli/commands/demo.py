"""`ramrole-creds demo`."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Show the library at work on a fake cloud.")
@click.option(
    "--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Number of threads that make calls."
)
@click.option("--seed", type=int, help="Make keys and jitter repeatable.")
def command(threads: int, seed: int | None) -> None:
    """Show the library at work on a fake cloud: rotation under load, an outage, a changed policy.

    It stays on this machine and ignores your own configuration.

    Exit status: 0 if every check passed, 1 if one failed.

    \b
    Examples:
      ramrole-creds demo
      ramrole-creds demo --threads 16 --seed 7
    """
    from ramrole_creds.cli.demonstration import run_demo
    from ramrole_creds.cli.screen import open_screen

    sys.exit(0 if run_demo(open_screen(), threads=threads, seed=seed) else 1)
