"""The relay that counts fetches: what a client read is counted, what it left unread is not."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from ramrole_creds import EcsRamRoleProvider
from tests.eventually import eventually

if TYPE_CHECKING:
    from tests.engines.fetches import Fetches

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process of a connection is read from /proc")
REQUEST = b"GET /latest/meta-data/ram/security-credentials/web HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def test_a_set_that_a_process_read_is_counted_once(fetches: Fetches) -> None:
    with EcsRamRoleProvider(endpoint=fetches.url) as provider:
        key = provider.get_credentials().access_key_id

    assert fetches.counts == {(os.getpid(), key): 1}


def test_a_set_that_a_process_left_unread_is_not_counted(fetches: Fetches) -> None:
    """Its patience was over when the answer came. It asks again, and has the set once then."""
    with socket.create_connection(("127.0.0.1", fetches.port)) as client:
        client.sendall(REQUEST)
        assert eventually(lambda: fetches.processes() == {os.getpid()})

    assert eventually(lambda: not fetches.counts)
