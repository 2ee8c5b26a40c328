"""A child process with a credential service that runs for as long as the child."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from ramrole_creds import RamRoleError, default_provider
from ramrole_creds.cli.child import wait_for
from ramrole_creds.cli.handing_over import WITHOUT_EARLIER_SOURCES, changed_environment
from ramrole_creds.integrations import takeover as takeover_module
from ramrole_creds.local_service import LocalService, ServiceLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

URI: Final = "ALIBABA_CLOUD_CREDENTIALS_URI"
URI_OF_TERRAFORM: Final = "ALICLOUD_CREDENTIALS_URI"  # of its provider before 1.228
# Sources that the SDKs ask before the URI. The parent has asked them already; the child gets what it found.
ASKED_BEFORE_THE_URI: Final[dict[str, str | None]] = {
    **WITHOUT_EARLIER_SOURCES,
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
}
# The child is alone with its service: a limit would only slow it down.
LIMITS: Final = ServiceLimits(requests_per_second=0)


def run_child(command: Sequence[str], *, only: Sequence[str], takeover: bool) -> int:
    """Serve credentials while a command runs.

    Args:
        command: the program and its arguments.
        only: sources to use, all where empty.
        takeover: replace the official SDKs' providers in a Python child.

    Returns:
        The command's exit status, 128 + N where signal N ended it.

    Raises:
        ClickException: there are no credentials; the command is not started.
    """
    try:
        with default_provider(only=list(only) or None) as provider:
            if provider.get_credentials().security_token is None:
                raise click.ClickException(
                    "The credentials found here are a long-term key, which is not served to other programs. Use "
                    "`ramrole-creds exec`, or run where a role is attached."
                )
            with LocalService(provider, limits=LIMITS) as service:
                return wait_for(command, child_environment(service.uri, takeover=takeover))
    except RamRoleError as error:
        raise click.ClickException(str(error)) from None


def child_environment(uri: str, *, takeover: bool) -> dict[str, str]:
    """The environment that points a program at the service, whatever SDK it uses."""
    changes: dict[str, str | None] = {**ASKED_BEFORE_THE_URI, URI: uri, URI_OF_TERRAFORM: uri}
    # The service is on loopback: no proxy may be asked for it.
    for name in ("NO_PROXY", "no_proxy"):
        present = [part for part in os.environ.get(name, "").split(",") if part]
        changes[name] = ",".join(dict.fromkeys([*present, "127.0.0.1", "localhost"]))
    if takeover:
        changes[takeover_module.VARIABLE] = "1"
        path = [str(takeover_module.HOOK_DIRECTORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        changes["PYTHONPATH"] = os.pathsep.join(path)
    return changed_environment(changes)
