"""Signatures for every scheme that Alibaba Cloud's services use.

    signer = Signer(provider, signing.ACS3())
    signed = signer.sign(signing.Request("POST", url, headers, params, body))

Schemes and requests are loaded when they are first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ramrole_creds.signing.signer import PresignedUrl, Signer

if TYPE_CHECKING:
    from ramrole_creds.signing.acs3 import ACS3 as ACS3
    from ramrole_creds.signing.fc import FCV2 as FCV2
    from ramrole_creds.signing.fc import FCV3Trigger as FCV3Trigger
    from ramrole_creds.signing.mismatch import explain_mismatch as explain_mismatch
    from ramrole_creds.signing.mns import MNS as MNS
    from ramrole_creds.signing.odps import ODPSV2 as ODPSV2
    from ramrole_creds.signing.odps import ODPSV4 as ODPSV4
    from ramrole_creds.signing.oss_v1 import OSSV1 as OSSV1
    from ramrole_creds.signing.oss_v2 import OSSV2 as OSSV2
    from ramrole_creds.signing.oss_v4 import OSSV4 as OSSV4
    from ramrole_creds.signing.ots import OTSV2 as OTSV2
    from ramrole_creds.signing.ots import OTSV4 as OTSV4
    from ramrole_creds.signing.request import Request as Request
    from ramrole_creds.signing.roa import ROA as ROA
    from ramrole_creds.signing.rpc import RPC as RPC
    from ramrole_creds.signing.s3 import S3V1 as S3V1
    from ramrole_creds.signing.s3 import SigV4 as SigV4
    from ramrole_creds.signing.scheme import Scheme as Scheme
    from ramrole_creds.signing.sls import SLSV1 as SLSV1
    from ramrole_creds.signing.sls import SLSV4 as SLSV4

_MODULES = {
    "ACS3": "acs3",
    "FCV2": "fc",
    "FCV3Trigger": "fc",
    "MNS": "mns",
    "ODPSV2": "odps",
    "ODPSV4": "odps",
    "OSSV1": "oss_v1",
    "OSSV2": "oss_v2",
    "OSSV4": "oss_v4",
    "OTSV2": "ots",
    "OTSV4": "ots",
    "ROA": "roa",
    "RPC": "rpc",
    "Request": "request",
    "S3V1": "s3",
    "SLSV1": "sls",
    "SLSV4": "sls",
    "Scheme": "scheme",
    "SigV4": "s3",
    "explain_mismatch": "mismatch",
}

__all__ = [
    "ACS3",
    "FCV2",
    "MNS",
    "ODPSV2",
    "ODPSV4",
    "OSSV1",
    "OSSV2",
    "OSSV4",
    "OTSV2",
    "OTSV4",
    "ROA",
    "RPC",
    "S3V1",
    "SLSV1",
    "SLSV4",
    "FCV3Trigger",
    "PresignedUrl",
    "Request",
    "Scheme",
    "SigV4",
    "Signer",
    "explain_mismatch",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
