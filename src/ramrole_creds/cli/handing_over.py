"""One set of credentials for another program: as text in many formats, or in a child's environment."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from ramrole_creds import RamRoleError, default_provider
from ramrole_creds.cli.input_output import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ramrole_creds import Credentials

ID: Final = "ALIBABA_CLOUD_ACCESS_KEY_ID"
SECRET: Final = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105  # a variable's name
TOKEN: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105  # a variable's name
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
LOCK_SECONDS: Final = 10.0
NOT_FOUND_STATUS: Final = 127
NOT_EXECUTABLE_STATUS: Final = 126
# Sources that the SDKs ask before a credentials URI and before the role of the instance.
WITHOUT_EARLIER_SOURCES: Final[dict[str, str | None]] = {
    ID: None,
    SECRET: None,
    TOKEN: None,
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": None,
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": None,
    "ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true",
    "ALIBABA_CLOUD_CREDENTIALS_FILE": os.devnull,
}
# What a profile of the aliyun CLI may call back for: not the profile itself, which would never end.
CALL_BACK_SOURCES: Final = ("oidc_role_arn", "ecs_ram_role")


def get_credentials(only: Sequence[str], valid_for: float = 0.0) -> Credentials:
    """What a program gets here.

    Args:
        only: sources to use, all where empty.
        valid_for: seconds that they must live.

    Raises:
        ClickException: there are none, or none that live so long.
    """
    try:
        with default_provider(only=list(only) or None) as provider:
            return provider.get_credentials(valid_for=valid_for)
    except RamRoleError as error:
        raise click.ClickException(str(error)) from None


def as_variables(credentials: Credentials) -> dict[str, str | None]:
    """The variables that the official SDKs read; None for one that must not be set."""
    return {
        ID: credentials.access_key_id,
        SECRET: credentials.access_key_secret,
        TOKEN: credentials.security_token,
    }


def render(credentials: Credentials, style: str) -> str:
    """The credentials as text.

    Args:
        credentials: what is written.
        style: a key of `FORMATS`.
    """
    return FORMATS[style](credentials)


def write_cli_profile(name: str) -> str:
    """Add a profile to the aliyun CLI's file that calls this command back; it holds no secret.

    Args:
        name: the profile's name.

    Returns:
        The file's path.

    Raises:
        ClickException: there is a profile of that name already, or the file cannot be used.
    """
    from ramrole_creds.providers.profiles.cli_config import add_profile, config_path

    try:
        path = config_path().path
        add_profile(path, cli_profile(name), time_limit=LOCK_SECONDS)
    except RamRoleError as error:
        raise click.ClickException(str(error)) from None
    return str(path)


def cli_profile(name: str) -> dict[str, str]:
    """A profile of the aliyun CLI that gets its credentials from this command."""
    program = shutil.which("ramrole-creds")
    command = [program] if program else [sys.executable, "-m", "ramrole_creds.cli"]
    command += ["export", "--format", "process"]
    for source in CALL_BACK_SOURCES:
        command += ["--only", source]
    return {"name": name, "mode": "External", "process_command": shlex.join(command)}


def execute(command: Sequence[str], changes: Mapping[str, str | None], *, posix: bool = os.name == "posix") -> NoReturn:
    """Become the command, with a changed environment; on Windows, run it and end with its status."""
    environment = changed_environment(changes)
    try:
        if posix:
            os.execvpe(command[0], list(command), environment)  # noqa: S606  # what the user asked for
        import subprocess

        sys.exit(subprocess.run(list(command), env=environment, check=False).returncode)  # noqa: S603  # as above
    except OSError as error:
        fail_to_run(command[0], error)


def fail_to_run(program: str, error: OSError) -> NoReturn:
    """End as a shell does where a program cannot be run."""
    fail(f"{program} cannot be run: {error.strerror or error}. Check its name, path and mode.")
    sys.exit(NOT_FOUND_STATUS if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE_STATUS)


def changed_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """This process's environment with variables set and, where the value is None, removed."""
    environment = {name: value for name, value in os.environ.items() if name not in changes}
    return environment | {name: value for name, value in changes.items() if value is not None}


def _env(credentials: Credentials) -> str:
    lines = [
        f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
        for name, value in as_variables(credentials).items()
    ]
    return "\n".join(lines)


def _dotenv(credentials: Credentials) -> str:
    lines = []
    for name, value in as_variables(credentials).items():
        if value is not None:
            quote = '"' if "'" in value else "'"
            escaped = value.replace("\\", "\\\\").replace('"', '\\"') if quote == '"' else value
            lines.append(f"{name}={quote}{escaped}{quote}")
    return "\n".join(lines)


def _powershell(credentials: Credentials) -> str:
    lines = []
    for name, value in as_variables(credentials).items():
        quoted = "$null" if value is None else "'" + value.replace("'", "''") + "'"
        lines.append(f"$env:{name} = {quoted}")
    return "\n".join(lines)


def _json(credentials: Credentials) -> str:
    document = {
        "AccessKeyId": credentials.access_key_id,
        "AccessKeySecret": credentials.access_key_secret,
        "SecurityToken": credentials.security_token,
        "Expiration": _expiration(credentials),
    }
    return json.dumps({name: value for name, value in document.items() if value is not None}, indent=2)


def _process(credentials: Credentials) -> str:
    document = {
        "mode": "AK" if credentials.security_token is None else "StsToken",
        "access_key_id": credentials.access_key_id,
        "access_key_secret": credentials.access_key_secret,
        "sts_token": credentials.security_token,
        "expiration": _expiration(credentials),
    }
    return json.dumps({name: value for name, value in document.items() if value is not None})


def _ini(credentials: Credentials) -> str:
    lines = ["[default]", "type = access_key" if credentials.security_token is None else "type = sts"]
    lines += [f"access_key_id = {credentials.access_key_id}", f"access_key_secret = {credentials.access_key_secret}"]
    if credentials.security_token is not None:
        lines.append(f"security_token = {credentials.security_token}")
    return "\n".join(lines)


def _expiration(credentials: Credentials) -> str | None:
    return None if credentials.expiration is None else credentials.expiration.strftime(TIME_FORMAT)


FORMATS: Final[Mapping[str, Callable[[Credentials], str]]] = {
    "env": _env,
    "dotenv": _dotenv,
    "powershell": _powershell,
    "json": _json,
    "process": _process,
    "ini": _ini,
}
