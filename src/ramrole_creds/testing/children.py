"""The redirect of the metadata address, for the programs that a test starts.

The environment carries it. Python imports the `sitecustomize` of this package at its start, Node.js requires a script,
Java reads the proxy that is named in `JAVA_TOOL_OPTIONS`, and every other program is given the fake cloud as its proxy
for plain HTTP, which curl, wget and programs in Go follow. A child that would not read its environment could reach the
real address, so starting one is an error. A program that ignores proxies is not covered: give it `cloud.url`, or a
network namespace.
"""

from __future__ import annotations

import contextlib
import inspect
import ipaddress
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ramrole_creds._http.urls import parse_base_url
from ramrole_creds.testing.environment import OTHER_ENDPOINT_VARIABLE, changed_environment
from ramrole_creds.testing.network import RealAddressError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REDIRECT_VARIABLE = "RAMROLE_CREDS_TEST_REDIRECT"
NO_ADDRESS = "none"
HOOK_DIRECTORY = str(Path(__file__).parent / "child_hook")
NO_PROXY = "localhost,127.0.0.1,::1"

_NODE_HOOK = f'--require "{(Path(HOOK_DIRECTORY) / "redirect.js").as_posix()}"'
_JAVA_PROXY = re.compile(r" ?-Dhttp\.proxyHost=\S+ -Dhttp\.proxyPort=\d+ -Dhttp\.nonProxyHosts=\S+$")
_NOTHING_LISTENS = "http://127.0.0.1:9"
_METADATA_ADDRESS = ipaddress.ip_address("100.100.100.200")
_ISOLATING_FLAGS = ("I", "E", "S")
_BEFORE_A_COMMAND = re.compile(r"env|exec|nohup|then|do|.*[;&|({=].*")  # words of a command line before a program
_EMPTYING = frozenset({"-", "-i", "--ignore-environment"})  # options of env(1)

Environment = Mapping[Any, Any]


