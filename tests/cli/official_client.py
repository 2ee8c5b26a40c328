"""A program on the official Python client alone: shows one of its defects, by name. It does not know ramrole-creds.

The client knows one metadata address only, so connections to it are redirected to the fake cloud, as a route would.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import Any

from alibabacloud_credentials.client import Client

from ramrole_creds.testing.network import redirect_metadata

# ruff: noqa: T201  # it prints what the test reads

LIFETIME_SECONDS = float(os.environ.get("LIFETIME", "0"))
connecting = threading.Event()
_connect = socket.socket.connect


def connect(self: socket.socket, address: Any) -> None:
    """Report that a fetch has begun."""
    connecting.set()
    _connect(self, address)


def fetches() -> None:
    """Eight threads make calls, each with clients of its own."""
    clients = [[Client() for _ in range(3)] for _ in range(8)]  # old releases can only be made in the main thread

    def call(mine: list[Client]) -> None:
        for client in mine:
            assert client.get_credential().security_token

    threads = [threading.Thread(target=call, args=[mine]) for mine in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done", flush=True)


def held() -> None:
    """One client makes calls with a session of 15 minutes, a moment after it was fetched."""
    client = Client()
    client.get_credential()
    time.sleep(1.1)  # the client counts in whole seconds
    print(len({client.get_credential().access_key_id for _ in range(5)}), flush=True)


def threads() -> None:
    """Twenty clients, and the threads that are left."""
    clients = [Client() for _ in range(20)]
    assert all(client.get_credential().access_key_id for client in clients)
    print(threading.active_count(), flush=True)


def fork() -> None:
    """The program forks while a thread fetches; the child prints how many seconds it waits for credentials."""
    client = Client()
    socket.socket.connect = connect  # type: ignore[assignment,method-assign]  # wraps the one that redirects
    threading.Thread(target=client.get_credential, daemon=True).start()
    connecting.wait(30)
    child = os.fork()
    if child == 0:
        began = time.monotonic()
        assert client.get_credential().access_key_id
        print(f"{time.monotonic() - began:.2f}", flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def expired() -> None:
    """The metadata service goes away, the credentials end, and the program asks again."""
    client = Client()
    before = client.get_credential().access_key_id
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(LIFETIME_SECONDS + 1)
    try:
        after = client.get_credential().access_key_id
    except Exception as error:  # noqa: BLE001  # whatever the client raises
        print(type(error).__name__, flush=True)
    else:
        print("expired credentials" if after == before else "other credentials", flush=True)


if __name__ == "__main__":
    with redirect_metadata(os.environ["FAKE_CLOUD"]):
        _connect = socket.socket.connect
        globals()[sys.argv[1]]()
