"""The services' side of every signature scheme: a request is verified as the real service does it.

`VERIFIERS` has each by the name of its scheme. A verifier takes a request as it was on the wire, the issued keys, the
time and the memory of nonces, and answers `Accepted`, or `Rejected` with the service's own error code. They are
written from the services' rules and share no code with `ramrole_creds.signing`: a mistake goes unnoticed only if both
make it.
"""

from __future__ import annotations

from ramrole_creds.testing.verify import acs3, datahub, fc, mns, odps, oss_v1, oss_v2, oss_v4, roa, s3, sls  # noqa: F401  # they register themselves
from ramrole_creds.testing.verify.nonces import NonceMemory
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_post import PostForm, parse_post_form
from ramrole_creds.testing.verify.ots import ots_response_authorization
from ramrole_creds.testing.verify.registry import VERIFIERS, Verifier, find_verifier
from ramrole_creds.testing.verify.rpc import is_rpc, named_operation, rpc_parameters
from ramrole_creds.testing.verify.verification import Accepted, KeyDirectory, Rejected, VerificationResult

__all__ = [
    "VERIFIERS",
    "Accepted",
    "KeyDirectory",
    "NonceMemory",
    "PostForm",
    "Rejected",
    "VerificationResult",
    "Verifier",
    "find_verifier",
    "is_rpc",
    "named_operation",
    "oss_address",
    "ots_response_authorization",
    "parse_post_form",
    "rpc_parameters",
]
