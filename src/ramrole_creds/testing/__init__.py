"""The testing toolkit: a fake cloud on loopback, a clock to move, faults to play, and a pytest plugin.

Names are imported when they are first used, so that the pytest plugin costs nothing in a test run without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.testing.issuer import Identity, IssuedCredentials, Issuer
    from ramrole_creds.testing.service import Service, ServiceError
    from ramrole_creds.testing.virtual_clock import TickingClock, VirtualClock
    from ramrole_creds.testing.wire import WireRequest, WireResponse

_HOMES = {
    "Identity": "issuer",
    "IssuedCredentials": "issuer",
    "Issuer": "issuer",
    "Service": "service",
    "ServiceError": "service",
    "TickingClock": "virtual_clock",
    "VirtualClock": "virtual_clock",
    "WireRequest": "wire",
    "WireResponse": "wire",
}

__all__ = [
    "Identity",
    "IssuedCredentials",
    "Issuer",
    "Service",
    "ServiceError",
    "TickingClock",
    "VirtualClock",
    "WireRequest",
    "WireResponse",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
