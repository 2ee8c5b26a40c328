"""`ramrole-creds fake-cloud`."""

from __future__ import annotations

import secrets
import sys
import threading
from typing import TYPE_CHECKING, Final

import click

from ramrole_creds.cli.child import wait_for
from ramrole_creds.cli.handing_over import WITHOUT_EARLIER_SOURCES, changed_environment
from ramrole_creds.cli.options import allow_host_option, port_option, seconds_option

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud
    from ramrole_creds.testing.services.metadata_service import Mode

# Sources that SDKs ask before the role of the instance.
HIDDEN: Final[dict[str, str | None]] = {
    **WITHOUT_EARLIER_SOURCES,
    "ALIBABA_CLOUD_CREDENTIALS_URI": None,
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": None,
}


@click.command(short_help="Run a fake cloud for programs in any language.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Local address to bind; accepted as Host.")
@port_option
@click.option("--role", default="web", show_default=True, help="Role attached to the instance; '' attaches none.")
@click.option(
    "--mode",
    default="normal",
    show_default=True,
    type=click.Choice(["normal", "hardened"]),
    help="Mode of the metadata service.",
)
@click.option("--script", type=click.Path(exists=True, dir_okay=False), help="Faults to play, as JSON or YAML.")
@seconds_option("--lifetime", minimum=2, default=21600.0, text="Life of the credentials that it issues.")
@allow_host_option
@click.option("--control-key", envvar="RAMROLE_CREDS_FAKE_KEY", help="Key of the control API below /_fake/.")
@click.option("--seed", help="Make all issued values repeatable.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND…]")
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
    arguments: tuple[str, ...],
) -> None:
    """Run a fake cloud for programs in any language, until SIGTERM or Ctrl-C, or while a command runs.

    Prints one line with its URL when it is ready: metadata service, STS, OSS and the other services share this URL.
    Standard error gets the `export` lines that point a program at it. The clock runs in real
    time; `POST /_fake/clock/advance` with the control key in X-Fake-Key moves it ahead.

    With a command nothing is printed. The command finds the cloud at 100.100.100.200, unless it ignores `http_proxy`,
    and its URL and control key in RAMROLE_CREDS_FAKE_URL and RAMROLE_CREDS_FAKE_KEY.

    Exit status: that of the command (128 + N where signal N ended it); else 0 after SIGTERM or Ctrl-C; 1 when the
    cloud cannot start.

    \b
    Examples:
      ramrole-creds fake-cloud --port 8100
      ramrole-creds fake-cloud --mode hardened --role web --script faults.yaml
      ramrole-creds fake-cloud --role web -- go test ./...
    """
    from ramrole_creds.testing.server.standalone import serve

    ending, status = threading.Event(), 0

    def run(cloud: FakeCloud) -> None:
        nonlocal status
        status = wait_for(arguments, changed_environment(_environment(cloud)))
        ending.set()

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
            control_key=control_key or (secrets.token_urlsafe(16) if arguments else None),
            announce=run if arguments else _announce,
            stop=ending,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose an address of this machine with "
            "--host, and another --port (0 takes a free port)."
        ) from error
    sys.exit(status)


def _announce(cloud: FakeCloud) -> None:
    """The URL on standard output, for scripts; the variables on standard error, for people."""
    click.echo("# Point a program at this cloud (STS, OSS and the other services are at the same URL):", err=True)
    for name, value in cloud.environment().items():
        click.echo(f"export {name}={value}", err=True)
    click.echo(cloud.url)


def _environment(cloud: FakeCloud) -> dict[str, str | None]:
    """What points a command of any language at the cloud, and hides the user's own credentials; None removes one."""
    from ramrole_creds.testing.children import child_environment, proxy_environment

    return {
        **HIDDEN,
        **proxy_environment(cloud.url),
        **child_environment(cloud.url),
        "RAMROLE_CREDS_METADATA_ENDPOINT": cloud.url,
        "ALIBABA_CLOUD_STS_ENDPOINT": cloud.sts_endpoint,
        "RAMROLE_CREDS_FAKE_URL": cloud.url,
        "RAMROLE_CREDS_FAKE_KEY": cloud.control_key,
    }
