"""How many files, connections among them, this process may open."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource  # here and not later: whoever imports for the first time may run a hook of the program


def at_most_half(wanted: int) -> int:
    """The wanted number of connections, or what leaves the process half of its descriptors."""
    if sys.platform == "win32":  # where sockets have no such limit
        return wanted
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if allowed == resource.RLIM_INFINITY else max(1, min(wanted, allowed // 2))
