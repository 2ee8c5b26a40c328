"""The verbs of the command and their options; what each does stands in its own module."""

from __future__ import annotations

import sys

import click

from ramrole_creds.cli.screen import open_screen

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT_SETTINGS)
@click.version_option(package_name="ramrole-creds")
def app() -> None:
    """Credentials of the RAM role attached to this place: look at them, test with them, see them rotate."""


@app.command()
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 64), help="Threads that make calls.")
@click.option("--seed", type=int, help="Make keys and jitter repeatable.")
def demo(threads: int, seed: int | None) -> None:
    """Show the library at work on a fake cloud: rotation under load, then an outage.

    Nothing leaves this machine and nothing of your own configuration is used. Ends with status 1 when anything it
    shows did not hold.
    """
    from ramrole_creds.cli.demo import run_demo

    sys.exit(0 if run_demo(open_screen(), threads=threads, seed=seed) else 1)


@app.command()
@click.option("--expect-role", metavar="NAME", help="Refuse credentials of any other role.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def whoami(expect_role: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Say which credentials a program would get here, and from where. Never prints a secret."""
    from ramrole_creds.cli.whoami import run_whoami

    sys.exit(run_whoami(expect_role=expect_role, as_json=as_json))


@app.command()
def doctor() -> None:
    """Say what decides about credentials here, and why they are found or not. Never prints a secret."""
    from ramrole_creds.cli.doctor import run_doctor

    sys.exit(0 if run_doctor(open_screen()) else 1)
