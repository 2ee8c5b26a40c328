"""Overlay networks that take the metadata service's packets.

Tailscale and similar networks number their machines from 100.64.0.0/10, the range of carrier-grade NAT, and drop what
comes from it by other ways. 100.100.100.200 is inside: its packets vanish without an error.
"""

from __future__ import annotations

import ipaddress
import re

CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")


def overlay_addresses(fib_trie: str) -> list[str]:
    """This machine's own addresses in 100.64.0.0/10.

    Args:
        fib_trie: the text of Linux's /proc/net/fib_trie, where an address is followed by "/32 host LOCAL" if it is
            the machine's own; other text gives nothing.
    """
    own = re.findall(r"\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\s{1,20}/32 host LOCAL", fib_trie)
    return sorted({address for address in own if _is_carrier_grade(address)})


def _is_carrier_grade(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in CARRIER_GRADE_NAT
    except ValueError:
        return False
