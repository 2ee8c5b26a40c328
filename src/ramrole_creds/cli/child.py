"""Run a command as a child: signals are passed on to it, and its status is that of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from queue import Empty, Queue
from typing import TYPE_CHECKING, Final

from ramrole_creds.cli.handing_over import fail_to_run

if TYPE_CHECKING:
    from collections.abc import Sequence

POLL_SECONDS: Final = 0.5
FORWARDED: Final = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
# Ctrl-C, Ctrl-\ and a new window size: the terminal sends them to the child too, which must not get them twice.
FROM_A_TERMINAL: Final = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGQUIT", "SIGWINCH") if hasattr(signal, name)
)


def wait_for(command: Sequence[str], environment: dict[str, str]) -> int:
    """Start the command, pass signals on to it, and give its status."""
    pending: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: object) -> None:
        if child is None:
            pending.append(number)
        elif not (number in FROM_A_TERMINAL and is_in_foreground()):
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _signals()}
    try:
        try:
            child = subprocess.Popen(list(command), env=environment)  # noqa: S603  # what the user asked for
        except OSError as error:
            fail_to_run(command[0], error)
        for number in pending:
            child.send_signal(number)
        status = _status_of(child)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _status_of(child: subprocess.Popen[bytes]) -> int:
    """Wait on a thread for the child's end: Python handles no signal that comes right before a wait begins.

    This thread waits in slices, and handles such a signal after one.
    """
    ended: Queue[int] = Queue()
    threading.Thread(target=lambda: ended.put(child.wait()), daemon=True).start()
    while True:
        with suppress(Empty):
            return ended.get(timeout=POLL_SECONDS)


def is_in_foreground() -> bool:
    """True where the terminal sends its signals to this process's group, and so to the child as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _signals() -> list[int]:
    return [getattr(signal, name) for name in FORWARDED if hasattr(signal, name)]
