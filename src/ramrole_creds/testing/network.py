"""Redirect connections inside this process, for code that has the metadata address written into it.

This works for all that connects through Python's `socket`: http.client, requests, urllib3, httpx, aiohttp and asyncio's
own streams. It does not work for code that connects in C (uvloop, pycurl); run such code in a network namespace.
"""

from __future__ import annotations

import _socket
import contextlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ramrole_creds._http.urls import parse_base_url

if TYPE_CHECKING:
    from collections.abc import Iterator

# An address as `socket.connect` takes it; its form depends on the family of the socket.
Address = Any
# Takes the address of a connection and returns the one to use instead, or raises.
Rule = Callable[[Address], Address]


_LOCAL_SUFFIXES = (".localhost", ".127.0.0.1")


class RealAddressError(AssertionError):
    """Code under test tried to connect to an address that tests must not reach."""


@contextlib.contextmanager
def redirect_metadata(url: str) -> Iterator[None]:
    """Redirect connections to 100.100.100.200:80 to another address, in all threads, while the context lasts.

    Args:
        url: the base URL to connect to instead, for instance `cloud.url`.

    Raises:
        ValueError: it is not a base URL.
    """
    _, host, port = parse_base_url(url).origin
    target = (host, port)

    def rule(address: Address) -> Address:
        return target if _is_metadata(address) else address

    with connect_rule(rule):
        yield


@contextlib.contextmanager
def local_names() -> Iterator[None]:
    """Resolve all names below `localhost` and `127.0.0.1` to this machine while the context lasts.

    Some SDKs put the project or the bucket before the address of the service: `project.127.0.0.1`.
    """
    beneath: Callable[..., list[Any]] = socket.getaddrinfo
    active = True

    def resolve(host: object, *arguments: object, **options: object) -> list[Any]:
        is_local = active and isinstance(host, str) and host.lower().endswith(_LOCAL_SUFFIXES)
        return beneath("127.0.0.1" if is_local else host, *arguments, **options)

    socket.getaddrinfo = resolve
    try:
        yield
    finally:
        active = False
        if socket.getaddrinfo is resolve:  # else other code has replaced it and may call ours
            socket.getaddrinfo = beneath


@contextlib.contextmanager
def forbid_metadata() -> Iterator[list[str]]:
    """Raise at every connection to the real metadata address; yields the list of the attempts."""
    message = (
        "The code under test connects to the real metadata address 100.100.100.200. Use the fixture ramrole_cloud, "
        "which redirects it, or no_metadata, where nothing answers."
    )
    with _forbidden(_is_metadata, message) as tried:
        yield tried


@contextlib.contextmanager
def forbid_network() -> Iterator[list[str]]:
    """Raise at every connection that leaves loopback; yields the list of the attempts."""
    with _forbidden(
        lambda address: not _is_local(address), "A test connects to {}; only loopback is allowed here."
    ) as tried:
        yield tried


@contextlib.contextmanager
def _forbidden(is_forbidden: Callable[[Address], bool], message: str) -> Iterator[list[str]]:
    tried: list[str] = []

    def rule(address: Address) -> Address:
        if is_forbidden(address):
            tried.append(str(address))
            raise RealAddressError(message.format(repr(address)))
        return address

    with connect_rule(rule):
        yield tried


@contextlib.contextmanager
def connect_rule(rule: Rule) -> Iterator[None]:
    """Apply a rule to every connection of this process while the context lasts; the newest rule is applied first."""
    with _lock:
        _rules.append(rule)
        _patch()
    try:
        yield
    finally:
        with _lock:
            _rules.remove(rule)
            if not _rules:
                _restore()


@contextlib.contextmanager
def usable_sockets() -> Iterator[None]:
    """Sockets on loopback while the context lasts, where pytest-socket has disabled all sockets."""
    pytest_socket = sys.modules.get("pytest_socket")
    if pytest_socket is None or socket.socket is _Socket:
        yield
        return
    _enabled.append(pytest_socket)
    pytest_socket.enable_socket()
    try:
        with forbid_network():
            yield
    finally:
        _enabled.remove(pytest_socket)
        pytest_socket.disable_socket()


def keep_rules() -> None:
    """Put the rules back in force where another package has patched `socket` in the meantime.

    pytest-socket does so before and after each test, also after one that does not use it.
    """
    with _lock:
        if _rules:
            _patch()
        for pytest_socket in _enabled:
            pytest_socket.enable_socket()


# The class itself, where pytest-socket has put one in its place that refuses to be created.
_Socket: type[socket.socket] = next(one for one in socket.socket.__mro__ if one.__module__ == "socket")
_rules: list[Rule] = []
_enabled: list[Any] = []  # the module pytest_socket, once for each use of `usable_sockets`
_beneath: dict[str, Any] = {}  # the methods of `_Socket` that ours have replaced; None for inherited ones
_lock = threading.Lock()  # guards _rules, _beneath and the patch


def _patch() -> None:
    for name, ours in _OURS.items():
        present = vars(_Socket).get(name)
        if present is not ours:
            _beneath[name] = present
            setattr(_Socket, name, ours)


def _restore() -> None:
    for name, before in _beneath.items():
        if before is not None:
            setattr(_Socket, name, before)
        else:
            with contextlib.suppress(AttributeError):  # another package has removed it
                delattr(_Socket, name)  # uncovers the inherited one
    _beneath.clear()


def _method(name: str) -> Callable[[socket.socket, Address], Any]:
    """The method of a socket that connects where the rules say."""

    def connect(self: socket.socket, address: Address) -> Any:  # noqa: ANN401  # as the real method returns
        beneath = _beneath.get(name) or getattr(_socket.socket, name)
        return beneath(self, _ruled(self, address))

    return connect


_OURS = {name: _method(name) for name in ("connect", "connect_ex")}


def _ruled(sock: socket.socket, address: Address) -> Address:
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        for rule in reversed(list(_rules)):
            address = rule(address)
    return address


def _is_metadata(address: Address) -> bool:
    return isinstance(address, tuple) and address[0] in {"100.100.100.200", "::ffff:100.100.100.200"}


def _is_local(address: Address) -> bool:
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in {"", "localhost", "0.0.0.0", "::"}:  # noqa: S104  # compared with, not bound to
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if found.version == 6 else None
    return (mapped or found).is_loopback