def child_environment(url: str | None, inherited: Environment | None = None) -> dict[str, str]:
    """The variables by which children in Python, Node.js and Java redirect the metadata address.

    Args:
        url: the base URL to connect to instead; None refuses the connections.
        inherited: the variables that the child has otherwise; None for those of this process.

    Raises:
        ValueError: it is not a base URL.
    """
    given = _as_texts(os.environ if inherited is None else inherited)
    path = given.get("PYTHONPATH", "")
    entries = [entry for entry in path.split(os.pathsep) if entry and entry != HOOK_DIRECTORY]
    _, host, port = parse_base_url(url or _NOTHING_LISTENS).origin
    java = f"-Dhttp.proxyHost={host} -Dhttp.proxyPort={port} -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
    return {
        REDIRECT_VARIABLE: url or NO_ADDRESS,
        OTHER_ENDPOINT_VARIABLE: url or _NOTHING_LISTENS,
        "PYTHONPATH": os.pathsep.join([HOOK_DIRECTORY, *entries]),
        "NODE_OPTIONS": f"{given.get('NODE_OPTIONS', '').replace(_NODE_HOOK, '')} {_NODE_HOOK}".strip(),
        "JAVA_TOOL_OPTIONS": f"{_JAVA_PROXY.sub('', given.get('JAVA_TOOL_OPTIONS', ''))} {java}".strip(),
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
        with changed_environment(child_environment(url)), _checked_children(url):
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


_urls: list[str | None] = []  # where the children of this process are redirected to; the last one counts
_lock = threading.Lock()  # guards _urls and the patch
_real_init = subprocess.Popen.__init__
_INIT_SIGNATURE = inspect.signature(_real_init)
_real_system = os.system
# Programs that take the place of this process, and those that it spawns without `subprocess`; not all on every system.
_REAL = {name: getattr(os, name) for name in ("execv", "execve", "posix_spawn", "posix_spawnp") if hasattr(os, name)}


@contextlib.contextmanager
def _checked_children(url: str | None) -> Iterator[None]:
    with _lock:
        _urls.append(url)
        _patch(_checked_init, _checked_system, _CHECKED)
    try:
        yield
    finally:
        with _lock:
            _urls.remove(url)
            if not _urls:
                _patch(_real_init, _real_system, _REAL)


def _patch(init: Callable[..., None], system: Callable[[Any], int], starters: Mapping[str, Callable[..., Any]]) -> None:
    subprocess.Popen.__init__ = init  # type: ignore[method-assign]
    os.system = system  # type: ignore[assignment]  # takes what os.system takes
    for name, starter in starters.items():
        setattr(os, name, starter)


def _checked_init(self: subprocess.Popen[Any], *given: Any, **options: Any) -> None:  # noqa: ANN401  # as Popen takes them
    call = _INIT_SIGNATURE.bind(self, *given, **options)
    words, shell = _words(call.arguments["args"]), bool(call.arguments.get("shell"))
    words = _split(words[0]) if shell and words else words
    call.arguments["env"] = _environment_of(words, call.arguments.get("env"), shell=shell)
    _real_init(*call.args, **call.kwargs)


def _checked_system(command: Any) -> int:  # noqa: ANN401  # as os.system takes it
    _refuse_isolated(_split(os.fsdecode(command)))
    with changed_environment(_redirecting(os.environ)):
        return _real_system(command)


def _checked_execv(path: Any, args: Any) -> Any:  # noqa: ANN401  # as os.execv takes them
    return _REAL["execve"](path, args, _environment_of(_words(args), os.environ))


def _checked_execve(path: Any, args: Any, env: Environment) -> Any:  # noqa: ANN401  # as os.execve takes them
    return _REAL["execve"](path, args, _environment_of(_words(args), env))


def _checked_posix_spawn(path: Any, argv: Any, env: Environment, **options: Any) -> int:  # noqa: ANN401  # as os.posix_spawn takes them
    return int(_REAL["posix_spawn"](path, argv, _environment_of(_words(argv), env), **options))


def _checked_posix_spawnp(path: Any, argv: Any, env: Environment, **options: Any) -> int:  # noqa: ANN401  # as os.posix_spawnp takes them
    return int(_REAL["posix_spawnp"](path, argv, _environment_of(_words(argv), env), **options))


_STARTERS: Mapping[str, Callable[..., Any]] = {
    "execv": _checked_execv,
    "execve": _checked_execve,
    "posix_spawn": _checked_posix_spawn,
    "posix_spawnp": _checked_posix_spawnp,
}
_CHECKED: Mapping[str, Callable[..., Any]] = {name: _STARTERS[name] for name in _REAL}


def _words(args: Any) -> list[str]:  # noqa: ANN401  # a command as Popen takes it
    command = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
    return [os.fsdecode(word) for word in command]


def _environment_of(words: Sequence[str], given: Environment | None, *, shell: bool = False) -> Environment | None:
    """The environment for a child, with the redirect in it.

    Raises:
        RealAddressError: the child would not take it over.
    """
    _refuse_isolated(words)
    inherited = os.environ if given is None else given
    if not words or not _is_python(words[0]) or shell:
        return {**_as_texts(inherited), **_redirecting(inherited)}
    if _has_hook(inherited):
        return given
    if given is not None and given is not os.environ and REDIRECT_VARIABLE not in _as_texts(given):
        raise _escape(words)
    return {**_as_texts(inherited), **_hooks(_as_texts(inherited))}


def _hooks(given: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python, Node.js and Java read; an endpoint that was chosen for the child stays."""
    chosen = {name: given[name] for name in (REDIRECT_VARIABLE, OTHER_ENDPOINT_VARIABLE) if name in given}
    return {**child_environment(_url(given), given), **chosen}


def _redirecting(inherited: Environment) -> dict[str, str]:
    """The variables to add, for programs of any language; a proxy that was chosen stays."""
    given = _as_texts(inherited)
    chosen = {name.upper() for name in given}
    proxies = {name: value for name, value in proxy_environment(_url(given)).items() if name.upper() not in chosen}
    for name in ("no_proxy", "NO_PROXY"):
        if name in given:
            proxies[name] = ",".join(one for one in given[name].split(",") if not _exempts_metadata(one.strip()))
    return {**_hooks(given), **proxies}


def _exempts_metadata(entry: str) -> bool:
    """True for an entry of `no_proxy` by which a client would connect to the metadata address without its proxy."""
    if entry == "*" or "100.100.100.200".endswith("." + entry.lstrip(".")):
        return True
    try:
        return _METADATA_ADDRESS in ipaddress.ip_network(entry.partition(":")[0], strict=False)
    except ValueError:
        return False


def _url(given: Mapping[str, str]) -> str | None:
    """Where a child with these variables is redirected to."""
    stated = given.get(REDIRECT_VARIABLE, _urls[-1] if _urls else None)
    return None if stated == NO_ADDRESS else stated


def _as_texts(environment: Environment) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}


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


def _has_hook(environment: Environment) -> bool:
    names = _as_texts(environment)
    return REDIRECT_VARIABLE in names and HOOK_DIRECTORY in names.get("PYTHONPATH", "").split(os.pathsep)
