"""The testing toolkit: a fake cloud on loopback, a clock to move, faults to play, and a pytest plugin.

Names are imported when they are first used, so that the pytest plugin costs nothing in a test run without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.testing.account import Account, Role, User
    from ramrole_creds.testing.fake_cloud import FakeCloud, FakeCloudDefect
    from ramrole_creds.testing.faults import Fault, Faults
    from ramrole_creds.testing.hostile import HostileAnswer, hostile_answers
    from ramrole_creds.testing.instance import Instance, RoleAlreadyAttached
    from ramrole_creds.testing.issuer import Identity, IssuedCredentials, Issuer
    from ramrole_creds.testing.metadata_service import Quirks
    from ramrole_creds.testing.oidc_issuer import OidcIssuer
    from ramrole_creds.testing.redirect import (
        RealAddressError,
        connect_rule,
        forbid_metadata,
        forbid_network,
        redirect_metadata,
    )
    from ramrole_creds.testing.request_log import RecordedRequest, RequestLog, assert_no_secret_in
    from ramrole_creds.testing.service import Service, ServiceError
    from ramrole_creds.testing.standalone import serve
    from ramrole_creds.testing.unittest_case import RamRoleTestCase
    from ramrole_creds.testing.virtual_clock import TickingClock, VirtualClock
    from ramrole_creds.testing.wire import WireRequest, WireResponse

_HOMES = {
    "Account": "account",
    "FakeCloud": "fake_cloud",
    "FakeCloudDefect": "fake_cloud",
    "Fault": "faults",
    "Faults": "faults",
    "HostileAnswer": "hostile",
    "Identity": "issuer",
    "Instance": "instance",
    "IssuedCredentials": "issuer",
    "Issuer": "issuer",
    "OidcIssuer": "oidc_issuer",
    "Quirks": "metadata_service",
    "RamRoleTestCase": "unittest_case",
    "RealAddressError": "redirect",
    "RecordedRequest": "request_log",
    "RequestLog": "request_log",
    "Role": "account",
    "RoleAlreadyAttached": "instance",
    "Service": "service",
    "ServiceError": "service",
    "TickingClock": "virtual_clock",
    "User": "account",
    "VirtualClock": "virtual_clock",
    "WireRequest": "wire",
    "WireResponse": "wire",
    "assert_no_secret_in": "request_log",
    "connect_rule": "redirect",
    "forbid_metadata": "redirect",
    "forbid_network": "redirect",
    "hostile_answers": "hostile",
    "redirect_metadata": "redirect",
    "serve": "standalone",
}

__all__ = [
    "Account",
    "FakeCloud",
    "FakeCloudDefect",
    "Fault",
    "Faults",
    "HostileAnswer",
    "Identity",
    "Instance",
    "IssuedCredentials",
    "Issuer",
    "OidcIssuer",
    "Quirks",
    "RamRoleTestCase",
    "RealAddressError",
    "RecordedRequest",
    "RequestLog",
    "Role",
    "RoleAlreadyAttached",
    "Service",
    "ServiceError",
    "TickingClock",
    "User",
    "VirtualClock",
    "WireRequest",
    "WireResponse",
    "assert_no_secret_in",
    "connect_rule",
    "forbid_metadata",
    "forbid_network",
    "hostile_answers",
    "redirect_metadata",
    "serve",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
