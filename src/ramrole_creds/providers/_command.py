"""Runs a command within a time limit, and leaves nothing of it behind."""

from __future__ import annotations

import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_OUTPUT_BYTES: Final = 65536
MAX_STDERR_BYTES: Final = 65536
CHUNK_BYTES: Final = 16384
TASKKILL_SECONDS: Final = 5.0
# How soon it is noticed that a command has ended whose pipes a child of it still holds open.
POLL_SECONDS: Final = 0.05


class CommandTimeout(Exception):
    """The command did not end within its time limit, and was killed."""


class OutputTooLong(Exception):
    """The command printed more than MAX_OUTPUT_BYTES, and was killed."""


@dataclass(frozen=True, slots=True, repr=False)
class CommandResult:
    """What a command left when it ended.

    Args:
        status: its exit status.
        output: its standard output.
        stderr: the end of its standard error.
        stderr_cut: True if the beginning of `stderr` is missing.
    """

    status: int
    output: bytes
    stderr: bytes
    stderr_cut: bool


class _Pipes(Protocol):
    """Standard output and standard error of a command."""

    def read(self, seconds: float) -> tuple[str, bytes] | None:
        """The name of a pipe and what it has; None if no pipe has anything within the time."""

    def is_open(self) -> bool:
        """Whether a pipe is not at its end."""

    def close(self) -> None:
        """Close the pipes, also those that a child of the command still holds open."""


def run_command(
    arguments: Sequence[str], seconds: float, *, is_complete: Callable[[bytes], bool], windows: bool
) -> CommandResult:
    """Run a command without a shell and with its standard input closed.

    A command may leave a child behind that holds its pipes open. If the command succeeded and its output is complete,
    or if it failed, nobody waits for that child: it is killed with its process group, and the pipes are closed. A
    child that has left the process group, as a daemon does, goes on without them.

    Args:
        arguments: program and arguments.
        seconds: time limit.
        is_complete: whether an output needs nothing more.
        windows: True for the means of Windows.

    Raises:
        OSError, ValueError: the command cannot be started.
        CommandTimeout: it did not end in time.
        OutputTooLong: it printed too much.
    """
    deadline = time.monotonic() + seconds
    output = _Output()
    process = _start(arguments, windows=windows)
    pipes: _Pipes | None = None
    is_over = False
    try:
        pipes = _ThreadedPipes(process) if windows else _PolledPipes(process)
        if _reads_to_end(process, pipes, output, deadline=deadline, is_complete=is_complete):
            _wait(process, deadline)
            is_over = True
    finally:
        if not is_over:
            _kill(process, windows=windows)
        for opened in _named_pipes(process).values() if pipes is None else [pipes]:
            opened.close()
    return output.result(process.returncode)


class _Output:
    """What a command has written so far."""

    def __init__(self) -> None:
        self.output = bytearray()
        self._stderr = bytearray()
        self._stderr_cut = False

    def add(self, name: str, chunk: bytes) -> None:
        if name == "stdout":
            self.output += chunk
        else:
            self._stderr += chunk
            self._stderr_cut = self._stderr_cut or len(self._stderr) > MAX_STDERR_BYTES
            del self._stderr[:-MAX_STDERR_BYTES]
        if len(self.output) > MAX_OUTPUT_BYTES:
            raise OutputTooLong

    def result(self, status: int) -> CommandResult:
        return CommandResult(status, bytes(self.output), bytes(self._stderr), self._stderr_cut)


def _reads_to_end(
    process: subprocess.Popen[bytes],
    pipes: _Pipes,
    output: _Output,
    *,
    deadline: float,
    is_complete: Callable[[bytes], bool],
) -> bool:
    """Read until the pipes are closed; False if nobody needs to wait for that."""
    while pipes.is_open():
        has_ended = process.poll() is not None  # asked first: all that it wrote is in the pipes then
        chunk = pipes.read(max(0.0, min(POLL_SECONDS, deadline - time.monotonic())))
        if chunk is not None:
            output.add(*chunk)
        elif has_ended and (process.returncode != 0 or is_complete(bytes(output.output))):
            return False
        if time.monotonic() >= deadline:
            raise CommandTimeout
    return True


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:  # it has closed its pipes but has not ended
        raise CommandTimeout from None


def _start(arguments: Sequence[str], *, windows: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the user's own command, without a shell
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=not windows,  # so that its children can be killed with it
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no console window opens in front of a GUI program
    )


def _named_pipes(process: subprocess.Popen[bytes]) -> Mapping[str, IO[bytes]]:
    assert process.stdout is not None  # noqa: S101  # _start made both
    assert process.stderr is not None  # noqa: S101  # as above
    return {"stdout": process.stdout, "stderr": process.stderr}


class _PolledPipes:
    """Pipes of POSIX, read by the thread that waits: nobody is left in a read when the pipes are closed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pipes = _named_pipes(process)
        self._selector = selectors.PollSelector()  # unlike the default one, it needs no descriptor
        for name, pipe in self._pipes.items():
            self._selector.register(pipe, selectors.EVENT_READ, name)

    def read(self, seconds: float) -> tuple[str, bytes] | None:
        for key, _ in self._selector.select(seconds):
            chunk = os.read(key.fd, CHUNK_BYTES)
            if not chunk:
                self._selector.unregister(key.fileobj)
            return key.data, chunk
        return None

    def is_open(self) -> bool:
        return bool(self._selector.get_map())

    def close(self) -> None:
        self._selector.close()
        for pipe in self._pipes.values():
            pipe.close()


class _ThreadedPipes:
    """Pipes of Windows, which cannot be polled: a thread reads each, and ends when the last holder closes it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._chunks: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._open: set[str] = set()
        self._closed = False
        for name, pipe in _named_pipes(process).items():
            threading.Thread(target=self._read_to_end, args=(name, pipe), daemon=True).start()
            self._open.add(name)

    def _read_to_end(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            chunk = b"-"
            while chunk and not self._closed:
                chunk = os.read(pipe.fileno(), CHUNK_BYTES)
                self._chunks.put((name, chunk))

    def read(self, seconds: float) -> tuple[str, bytes] | None:
        try:
            name, chunk = self._chunks.get(timeout=seconds) if seconds else self._chunks.get_nowait()
        except queue.Empty:
            return None
        if not chunk:
            self._open.discard(name)
        return name, chunk

    def is_open(self) -> bool:
        return bool(self._open)

    def close(self) -> None:
        self._closed = True


def _kill(process: subprocess.Popen[bytes], *, windows: bool) -> None:
    """Kill the command and its children, also if it has ended and they have not, and leave no zombie."""
    if windows:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(  # noqa: S603  # the argument is a number
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],  # noqa: S607  # a part of Windows
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TASKKILL_SECONDS,
                check=False,
            )
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    process.wait()
