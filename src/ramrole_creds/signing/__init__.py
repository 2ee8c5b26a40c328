"""Signatures for every scheme that Alibaba Cloud's services use.

    signer = Signer(provider, signing.ACS3())
    signed = signer.sign(signing.Request("POST", url, headers, params, body))

Schemes are loaded when they are first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ramrole_creds.signing.request import Request
from ramrole_creds.signing.scheme import Scheme
from ramrole_creds.signing.signer import PresignedUrl, Signer

if TYPE_CHECKING:
    from ramrole_creds.signing.acs3 import ACS3 as ACS3
    from ramrole_creds.signing.rpc import RPC as RPC

_MODULES = {
    "ACS3": "acs3",
    "RPC": "rpc",
}

__all__ = [
    "ACS3",
    "RPC",
    "PresignedUrl",
    "Request",
    "Scheme",
    "Signer",
]


def __getattr__(name: str) -> type[Scheme]:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    scheme: type[Scheme] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = scheme
    return scheme


def __dir__() -> list[str]:
    return sorted(__all__)
