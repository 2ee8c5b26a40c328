"""Files that the command reads and writes where an option names them, and its output."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from ramrole_creds.cli.wrapping import wrap_lines
from ramrole_creds.errors import reference

if TYPE_CHECKING:
    from pathlib import Path

PREFIX: Final = "Error: "  # as click begins an error


def fail(text: str) -> None:
    """Show an error as click shows one, with where it is described."""
    line = f"{PREFIX}{text}{reference('ramrole-creds')}"
    click.echo(wrap_lines(line, indent="    ", stream=sys.stderr), err=True)


def read_input(path: Path, max_bytes: int) -> str:
    """The text of a file, or of a pipe.

    Raises:
        ClickException: it cannot be read, or is too long.
        UnicodeDecodeError: it is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}. Check its path and mode."
        raise click.ClickException(text) from error
    if len(content) > max_bytes:
        raise click.ClickException(f"{path} is longer than {max_bytes} bytes, and is not read. Is it the right file?")
    return content.decode()


def write_output(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file as a whole; an old one stays unchanged where that fails.

    Args:
        path: the file.
        text: its content.
        mode: the mode of the file, restricted by the umask.

    Raises:
        ClickException: it cannot be written.
    """
    from ramrole_creds._files import write_whole_file

    try:
        write_whole_file(path, text, mode=mode)
    except OSError as error:
        text = f"{path} cannot be written: {error.strerror or error}. Check its folder, its mode and the disk."
        raise click.ClickException(text) from error


def require_writable(*paths: Path | None) -> None:
    """Refuse a file that can certainly not be written, before the work whose results it is for.

    Args:
        paths: the files; None for an option that was not given.

    Raises:
        ClickException: its directory does not exist, or it may not be written to.
    """
    for path in filter(None, paths):
        directory = path.parent
        if not directory.is_dir():
            raise click.ClickException(f"{path} cannot be written: the directory {directory} does not exist.")
        if not os.access(path if path.exists() else directory, os.W_OK):
            raise click.ClickException(f"{path} cannot be written: you may not write there.")


def give_up_output() -> None:
    """Drop what standard output still holds: Python would fail once more to write it at its end."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
