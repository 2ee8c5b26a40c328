"""The client under test, as a process that prints the credentials it gets.

The protocol: for each line `fetch` on its standard input the program prints one line, a JSON object with the
credentials (`access_key_id`, `access_key_secret`, `security_token`) or `{"error": "…"}`. A client that does not show
its secret gives `{"signed_url": "…"}` instead, a URL of OSS that it signed with them. It ends at the end of its input.
A program that only fetches once reads nothing and prints one such object, on one line or on several: the document of
the metadata service will do.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, cast

from ramrole_creds.testing.masking import mask_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

MAX_SHOWN_CHARACTERS = 200
MAX_LINE_CHARACTERS = 1024 * 1024
MAX_KEPT_CHARACTERS = 4 * MAX_LINE_CHARACTERS  # of what it writes besides answers
END_SECONDS = 5.0

Kind = Literal["credentials", "error", "silence", "crash"]
_FIELDS = ("access_key_id", "access_key_secret", "security_token", "signed_url")


@dataclass(frozen=True, slots=True, repr=False)
class Fetched:
    """What one fetch ended in: "silence" is nothing within the time limit, "error" an error of the client.

    `text` is that error, or how it ended; `signed_url` a URL that it signed, where it does not show its secret.
    """

    kind: Kind
    text: str = ""
    access_key_id: str = ""
    access_key_secret: str = ""
    security_token: str = ""
    signed_url: str = ""

    @property
    def shown(self) -> str:
        """The beginning of the text, in one line and without secrets."""
        return mask_text(" ".join(self.text.split()))[:MAX_SHOWN_CHARACTERS]

    def __repr__(self) -> str:
        return f"Fetched({self.kind}, {self.access_key_id or self.shown})"


class ClientProcess:
    """One run of the client.

    Args:
        command: the program and its arguments.
        environment: its environment.
        once: it fetches once, without reading its input.
        time_limit: seconds for a fetch, the start of the program included.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, once: bool, time_limit: float
    ) -> None:
        self._command = list(command)
        self._environment = environment
        self._once = once
        self._time_limit = time_limit
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._output: deque[str] = deque()
        self._lock = threading.Lock()  # guards _output
        self._kept = 0
        self._silent = False
        self._readers: list[threading.Thread] = []
        self.has_answered: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    @property
    def output(self) -> str:
        """Everything that it wrote, the answers of the protocol aside."""
        with self._lock:
            return "".join(self._output)

    def fetch(self) -> Fetched:
        """Let the client fetch; a program that fetches once is started again."""
        process = self._process
        if process is None or self._once:
            self.finish()
            process = self._start()
        if not self._once and process.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended, which its output says
                process.stdin.write("fetch\n")
                process.stdin.flush()
        fetched = self._answer_of_once(process) if self._once else self._answer(process)
        self.has_answered |= fetched.kind in {"credentials", "error"}
        return fetched

    def unasked(self) -> str:
        """What is wrong with an answer that no fetch was given, once the process has ended; "" if there is none."""
        if self._once:
            return ""
        with contextlib.suppress(queue.Empty):
            answer = (self._lines.get_nowait() or "").strip()
            if answer and self._silent:
                return (
                    f"an answer came after the {self._time_limit:g} s of its fetch, or at the end of the input. End "
                    "each answer with a line end, and flush the output after it"
                )
            if answer:
                return f"the client printed more than one answer to a fetch: {mask_text(answer)[:MAX_SHOWN_CHARACTERS]}"
        return ""

    def _start(self) -> subprocess.Popen[str]:
        self._lines = queue.Queue()
        process = self._process = subprocess.Popen(  # noqa: S603  # the user's command
            self._command,
            stdin=subprocess.DEVNULL if self._once else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=dict(self._environment),
            start_new_session=True,  # so that what it starts ends with it
        )
        streams = cast("list[IO[str]]", [process.stdout, process.stderr])  # of a process with pipes
        for stream, lines in zip(streams, (self._lines, None), strict=True):
            reader = threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            reader.start()
            self._readers.append(reader)
        return process

    def _read(self, stream: IO[str], lines: queue.Queue[str | None] | None) -> None:
        with stream:
            while line := stream.readline(MAX_LINE_CHARACTERS):
                if lines is None or not (self._once or line.lstrip().startswith("{")):
                    self._keep(line)
                else:
                    lines.put(line)
        if lines is not None:
            lines.put(None)

    def _keep(self, line: str) -> None:
        """Add a line to the output, of which the oldest lines make room."""
        with self._lock:
            self._output.append(line)
            self._kept += len(line)
            while self._kept > MAX_KEPT_CHARACTERS:
                self._kept -= len(self._output.popleft())

    def _answer(self, process: subprocess.Popen[str]) -> Fetched:
        try:
            line = self._lines.get(timeout=self._time_limit)
        except queue.Empty:
            return self._silence()
        return self._crash(process) if line is None else _parsed(line)

    def _answer_of_once(self, process: subprocess.Popen[str]) -> Fetched:
        """The first line that is an object, or else everything from the first brace on."""
        deadline, printed = time.monotonic() + self._time_limit, ""
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._keep(printed)
                return self._silence()
            if line is None:
                break
            printed += line
            fetched = _parsed(line)
            if fetched.kind != "crash":
                self._keep(printed.removesuffix(line))
                return fetched
        if "{" not in printed:
            self._keep(printed)
            return self._crash(process)
        return _parsed(printed[printed.index("{") :])

    def _silence(self) -> Fetched:
        self._silent = True
        return Fetched("silence", f"no answer within {self._time_limit:g} s{self._last_line()}")

    def _crash(self, process: subprocess.Popen[str]) -> Fetched:
        self._lines.put(None)  # for a fetch after this one
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        for reader in self._readers:
            reader.join(END_SECONDS)
        text = f"the client ended with status {process.returncode} and without an answer{self._last_line()}"
        return Fetched("crash", text)

    def _last_line(self) -> str:
        """The end of what the client wrote besides answers, which says most about a missing answer."""
        lines = self.output.strip().splitlines()
        return f"; it wrote: {lines[-1].strip()}" if lines else ""

    def finish(self) -> None:
        """End the process and wait for the rest of its output."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.0 if self._once else END_SECONDS)
        _kill(process)
        process.wait()
        for reader in self._readers:
            reader.join(END_SECONDS)
        self._readers.clear()


def _kill(process: subprocess.Popen[str]) -> None:
    """End the process, and what it started where the system has sessions."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _parsed(line: str) -> Fetched:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return Fetched("crash", f"the client printed a line that is not JSON: {line.strip()}")
    if not isinstance(answer, Mapping):
        return Fetched("crash", f"the client printed JSON that is not an object: {line.strip()}")
    if "error" in answer:
        return Fetched("error", str(answer["error"]))
    return Fetched("credentials", **{name: _field(answer, name) for name in _FIELDS})


def _field(answer: Mapping[str, object], name: str) -> str:
    """The text of that name, which may be written as accessKeyId or AccessKeyId too."""
    title = name.title().replace("_", "")
    spellings = (name, title[0].lower() + title[1:], title)
    return next((text for key in spellings if isinstance(text := answer.get(key), str)), "")
