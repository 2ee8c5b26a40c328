"""Credentials for the other programs of this host, in any language: a small HTTP service on loopback.

    with LocalService(default_provider()) as service:
        subprocess.run(command, env={**os.environ, "ALIBABA_CLOUD_CREDENTIALS_URI": service.uri})

One provider fetches for all. The service speaks the credentials-URI protocol of the official SDKs and, where it is
asked to, the metadata protocol in hardened mode. Needs the extra `serve`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers treat this name as true; importing typing would cost start-up time

if TYPE_CHECKING:
    from ramrole_creds.local_service._clients import Client, ClientRule, ClientRules, parse_rule
    from ramrole_creds.local_service._history import History
    from ramrole_creds.local_service._limits import ServiceLimits
    from ramrole_creds.local_service._service import LocalService

__all__ = ["Client", "ClientRule", "ClientRules", "History", "LocalService", "ServiceLimits", "parse_rule"]

_LAZY = {
    "Client": "_clients",
    "ClientRule": "_clients",
    "ClientRules": "_clients",
    "History": "_history",
    "LocalService": "_service",
    "ServiceLimits": "_limits",
    "parse_rule": "_clients",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562): the service itself needs the extra, the values do not."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
