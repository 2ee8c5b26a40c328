"""`ramrole-creds serve`."""

from __future__ import annotations

import sys

import click

from ramrole_creds.cli.options import allow_host_option, only_option, port_option


@click.command(short_help="Serve credentials to the other programs of this host.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Local address to bind.")
@port_option
@click.option("--socket", "socket_path", type=click.Path(dir_okay=False), help="Unix socket instead of TCP.")
@click.option("--socket-mode", default="0600", show_default=True, help="Mode of the Unix socket, in octal.")
@click.option("--metadata", is_flag=True, help="Answer the metadata protocol too, in hardened mode.")
@click.option("--allow-item", multiple=True, metavar="ITEM", help="Metadata item to pass on; repeatable.")
@allow_host_option
@click.option("--map", "maps", multiple=True, metavar="CLIENT=ROLE", help="Which client gets which role; repeatable.")
@click.option("--config", type=click.Path(dir_okay=False), help="JSON file with map and only; read again at SIGHUP.")
@only_option
@click.option("--env-file", type=click.Path(dir_okay=False), help="Write the variables for clients here, mode 0600.")
@click.option("--admin-port", type=click.IntRange(0, 65535), help="Port of the status page, probes and metrics.")
@click.option(
    "--rate",
    default=200.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Requests a second per client; 0 for any number.",
)
def command(**options: object) -> None:
    """Serve credentials to the other programs of this host, in any language, until SIGTERM or Ctrl-C.

    When it is ready it prints one line: the value for ALIBABA_CLOUD_CREDENTIALS_URI. On TCP the URI holds a random
    secret, so only programs that have the URI get credentials. All clients share one fetch.

    CLIENT is uid:NUMBER, user:NAME (both by the peer of the Unix socket), addr:NETWORK or *. ROLE is self (the
    credentials that this command finds), the name or the ARN of a role to assume with them, or a provider URL. With
    a map, clients that are not in it get nothing.

    SIGTERM finishes the requests in progress and ends; SIGHUP reads the configuration again. Needs the extra `serve`:
    pip install '.[cli,serve]' in a checkout.

    Exit status: 0 after SIGTERM or Ctrl-C, 1 when it cannot start, 2 when the command line is not valid.

    \b
    Examples:
      ramrole-creds serve
      ramrole-creds serve --port 8200 --admin-port 8201 --env-file /run/app/env
      ramrole-creds serve --socket /run/app/creds.sock --socket-mode 0666 \\
        --map user:shop=self
      ramrole-creds serve --host 100.100.100.200 --port 80 --metadata \\
        --allow-item region-id
    """
    from ramrole_creds.cli.extras import require_extra

    require_extra("serve", "uvicorn", "starlette", "httptools")
    from ramrole_creds.cli.serving import ServeOptions, run_service

    sys.exit(run_service(ServeOptions(**options)))  # type: ignore[arg-type]  # click has checked them
