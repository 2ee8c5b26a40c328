"""What the command prints: rich on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class ProgressBar(Protocol):
    """Something in progress; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def move(self, done: float, note: str) -> None:
        """Show that `done` of the total is behind us."""


class Screen(Protocol):
    """Where a command tells its story."""

    def title(self, title: str, text: str) -> None:
        """Say what this is."""

    def step(self, text: str) -> None:
        """Begin a numbered part."""

    def line(self, text: str) -> None:
        """Tell one thing of the current part."""

    def gauge(self, total: float) -> ProgressBar:
        """Something that takes a while, out of `total`."""

    def check(self, text: str, *, holds: bool) -> None:
        """Tell something that either held or did not."""

    def closing(self, text: str, *, holds: bool) -> None:
        """The last line."""


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
        self._console.print(Panel(Text(text), title=f"[bold]{title}[/bold]", title_align="left", border_style="cyan"))

    def step(self, text: str) -> None:
        self._steps += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._steps}  ", "bold cyan"), (text, "bold")))

    def line(self, text: str) -> None:
        self._print_indented(Text(text))

    def gauge(self, total: float) -> ProgressBar:
        return RichGauge(self._console, total)

    def check(self, text: str, *, holds: bool) -> None:
        mark = ("✓ ", "bold green") if holds else ("✗ ", "bold red")
        self._print_indented(Text.assemble(mark, (text, "" if holds else "red")))

    def closing(self, text: str, *, holds: bool) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold green" if holds else "bold red"))

    def _print_indented(self, text: Text) -> None:
        for row in text.wrap(self._console, max(20, self._console.width - 3)):
            self._console.print(Text("   ") + row)


class RichGauge:
    """A bar with a note behind it; gone when it is done."""

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
        self._progress.update(self._task, completed=done, description=note)


class PlainScreen:
    """One fact a line, no colour, nothing overwritten: for pipes, files and logs."""

    def __init__(self) -> None:
        self._steps = 0

    def title(self, title: str, text: str) -> None:
        _print(f"{title}: {text}")

    def step(self, text: str) -> None:
        self._steps += 1
        _print(f"{self._steps}. {text}")

    def line(self, text: str) -> None:
        _print(f"   {text}")

    def gauge(self, total: float) -> ProgressBar:
        return PlainGauge()

    def check(self, text: str, *, holds: bool) -> None:
        _print(f"   {'ok' if holds else 'FAILED'}: {text}")

    def closing(self, text: str, *, holds: bool) -> None:
        _print(text)


class PlainGauge:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def move(self, done: float, note: str) -> None:
        return


def _print(text: str) -> None:
    """As `print`, for consoles that cannot encode every character too."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()
