"""The redirect of the metadata address, for the Python children of a test.

The environment carries it: every Python that inherits it imports the `sitecustomize` of this package at its start. A
Python child without it could reach the real address, so starting one is an error. Programs that are not Python are
not covered: give them `cloud.url`, or a network namespace.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.environment import changed_environment
from ramrole_creds.testing.network import RealAddressError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REDIRECT_VARIABLE = "RAMROLE_CREDS_TEST_REDIRECT"
NO_ADDRESS = "none"
HOOK_DIRECTORY = str(Path(__file__).parent / "child_hook")

_ISOLATING_FLAGS = ("I", "E", "S")


def child_environment(url: str | None) -> dict[str, str]:
    """The variables by which Python children redirect the metadata address.

    Args:
        url: the base URL to connect to instead; None refuses the connections.
    """
    path = os.environ.get("PYTHONPATH", "")
    entries = [entry for entry in path.split(os.pathsep) if entry and entry != HOOK_DIRECTORY]
    return {
        REDIRECT_VARIABLE: url or NO_ADDRESS,
        "PYTHONPATH": os.pathsep.join([HOOK_DIRECTORY, *entries]),
    }


@contextlib.contextmanager
def reach_children(url: str | None) -> Iterator[None]:
    """Redirect the metadata address in Python children while the context lasts.

    Raises:
        RealAddressError: in the code that starts a Python child without the redirect.
    """
    with changed_environment(child_environment(url)), _checked_children():
        yield


_depth = 0
_lock = threading.Lock()  # guards _depth and the patch
_real_init = subprocess.Popen.__init__


@contextlib.contextmanager
def _checked_children() -> Iterator[None]:
    global _depth  # noqa: PLW0603  # one patch per process
    with _lock:
        _depth += 1
        if _depth == 1:
            subprocess.Popen.__init__ = _checked_init  # type: ignore[method-assign]
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                subprocess.Popen.__init__ = _real_init  # type: ignore[method-assign]


def _checked_init(self: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:  # noqa: ANN401  # as Popen takes them
    # `env` is the eleventh argument of Popen.
    environment = options.get("env") if len(more) < 10 else more[9]
    command = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
    words = [os.fsdecode(word) for word in command]
    if words and _is_python(words[0]) and _escapes(words, environment):
        raise RealAddressError(
            f"The Python child {words[:2]!r} does not inherit the redirect of 100.100.100.200 and could reach the real "
            "metadata service. Start it with the environment of this process (add to os.environ instead of replacing "
            "it) and without -I, -E and -S."
        )
    _real_init(self, args, *more, **options)


def _is_python(program: str) -> bool:
    name = Path(program).name.lower()
    return program == sys.executable or name.startswith(("python", "pypy"))


def _escapes(words: Sequence[str], environment: Mapping[Any, Any] | None) -> bool:
    for word in words[1:]:
        if not word.startswith("-") or word in {"-", "-c", "-m"}:
            break
        if not word.startswith("--") and any(flag in word for flag in _ISOLATING_FLAGS):
            return True
    if environment is None:
        return False
    names = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    return REDIRECT_VARIABLE not in names or HOOK_DIRECTORY not in names.get("PYTHONPATH", "").split(os.pathsep)
