"""The testing toolkit: a fake cloud on loopback, a clock to move, faults to play, and a pytest plugin.

Names are imported when they are first used, so that the pytest plugin costs nothing in a test run without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.testing.account import Account, Role
    from ramrole_creds.testing.fake_cloud import FakeCloud, FakeCloudDefect
    from ramrole_creds.testing.faults import Fault, Faults
    from ramrole_creds.testing.issuer import Identity, IssuedCredentials, Issuer
    from ramrole_creds.testing.metadata_service import Quirks
    from ramrole_creds.testing.request_log import RecordedRequest, RequestLog, assert_no_secret_in
    from ramrole_creds.testing.service import Service, ServiceError
    from ramrole_creds.testing.virtual_clock import TickingClock, VirtualClock
    from ramrole_creds.testing.wire import WireRequest, WireResponse

_HOMES = {
    "Account": "account",
    "FakeCloud": "fake_cloud",
    "FakeCloudDefect": "fake_cloud",
    "Fault": "faults",
    "Faults": "faults",
    "Identity": "issuer",
    "IssuedCredentials": "issuer",
    "Issuer": "issuer",
    "Quirks": "metadata_service",
    "RecordedRequest": "request_log",
    "RequestLog": "request_log",
    "Role": "account",
    "Service": "service",
    "ServiceError": "service",
    "TickingClock": "virtual_clock",
    "VirtualClock": "virtual_clock",
    "WireRequest": "wire",
    "WireResponse": "wire",
    "assert_no_secret_in": "request_log",
}

__all__ = [
    "Account",
    "FakeCloud",
    "FakeCloudDefect",
    "Fault",
    "Faults",
    "Identity",
    "IssuedCredentials",
    "Issuer",
    "Quirks",
    "RecordedRequest",
    "RequestLog",
    "Role",
    "Service",
    "ServiceError",
    "TickingClock",
    "VirtualClock",
    "WireRequest",
    "WireResponse",
    "assert_no_secret_in",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
