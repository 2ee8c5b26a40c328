"""Request signatures of all schemes that Alibaba Cloud services use.

A `Signer` signs a `Request` by a scheme, with the credentials of a provider:

    signer = Signer(provider, signing.ACS3())
    signed = signer.sign(signing.Request("POST", url, headers, params, body))

The signed request is sent as it is.
"""

from __future__ import annotations

_LAZY = {
    "mismatch": ("explain_mismatch",),
    "request": ("Request",),
    "scheme": ("Scheme",),
    "schemes.acs3": ("ACS3",),
    "schemes.fc": ("FCV2", "FCV3Trigger"),
    "schemes.mns": ("MNS", "MNSV4"),
    "schemes.odps": ("ODPSV2", "ODPSV4"),
    "schemes.oss_v1": ("OSSV1",),
    "schemes.oss_v2": ("OSSV2",),
    "schemes.oss_v4": ("OSSV4",),
    "schemes.ots": ("OTSV2", "OTSV4"),
    "schemes.roa": ("ROA",),
    "schemes.rpc": ("RPC",),
    "schemes.s3": ("SigV4",),
    "schemes.s3_v1": ("S3V1",),
    "schemes.sls": ("SLSV1", "SLSV4"),
    "server_time": ("read_server_time",),
    "signer": ("PresignedUrl", "Signer"),
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
