"""The command `ramrole-creds`: a group whose subcommands are imported when they are used."""

from __future__ import annotations

import errno
import logging
import signal
import sys
from importlib import import_module
from typing import Any, Final

import click

from ramrole_creds.cli.input_output import PREFIX, fail, give_up_output
from ramrole_creds.cli.wrapping import wrap_lines
from ramrole_creds.errors import REFERENCE, reference

CONTEXT_SETTINGS: Final[dict[str, object]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

# A full disk, a quota, a limit on the size of files: no reading call has these errors.
OUTPUT_ERRNOS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED: Final = 128 + signal.SIGINT  # as a shell reports Ctrl-C
# Subcommand -> module in `ramrole_creds.cli.commands`; the object in it is called `command`.
COMMANDS: Final = {
    "conformance": "conformance",
    "demo": "demo",
    "doctor": "doctor",
    "exec": "execute",
    "explain": "explain",
    "export": "export",
    "fake-cloud": "fake_cloud",
    "replay": "replay",
    "role": "role",
    "run": "run",
    "serve": "serve",
    "watch": "watch",
    "whoami": "whoami",
}


class _Warnings(logging.Handler):
    """Shows warnings of the library on standard error; the doctor has a line for each of them itself."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show one."""
        context = click.get_current_context(silent=True)
        if context is not None and context.info_name != "doctor":
            text = f"Warning: {record.getMessage()}"
            click.echo(wrap_lines(text, indent="    ", stream=sys.stderr), err=True)


class LazyGroup(click.Group):
    """Imports a subcommand's module when the subcommand is used: `exec` and `export` must start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(COMMANDS)

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; the text of its failure ends with where it is described."""
        warnings = logging.getLogger("ramrole_creds.providers.variables")
        if not any(isinstance(handler, _Warnings) for handler in warnings.handlers):
            warnings.addHandler(_Warnings(logging.WARNING))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except click.UsageError:
            raise  # it shows how to call the command
        except click.ClickException as error:
            text = error.message if REFERENCE in error.message else error.message + reference("ramrole-creds")
            shown = wrap_lines(f"{PREFIX}{text}", indent="    ", stream=sys.stderr).removeprefix(PREFIX)
            raise click.ClickException(shown) from error

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401  # as the base class has it
        """Run the command. An output that cannot be written is an error in a line, as on a full disk."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.filename is not None or error.errno not in OUTPUT_ERRNOS:
                raise
            give_up_output()
            fail(f"The output cannot be written: {error.strerror}. Check the disk that it goes to.")
        sys.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand; the error for an unknown one has the nearest name."""
        if args and args[0] not in COMMANDS:
            from difflib import get_close_matches

            if close := get_close_matches(args[0], COMMANDS, 1):
                ctx.fail(f"No such command {args[0]!r}. Did you mean {close[0]!r}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name, None for an unknown name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = import_module(f"ramrole_creds.cli.commands.{module}").command
        assert isinstance(command, click.Command)  # noqa: S101  # every module of the table has one
        return command


@click.group(cls=LazyGroup, context_settings=CONTEXT_SETTINGS)
@click.version_option(package_name="ramrole-creds")
def app() -> None:
    """Credentials of the RAM role attached to this machine, for this shell, for other programs, and for tests."""
