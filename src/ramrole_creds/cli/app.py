"""The verbs of the command and their options; what each does stands in its own module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ramrole_creds.cli.screen import open_screen

if TYPE_CHECKING:
    from ramrole_creds.testing.services.metadata_service import Mode

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


@app.command("fake-cloud")
@click.option("--host", default="127.0.0.1", show_default=True, help="Local address to bind; accepted as Host.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--role", default="web", show_default=True, help="Role attached to the instance; '' attaches none.")
@click.option("--mode", default="normal", show_default=True, type=click.Choice(["normal", "hardened"]))
@click.option("--script", type=click.Path(exists=True, dir_okay=False), help="Faults to play, as JSON or YAML.")
@click.option("--lifetime", default=21600.0, show_default=True, type=click.FloatRange(2), help="Seconds keys live.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept this in the Host header too; repeatable.")
@click.option("--control-key", envvar="RAMROLE_CREDS_FAKE_KEY", help="Key of the control API below /_fake/.")
@click.option("--seed", help="Make all issued values repeatable.")
def fake_cloud(  # noqa: PLR0913, PLR0917 - one argument for each option
    host: str,
    port: int,
    role: str,
    mode: Mode,
    script: str | None,
    lifetime: float,
    allow_host: tuple[str, ...],
    control_key: str | None,
    seed: str | None,
) -> None:
    """Run a fake cloud for programs in any language until SIGTERM or Ctrl-C.

    Prints one line with its URL when it is ready: metadata service, STS and verifying endpoints on one port. Time
    passes as it does; `POST /_fake/clock/advance` with the control key in X-Fake-Key jumps ahead.
    """
    from ramrole_creds.testing.server.standalone import serve

    try:
        serve(
            host=host,
            port=port,
            role=role or None,
            mode=mode,
            script=script,
            credential_lifetime=lifetime,
            seed=seed,
            allowed_hosts=allow_host,
            control_key=control_key,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.filename is not None:  # the script's
            raise click.ClickException(str(error)) from error
        raise click.ClickException(
            f"Nothing can listen on {host}:{port}: {error.strerror or error}. Choose an address of this machine with "
            "--host, and another --port (0 takes a free one)."
        ) from error


@app.command()
@click.option("--expect-role", metavar="NAME", help="Refuse credentials of any other role.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def whoami(expect_role: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Say which credentials a program would get here, and from where. Never prints a secret."""
    from ramrole_creds.cli.whoami import run_whoami

    sys.exit(run_whoami(expect_role=expect_role, as_json=as_json))


@app.command()
def explain() -> None:
    """Say what each source would do here, in the order in which they are asked; asks nobody."""
    from ramrole_creds import RamRoleError, default_provider

    try:
        with default_provider() as provider:
            click.echo(provider.explain())
    except RamRoleError as error:
        raise click.ClickException(str(error)) from error


@app.command()
def doctor() -> None:
    """Say what decides about credentials here, and why they are found or not. Never prints a secret."""
    from ramrole_creds.cli.doctor import run_doctor

    sys.exit(0 if run_doctor(open_screen()) else 1)
