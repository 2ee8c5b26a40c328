"""The testing toolkit: a fake cloud on loopback, a clock to move, faults to inject, and a pytest plugin.

Each name is loaded when it is first used, so that the pytest plugin costs nothing in a test run without it.
`__init__.pyi` holds the same names for type checkers.
"""

from __future__ import annotations

_LAZY = {
    "account.access": ("Access", "Authorizer", "JudgedAccess"),
    "account.account": ("Account", "Role", "User"),
    "account.credential_store": ("CredentialStore", "Identity", "IssuedCredentials"),
    "account.least_privilege": ("UnusedPermission",),
    "account.oidc_issuer": ("OidcIssuer",),
    "clocks": ("TickingClock", "VirtualClock"),
    "fake_cloud": ("FakeCloud", "FakeCloudDefect"),
    "faults.hostile": ("HostileAnswer", "hostile_answers"),
    "faults.script": ("Fault", "Faults"),
    "in_place": ("cloud_in_place", "process_clock"),
    "network": ("RealAddressError", "connect_rule", "forbid_metadata", "forbid_network", "redirect_metadata"),
    "request_log": ("RecordedRequest", "RequestLog", "assert_no_secret_in"),
    "server.messages": ("WireRequest", "WireResponse"),
    "server.standalone": ("serve",),
    "services.instance": ("Instance", "RoleAlreadyAttached"),
    "services.metadata_service": ("Quirks",),
    "services.service": ("Service", "ServiceError"),
    "machine_time": ("system_time",),
    "unittest_case": ("RamRoleTestCase",),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}

__all__ = sorted([*_MODULES])


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
