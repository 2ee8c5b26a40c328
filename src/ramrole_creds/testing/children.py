"""The redirect of the metadata address, for the programs that a test starts.

The environment carries it. Python imports the `sitecustomize` of this package at its start, Node.js requires a script,
Java reads the proxy that is named in `JAVA_TOOL_OPTIONS`, and every other program is given the fake cloud as its proxy
for plain HTTP, which curl, wget and programs in Go follow. A child that would not read its environment could reach the
real address, so starting one is an error. A program that ignores proxies is not covered: give it `cloud.url`, or a
network namespace.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds._http.urls import parse_base_url
from ramrole_creds.testing.environment import OTHER_ENDPOINT_VARIABLE, changed_environment
from ramrole_creds.testing.network import RealAddressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REDIRECT_VARIABLE = "RAMROLE_CREDS_TEST_REDIRECT"
NO_ADDRESS = "none"
HOOK_DIRECTORY = str(Path(__file__).parent / "child_hook")
NO_PROXY = "localhost,127.0.0.1,::1"

_NODE_HOOK = f'--require "{(Path(HOOK_DIRECTORY) / "redirect.js").as_posix()}"'
_NOTHING_LISTENS = "http://127.0.0.1:9"
_ISOLATING_FLAGS = ("I", "E", "S")
_CARRIED = (REDIRECT_VARIABLE, OTHER_ENDPOINT_VARIABLE, "PYTHONPATH", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS")
_BEFORE_A_COMMAND = re.compile(r"env|exec|nohup|then|do|.*[;&|({=].*")  # words of a command line before a program
_EMPTYING = frozenset({"-", "-i", "--ignore-environment"})  # options of env(1)


def child_environment(url: str | None) -> dict[str, str]:
    """The variables by which children in Python, Node.js and Java redirect the metadata address.

    Args:
        url: the base URL to connect to instead; None refuses the connections.

    Raises:
        ValueError: it is not a base URL.
    """
    path = os.environ.get("PYTHONPATH", "")
    entries = [entry for entry in path.split(os.pathsep) if entry and entry != HOOK_DIRECTORY]
    _, host, port = parse_base_url(url or _NOTHING_LISTENS).origin
    java = f"-Dhttp.proxyHost={host} -Dhttp.proxyPort={port} -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
    return {
        REDIRECT_VARIABLE: url or NO_ADDRESS,
        OTHER_ENDPOINT_VARIABLE: url or _NOTHING_LISTENS,
        "PYTHONPATH": os.pathsep.join([HOOK_DIRECTORY, *entries]),
        "NODE_OPTIONS": f"{os.environ.get('NODE_OPTIONS', '').replace(_NODE_HOOK, '')} {_NODE_HOOK}".strip(),
        "JAVA_TOOL_OPTIONS": f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} {java}".strip(),  # the last one counts
    }


def proxy_environment(url: str | None) -> dict[str, str]:
    """The variables by which other programs reach the fake at the real address: it is their proxy for plain HTTP."""
    proxy = url or _NOTHING_LISTENS
    return {"http_proxy": proxy, "HTTP_PROXY": proxy, "no_proxy": NO_PROXY, "NO_PROXY": NO_PROXY}


@contextlib.contextmanager
def reach_children(url: str | None) -> Iterator[None]:
    """Redirect the metadata address in the programs that this process starts while the context lasts.

    Raises:
        RealAddressError: in the code that starts a child which would not take the redirect over.
    """
    _stop_fork_server()
    try:
        with changed_environment(child_environment(url)), _checked_children():
            yield
    finally:
        _stop_fork_server()


def _stop_fork_server() -> None:
    """Let multiprocessing start a new fork server: it keeps the environment that it was started with.

    One that has children goes on, since they would count as dead without it.
    """
    module = sys.modules.get("multiprocessing.forkserver")
    stop = getattr(getattr(module, "_forkserver", None), "_stop", None)
    if stop is not None and not sys.modules["multiprocessing"].active_children():
        stop()


_depth = 0
_lock = threading.Lock()  # guards _depth and the patch
_real_init = subprocess.Popen.__init__
_real_system = os.system


@contextlib.contextmanager
def _checked_children() -> Iterator[None]:
    global _depth  # noqa: PLW0603  # one patch per process
    with _lock:
        _depth += 1
        if _depth == 1:
            _patch(_checked_init, _checked_system)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _patch(_real_init, _real_system)


def _patch(init: Callable[..., None], system: Callable[[Any], int]) -> None:
    subprocess.Popen.__init__ = init  # type: ignore[method-assign]
    os.system = system  # type: ignore[assignment]  # takes what os.system takes


def _checked_init(self: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:  # noqa: ANN401  # as Popen takes them
    # `env` is the eleventh argument of Popen, `shell` the ninth.
    given = options.get("env") if len(more) < 10 else more[9]
    shell = options.get("shell", False) if len(more) < 8 else more[7]
    command = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
    words = [os.fsdecode(word) for word in command]
    environment = _environment_of(_split(words[0]) if shell and words else words, given, shell=bool(shell))
    if len(more) < 10:
        options["env"] = environment
    else:
        more = (*more[:9], environment, *more[10:])
    _real_init(self, args, *more, **options)


def _checked_system(command: Any) -> int:  # noqa: ANN401  # as os.system takes it
    _refuse_isolated(_split(os.fsdecode(command)))
    with changed_environment(_proxies()):
        return _real_system(command)


def _environment_of(words: Sequence[str], given: Mapping[Any, Any] | None, *, shell: bool) -> Mapping[Any, Any] | None:
    """The environment for a child, with the redirect in it.

    Raises:
        RealAddressError: the child would not take it over.
    """
    _refuse_isolated(words)
    if words and _is_python(words[0]) and not shell:
        if given is not None and not _has_hook(given):
            raise _escape(words)
        return given
    return _with_redirect(os.environ if given is None else given)


def _with_redirect(inherited: Mapping[Any, Any]) -> Mapping[Any, Any]:
    names = {os.fsdecode(name).upper() for name in inherited}
    carried = {name: os.environ[name] for name in _CARRIED if name in os.environ}
    added = {**carried, **_proxies()}
    return {**inherited, **{name: value for name, value in added.items() if name.upper() not in names}}


def _proxies() -> dict[str, str]:
    url = os.environ.get(REDIRECT_VARIABLE, NO_ADDRESS)
    return proxy_environment(None if url == NO_ADDRESS else url)


def _refuse_isolated(words: Sequence[str]) -> None:
    for position, word in enumerate(words):
        if position and not _BEFORE_A_COMMAND.fullmatch(words[position - 1]):
            continue
        rest = words[position + 1 :]
        isolated = _is_python(word) and _is_isolated(rest)
        if isolated or (Path(word).name == "env" and rest and rest[0] in _EMPTYING):
            raise _escape(words[position:])


def _escape(words: Sequence[str]) -> RealAddressError:
    kind = "Python child" if _is_python(words[0]) else "child"
    return RealAddressError(
        f"The {kind} {list(words[:2])!r} does not inherit the redirect of 100.100.100.200 and could reach the real "
        "metadata service. Start it with the environment of this process (add to os.environ instead of replacing "
        "it); start Python without -I, -E and -S."
    )


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _is_python(program: str) -> bool:
    name = Path(program).name.lower()
    return program == sys.executable or name.startswith(("python", "pypy"))


def _is_isolated(arguments: Sequence[str]) -> bool:
    """True for a Python that ignores its environment or does not import `sitecustomize`."""
    for word in arguments:
        if not word.startswith("-") or word in {"-", "-c", "-m"}:
            return False
        if not word.startswith("--") and any(flag in word for flag in _ISOLATING_FLAGS):
            return True
    return False


def _has_hook(environment: Mapping[Any, Any]) -> bool:
    names = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    return REDIRECT_VARIABLE in names and HOOK_DIRECTORY in names.get("PYTHONPATH", "").split(os.pathsep)
