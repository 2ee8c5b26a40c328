"""The services' side of every signature scheme: what arrives is judged as the real service judges it.

Each verifier takes a request as it was on the wire, the book of issued keys, the time and the memory of nonces, and
answers `Accepted` or `Rejected` with the service's own error code. Written from the services' rules and sharing no
code with `ramrole_creds.signing`: a mistake would have to be made twice to go unseen.
"""

from __future__ import annotations

from ramrole_creds.testing.verify.acs3 import verify_acs3, verify_fc_trigger
from ramrole_creds.testing.verify.nonces import NonceMemory
from ramrole_creds.testing.verify.rpc import rpc_parameters, verify_rpc
from ramrole_creds.testing.verify.verdict import Accepted, KeyDirectory, Rejected, Verdict, Verifier

__all__ = [
    "Accepted",
    "KeyDirectory",
    "NonceMemory",
    "Rejected",
    "Verdict",
    "Verifier",
    "rpc_parameters",
    "verify_acs3",
    "verify_fc_trigger",
    "verify_rpc",
]
