"""Credentials that a command prints: the External mode of the aliyun CLI."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ramrole_creds._cache.policy import RefreshPolicy
from ramrole_creds._checks import checked_seconds, names_secret
from ramrole_creds._formats.credential_json import (
    PASCAL_CASE,
    SNAKE_CASE,
    json_object,
    read_credentials,
    safe_message,
    text_of,
)
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import ProcessError, cannot_be_pickled
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers._command import MAX_OUTPUT_BYTES, CommandTimeout, OutputTooLong, run_command
from ramrole_creds.providers._command_line import split_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions
    from ramrole_creds.providers._command import CommandResult

MAX_STDERR_CHARACTERS: Final = 1000
MAX_STDERR_LINES: Final = 20
MAX_NAME_CHARACTERS: Final = 80
ON_WINDOWS: Final = os.name == "nt"

# Errors that may be gone at the next attempt: no process, descriptor or memory is left.
_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]{0,256}:[^/@\s]{1,1024}@")
_SHORTAGES = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
# The name of a secret up to the separator before its value. Every repetition is bounded, so that no output of a command
# makes the search slow.
_NAME = r"""(?:(?:secret|token|passw(?:or)?d)\w{0,40}["']?\s{0,8}[:=]|\bbearer\s)"""
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_ENDS_WITH_NAME = re.compile(rf"{_NAME}\s*$", re.IGNORECASE)
_VALUE = re.compile(r"""(?:"[^"]*"?|'[^']*'?|[^\s"',;]+)""")
_HIDDEN = "[…]"
# The length of a word from which `safe_message` hides it.
_SECRET_LIKE_CHARACTERS = 25


class ProcessProvider(CredentialProvider):
    """Runs a command and reads the credentials that it prints as JSON.

    Two formats are accepted: that of the aliyun CLI's External mode (`mode` "AK" or "StsToken", `access_key_id`,
    `access_key_secret`, `sts_token`, `expiration`), and that of the metadata service (`AccessKeyId`,
    `AccessKeySecret`, `SecurityToken`, `Expiration`). Without an expiration the command runs again every five minutes.
    No shell is involved, and the standard input of the command is closed. When the command ends, children that still
    hold its output are killed; a daemon that has left its process group goes on.

    Args:
        command: a list of arguments, or one text that is split as a POSIX shell would split it; on Windows, as
            Windows programs split their command line.
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
        self._arguments = sealed(split_command(command, windows=ON_WINDOWS))  # one may be a secret
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
        return f"would run {self._program}"

    def __reduce__(self) -> tuple[Any, ...]:
        for argument in self._arguments()[1:]:
            if names_secret(argument.lstrip("-").partition("=")[0]) or _PASSWORD_IN_URL.search(argument):
                raise cannot_be_pickled(
                    f"This ProcessProvider of {self._program} cannot be pickled: an argument of its command would "
                    "carry a secret to other processes and files. Let the command read it from a file or a variable."
                )
        return super().__reduce__()

    @property
    def _program(self) -> str:
        """The path of the program, without its arguments, which may hold secrets."""
        return shutil.which(self._arguments()[0]) or self._arguments()[0]

    def _run(self, seconds: float) -> bytes:
        try:
            result = run_command(self._arguments(), seconds, is_complete=_is_document, windows=ON_WINDOWS)
        except CommandTimeout:
            raise ProcessError(
                f"The credential command {self._program} did not end within {seconds:.3g} s and was killed. Is it "
                "waiting for input? Its standard input is closed."
            ) from None
        except OutputTooLong:
            raise self._unreadable(f"more than {MAX_OUTPUT_BYTES} bytes") from None
        except (OSError, ValueError) as error:
            problem = self._not_started(error)
        else:
            if result.status != 0:
                raise self._failed(result)
            return result.output
        raise problem

    def _not_started(self, error: OSError | ValueError) -> ProcessError:
        reason = error.strerror if isinstance(error, OSError) else "an argument contains a NUL character"
        if isinstance(error, OSError) and error.errno in _SHORTAGES:
            return ProcessError(
                f"The credential command {self._program} cannot be run now ({reason}). Check the limits of "
                "this process."
            )
        return ProcessError(
            f"The credential command {self._program} cannot be run ({reason}). Give its full path, and check its mode.",
            unrecoverable=True,
        )

    def _failed(self, result: CommandResult) -> ProcessError:
        complaint = describe_stderr(result.stderr, cut=result.stderr_cut)
        return ProcessError(
            f"The credential command {self._program} ended with status {result.status}"
            + (
                f" and wrote to standard error: {complaint}"
                if complaint
                else " and wrote nothing to standard error. Run it by hand as the user of this process."
            )
        )

    def _read(self, output: bytes) -> Credentials:
        make_error = self._unreadable
        document = json_object(output, make_error)
        names = PASCAL_CASE if "AccessKeyId" in document else SNAKE_CASE
        mode = document.get("mode")
        if mode is not None and mode not in ("AK", "StsToken"):
            raise make_error('a document whose mode is neither "AK" nor "StsToken"')
        if mode == "AK" and text_of(document, names.security_token):
            document = {name: value for name, value in document.items() if name != names.security_token}
        return read_credentials(
            document,
            names,
            make_error,
            provider_name=self.name,
            token_required=mode == "StsToken",
            expiration_required=False,
        )

    def _unreadable(self, what: str) -> ProcessError:
        return ProcessError(
            f"The credential command {self._program} printed {what}. It must print one JSON object to standard "
            "output, and everything else to standard error."
        )


def describe_stderr(written: bytes, *, cut: bool) -> str:
    """The last lines of a command's standard error, without anything that may be a secret.

    Args:
        written: the end of the standard error.
        cut: True if its beginning is missing; then its first line is dropped, since the name of a secret may be
            missing with it.
    """
    text = written.decode("utf-8", "replace")
    if cut:
        text = text.partition("\n")[2]
    # Hidden before anything is cut off: a part of a secret no longer looks like one.
    lines = _safe_lines(_without_private_keys(text).splitlines())
    return " ".join(lines[-MAX_STDERR_LINES:])[-MAX_STDERR_CHARACTERS:]


def _safe_lines(lines: list[str]) -> list[str]:
    shown: list[str] = []
    in_secret = needs_value = False
    for words, line in ((line.split(), line) for line in lines if line.strip()):
        in_secret = in_secret and len(words) == 1  # the rest of a long secret that was wrapped
        safe = _HIDDEN if in_secret or needs_value else safe_message(_without_values(line))
        needs_value = _ENDS_WITH_NAME.search(line.rstrip()[-MAX_NAME_CHARACTERS:] + " ") is not None
        in_secret = in_secret or len(words[-1]) >= _SECRET_LIKE_CHARACTERS
        if [safe] != shown[-1:] or safe != _HIDDEN:
            shown.append(safe)
    return shown


def _without_values(line: str) -> str:
    """The line without the value of a secret; after the second name of a secret, without the rest of the line."""
    names = list(islice(_SECRET_NAME.finditer(line), 2))
    if not names:
        return line
    name, rest = line[: names[0].end()], line[names[0].end() :].lstrip()
    value = _VALUE.match(rest)
    if len(names) > 1 or value is None:
        return f"{name} {_HIDDEN}"
    return f"{name} {_HIDDEN}{rest[value.end() :]}"


def _without_private_keys(text: str) -> str:
    start, end = text.find("-----BEGIN"), text.rfind("-----END")
    if start < 0:
        return text
    return text[:start] + _HIDDEN + (text[end:].partition("\n")[2] if end > start else "")


def _is_document(output: bytes) -> bool:
    """Whether the output is a whole JSON object."""
    if not output.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(output), dict)
    except (ValueError, RecursionError):
        return False
