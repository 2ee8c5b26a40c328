"""`ramrole-creds fake-cloud`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud
    from ramrole_creds.testing.services.metadata_service import Mode


@click.command(short_help="Run a fake cloud for programs in any language.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Local address to bind; accepted as Host.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--role", default="web", show_default=True, help="Role attached to the instance; '' attaches none.")
@click.option("--mode", default="normal", show_default=True, type=click.Choice(["normal", "hardened"]))
@click.option("--script", type=click.Path(exists=True, dir_okay=False), help="Faults to play, as JSON or YAML.")
@click.option("--lifetime", default=21600.0, show_default=True, type=click.FloatRange(2), help="Seconds keys live.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept this in the Host header too; repeatable.")
@click.option("--control-key", envvar="RAMROLE_CREDS_FAKE_KEY", help="Key of the control API below /_fake/.")
@click.option("--seed", help="Make all issued values repeatable.")
def command(  # noqa: PLR0913, PLR0917  # one argument for each option
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
    """Run a fake cloud for programs in any language, until SIGTERM or Ctrl-C.

    Prints one line with its URL when it is ready: metadata service, STS, OSS and the other services share this URL.
    Standard error gets the `export` lines that point a program at it. Time passes as it does; `POST
    /_fake/clock/advance` with the control key in X-Fake-Key jumps ahead.

    Exit status: 0 after SIGTERM or Ctrl-C, 1 when it cannot start.

    \b
    Examples:
      ramrole-creds fake-cloud --port 8100
      ramrole-creds fake-cloud --mode hardened --role web --script faults.yaml
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
            announce=_announce,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.filename is not None:  # the script's
            raise click.ClickException(str(error)) from error
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose an address of this machine with "
            "--host, and another --port (0 takes a free port)."
        ) from error


def _announce(cloud: FakeCloud) -> None:
    """The URL on standard output, for scripts; the variables on standard error, for people."""
    variables = {**cloud.environment(), "ALIBABA_CLOUD_STS_ENDPOINT": cloud.url}
    click.echo("# Point a program at this cloud (STS, OSS and the other services are at the same URL):", err=True)
    for name, value in variables.items():
        click.echo(f"export {name}={value}", err=True)
    click.echo(cloud.url)
