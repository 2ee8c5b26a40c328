"""Credentials that a command prints: the External mode of the aliyun CLI."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, ClassVar, Final

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_seconds
from ramrole_creds._formats.credential_json import (
    PASCAL_CASE,
    SNAKE_CASE,
    json_object,
    read_credentials,
    safe_message,
    text_of,
)
from ramrole_creds.errors import ConfigurationError, ProcessError
from ramrole_creds.provider import CredentialProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions

MAX_OUTPUT_BYTES: Final = 65536
MAX_STDERR_BYTES: Final = 65536
MAX_STDERR_CHARACTERS: Final = 2000
CHUNK_BYTES: Final = 16384
TASKKILL_SECONDS: Final = 5.0
ON_WINDOWS = os.name == "nt"

_NAMED_SECRET = re.compile(r"(?i)\b(\w*(?:secret|token|password|passwd)\w*)(\s*[\"']?\s*[:=]\s*[\"']?)[^\s\"',;]+")


class ProcessProvider(CredentialProvider):
    """Runs a command and reads the credentials that it prints as JSON.

    Two formats are accepted: that of the aliyun CLI's External mode (`mode` "AK" or "StsToken", `access_key_id`,
    `access_key_secret`, `sts_token`, `expiration`), and that of the metadata service (`AccessKeyId`,
    `AccessKeySecret`, `SecurityToken`, `Expiration`). Without an expiration the command runs again every few minutes.
    No shell is involved, and the standard input of the command is closed.

    Args:
        command: a list of arguments, or one text that is split as a POSIX shell would split it (on Windows
            backslashes are kept).
        timeout: seconds after which the command and its children are killed.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: the command is empty, its text cannot be split, or `timeout` is not valid.
    """

    name: ClassVar[str] = "external"
    default_policy: ClassVar[RefreshPolicy] = RefreshPolicy(fetch_timeout=60.0)

    def __init__(
        self, command: str | Sequence[str], *, timeout: float = 60.0, **options: Unpack[ProviderOptions]
    ) -> None:
        super().__init__(**options)
        self._arguments = split_command(command, windows=ON_WINDOWS)
        self._timeout = checked_seconds("timeout", timeout)

    def fetch(self, context: FetchContext) -> Credentials:
        """Run the command now.

        Raises:
            ProcessError: the command cannot be run, failed, took too long, or printed something else.
        """
        credentials = self._read(self._run(min(self._timeout, context.remaining())))
        context.recheck_after()  # a key without an expiry may be replaced at its source
        return credentials

    def explain(self) -> str:
        """What a fetch would do."""
        return f"would run {self._title()}"

    def _title(self) -> str:
        """The program without its arguments, which may hold secrets."""
        return os.path.basename(self._arguments[0])  # noqa: PTH119  # of a Windows path too, on every platform

    def _run(self, seconds: float) -> bytes:
        process = self._start()
        output, complaints = bytearray(), bytearray()
        if not _ends_within(seconds, process, output, complaints):
            raise ProcessError(
                f"The credential command {self._title()} did not end within {seconds:.3g} s and was killed. Is it "
                "waiting for input? Its standard input is closed."
            )
        if len(output) > MAX_OUTPUT_BYTES:
            raise self._unreadable(f"more than {MAX_OUTPUT_BYTES} bytes")
        if process.returncode != 0:
            text = _NAMED_SECRET.sub(r"\1\2[…]", complaints.decode("utf-8", "replace"))
            said = safe_message(text[-MAX_STDERR_CHARACTERS:])
            raise ProcessError(
                f"The credential command {self._title()} ended with status {process.returncode}"
                + (f" and wrote to standard error: {said}" if said else " and wrote nothing to standard error.")
            )
        return bytes(output)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  # the user's own command, without a shell
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=not ON_WINDOWS,  # so that its children can be killed with it
                creationflags=getattr(
                    subprocess, "CREATE_NO_WINDOW", 0
                ),  # no console window opens in front of a GUI program
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "an argument contains a NUL character"
        raise ProcessError(
            f"The credential command {self._title()} cannot be run ({reason}). Give its full path, and check its mode.",
            unrecoverable=True,
        )

    def _read(self, output: bytes) -> Credentials:
        make_error = self._unreadable
        document = json_object(output, make_error)
        spelling = PASCAL_CASE if "AccessKeyId" in document else SNAKE_CASE
        mode = document.get("mode")
        if mode is not None and mode not in ("AK", "StsToken"):
            raise make_error('a document whose mode is neither "AK" nor "StsToken"')
        if mode == "AK" and text_of(document, spelling.security_token):
            document = {name: value for name, value in document.items() if name != spelling.security_token}
        return read_credentials(
            document,
            spelling,
            make_error,
            provider_name=self.name,
            token_required=mode == "StsToken",
            expiration_required=False,
        )

    def _unreadable(self, what: str) -> ProcessError:
        return ProcessError(
            f"The credential command {self._title()} printed {what}. It must print one JSON object to standard "
            "output, and everything else to standard error."
        )


def split_command(command: str | Sequence[str], *, windows: bool) -> list[str]:
    """The arguments of a command.

    Raises:
        ConfigurationError: the command is empty, or its text cannot be split.
    """
    given: object = command  # a caller without a type checker may pass anything
    if isinstance(command, str):
        try:
            if windows:
                lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
                lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
                arguments = list(lexer)
            else:
                arguments = shlex.split(command.replace("\\\n", ""))
        except ValueError as error:
            raise ConfigurationError(f"The credential command cannot be split into arguments: {error}.") from None
    else:
        arguments = list(given) if isinstance(given, Sequence) else []
    if not arguments or not arguments[0] or not all(isinstance(argument, str) for argument in arguments):
        raise ConfigurationError("The credential command must be a text or a list of texts, and not empty.")
    return arguments


def _ends_within(seconds: float, process: subprocess.Popen[bytes], output: bytearray, complaints: bytearray) -> bool:
    """Whether the command ended and its pipes were closed in time; fills in what it wrote."""
    deadline = time.monotonic() + seconds

    def left() -> float:
        return max(0.0, deadline - time.monotonic())

    readers = [
        threading.Thread(target=_read_pipe, args=arguments, daemon=True)
        for arguments in (
            (process.stdout, output, MAX_OUTPUT_BYTES, lambda: _end(process)),
            (process.stderr, complaints, MAX_STDERR_BYTES, None),
        )
    ]
    ended = False
    try:
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(left())
        if not any(reader.is_alive() for reader in readers):
            process.wait(left())
            ended = True
    except subprocess.TimeoutExpired:
        pass  # it has closed its pipes but has not ended
    finally:
        if not ended:
            _end(process)
    return ended


def _read_pipe(pipe: IO[bytes], kept: bytearray, most: int, too_much: Callable[[], None] | None) -> None:
    """Read a pipe to its end. More than `most` bytes call `too_much` and stop; without it, the last bytes are kept."""
    with pipe:
        while chunk := os.read(pipe.fileno(), CHUNK_BYTES):
            kept += chunk
            if len(kept) > most:
                if too_much is not None:
                    too_much()
                    return
                del kept[:-most]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the command and its children, also if it has ended and they have not, and leave no zombie."""
    if ON_WINDOWS:
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
