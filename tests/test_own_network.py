"""The tests' own network: nothing leaves this machine, and what asks the real metadata address is noticed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.own_network import Trap

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 80), timeout=5)"


def connects(address: str) -> bool:
    done = subprocess.run([sys.executable, "-c", CONNECT, address], capture_output=True, check=False)
    return done.returncode == 0


def test_a_child_that_asks_the_real_metadata_address_is_caught(trap: Trap) -> None:
    assert connects("100.100.100.200")
    assert trap.caught() == 1
    assert trap.caught() == 0


def test_a_child_reaches_nothing_outside_of_this_machine(trap: Trap) -> None:
    assert not connects("192.0.2.1")  # an address of documentation, which no machine has
    assert not trap.caught()
