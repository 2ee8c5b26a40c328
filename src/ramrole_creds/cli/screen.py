"""What a command prints: rich on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ramrole_creds.cli.diagnosis.report import Mark

INDENT: Final = 3
MIN_TEXT_WIDTH: Final = 20

_STYLES: Final = {
    "ok": ("✓", "green", ""),
    "warning": ("!", "yellow", "yellow"),
    "failed": ("✗", "red", "red"),
    "skipped": ("-", "dim", "dim"),
}
_WORDS: Final = {"ok": "ok", "warning": "WARNING", "failed": "FAILED", "skipped": "skipped"}


class ProgressBar(Protocol):
    """Something in progress; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def move(self, done: float, note: str) -> None:
        """Show that `done` of the total is over."""


class Screen(Protocol):
    """Where a command prints."""

    def title(self, title: str, text: str) -> None:
        """Print what this is."""

    def step(self, text: str) -> None:
        """Begin a numbered part."""

    def line(self, text: str) -> None:
        """Print one line of the current part."""

    def progress(self, total: float) -> ProgressBar:
        """Show something that takes a while, out of `total`."""

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Show that something is awaited, while the context lasts."""

    def check(self, text: str, *, holds: bool) -> None:
        """Print something that either holds or does not."""

    def mark(self, mark: Mark, text: str) -> None:
        """Print a line with its mark."""

    def closing(self, text: str, *, holds: bool) -> None:
        """Print the last line."""


def open_screen() -> Screen:
    """The screen for standard output as it is: a terminal or a pipe."""
    console = Console(highlight=False)
    return RichScreen(console) if console.is_terminal else PlainScreen()


class RichScreen:
    """Colours, a panel and a bar that moves."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def title(self, title: str, text: str) -> None:
        """See `Screen.title`."""
        self._console.print(Panel(Text(text), title=f"[bold]{title}[/bold]", title_align="left", border_style="cyan"))

    def step(self, text: str) -> None:
        """See `Screen.step`."""
        self._steps += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._steps}  ", "bold cyan"), (text, "bold")))

    def line(self, text: str) -> None:
        """See `Screen.line`."""
        self._print_indented(Text(text), INDENT)

    def progress(self, total: float) -> ProgressBar:
        """See `Screen.progress`."""
        return RichProgressBar(self._console, total)

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """See `Screen.waiting`."""
        return self._console.status(text)

    def check(self, text: str, *, holds: bool) -> None:
        """See `Screen.check`."""
        self.mark("ok" if holds else "failed", text)

    def mark(self, mark: Mark, text: str) -> None:
        """See `Screen.mark`."""
        sign, sign_style, text_style = _STYLES[mark]
        rows = Text(text, style=text_style).wrap(self._console, max(MIN_TEXT_WIDTH, self._console.width - INDENT - 2))
        for number, row in enumerate(rows):
            head = (f"{sign} ", f"bold {sign_style}") if number == 0 else ("  ", "")
            self._console.print(Text.assemble(" " * INDENT, head, row))

    def closing(self, text: str, *, holds: bool) -> None:
        """See `Screen.closing`."""
        self._console.print()
        self._console.print(Text(text, style="bold green" if holds else "bold red"))

    def _print_indented(self, text: Text, indent: int) -> None:
        for row in text.wrap(self._console, max(MIN_TEXT_WIDTH, self._console.width - indent)):
            self._console.print(Text(" " * indent) + row)


class RichProgressBar:
    """A bar with a note behind it; it disappears at the end."""

    def __init__(self, console: Console, total: float) -> None:
        columns = (TextColumn("  "), BarColumn(bar_width=24), TextColumn("{task.description}", markup=False))
        self._progress = Progress(*columns, console=console, transient=True, refresh_per_second=20)
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, done: float, note: str) -> None:
        """See `ProgressBar.move`."""
        self._progress.update(self._task, completed=done, description=note)


class PlainScreen:
    """One fact a line, no colour, nothing overwritten: for pipes, files and logs."""

    def __init__(self) -> None:
        self._steps = 0

    def title(self, title: str, text: str) -> None:
        """See `Screen.title`."""
        _print(f"{title}: {text}")

    def step(self, text: str) -> None:
        """See `Screen.step`."""
        self._steps += 1
        _print(f"{self._steps}. {text}")

    def line(self, text: str) -> None:
        """See `Screen.line`."""
        _print(f"   {text}")

    def progress(self, total: float) -> ProgressBar:
        """See `Screen.progress`."""
        del total
        return PlainProgressBar()

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """See `Screen.waiting`."""
        del text
        return nullcontext()

    def check(self, text: str, *, holds: bool) -> None:
        """See `Screen.check`."""
        self.mark("ok" if holds else "failed", text)

    def mark(self, mark: Mark, text: str) -> None:
        """See `Screen.mark`."""
        _print(f"   {_WORDS[mark]}: {text}")

    def closing(self, text: str, *, holds: bool) -> None:
        """See `Screen.closing`."""
        del holds
        _print(text)


class PlainProgressBar:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def move(self, done: float, note: str) -> None:
        """See `ProgressBar.move`."""
        return


def _print(text: str) -> None:
    """As `print`, for consoles that cannot encode every character too."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
