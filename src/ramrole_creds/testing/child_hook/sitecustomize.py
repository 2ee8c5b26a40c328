"""Loaded by the Python children of a test: redirects their connections to the metadata address to the fake cloud.

Python imports `sitecustomize` at its start. This file needs the standard library only, since a child may be an
interpreter without ramrole-creds. The `sitecustomize` that this one hides is imported afterwards.
"""
# ruff: noqa: INP001, PTH100, PTH120  # no package; and pathlib would cost each child milliseconds

from __future__ import annotations

import os
import socket
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ADDRESSES = frozenset({"100.100.100.200", "::ffff:100.100.100.200"})
NO_PROXY = "localhost,127.0.0.1,::1"


def redirect(url: str) -> None:
    """Connect to the host and port of the URL instead; refuse where it has none."""
    host, _, port = url.partition("://")[2].rpartition(":")
    target = (host.strip("[]"), int(port)) if port.isdigit() else None

    def patched(real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def connect(self: socket.socket, address: Any) -> Any:  # noqa: ANN401  # an address as `connect` takes it
            if isinstance(address, tuple) and address[0] in ADDRESSES:
                if target is None:
                    raise ConnectionRefusedError("The test forbids connections to the real metadata address.")
                address = target
            return real(self, address)

        return connect

    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, patched(getattr(socket.socket, name)))


def reach_programs(url: str) -> None:
    """Let the programs that this process starts use the fake as their proxy, unless they have another.

    `putenv` leaves `os.environ` as it is: the Python code of this process does not see the proxy.
    """
    proxy = {"http_proxy": url, "HTTP_PROXY": url, "no_proxy": NO_PROXY, "NO_PROXY": NO_PROXY}
    for name, value in proxy.items():
        if name not in os.environ:
            os.putenv(name, value)


def import_hidden() -> None:
    """Import the next `sitecustomize` of the path, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    path, own = list(sys.path), sys.modules.pop("sitecustomize", None)
    sys.path[:] = [entry for entry in path if os.path.abspath(entry or ".") != here]
    try:
        import_module("sitecustomize")
    except ImportError:
        if own is not None:
            sys.modules["sitecustomize"] = own
    finally:
        sys.path[:] = path


_url = os.environ.get("RAMROLE_CREDS_TEST_REDIRECT")
if _url:
    redirect(_url)
    reach_programs(_url if _url.startswith("http") else "http://127.0.0.1:9")
import_hidden()
