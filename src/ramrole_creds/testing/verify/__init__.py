"""The services' side of every signature scheme: what arrives is run_verification as the real service judges it.

Each verifier takes a request as it was on the wire, the book of issued keys, the time and the memory of nonces, and
answers `Accepted` or `Rejected` with the service's own error code. Written from the services' rules and sharing no
code with `ramrole_creds.signing`: a mistake would have to be made twice to go unseen.
"""

from __future__ import annotations

from ramrole_creds.testing.verify.acs3 import is_fc_trigger, verify_acs3, verify_fc_trigger
from ramrole_creds.testing.verify.datahub import verify_datahub
from ramrole_creds.testing.verify.fc import verify_fc
from ramrole_creds.testing.verify.mns import verify_mns
from ramrole_creds.testing.verify.nonces import NonceMemory
from ramrole_creds.testing.verify.odps import verify_odps
from ramrole_creds.testing.verify.oss_address import OssAddress, oss_address
from ramrole_creds.testing.verify.oss_post import PostForm, parse_post_form, verify_oss_post
from ramrole_creds.testing.verify.oss_v1 import verify_oss_v1, verify_oss_v1_url
from ramrole_creds.testing.verify.oss_v2 import verify_oss_v2, verify_oss_v2_url
from ramrole_creds.testing.verify.oss_v4 import verify_oss_v4, verify_oss_v4_url
from ramrole_creds.testing.verify.ots import ots_response_authorization, verify_ots
from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, Rejected, VerificationResult, Verifier
from ramrole_creds.testing.verify.roa import verify_roa
from ramrole_creds.testing.verify.rpc import rpc_parameters, verify_rpc
from ramrole_creds.testing.verify.s3 import verify_s3_hmacv1, verify_s3_v4, verify_s3_v4_url
from ramrole_creds.testing.verify.sls import verify_sls_v1, verify_sls_v4

__all__ = [
    "Accepted",
    "KeyDirectory",
    "NonceMemory",
    "OssAddress",
    "PostForm",
    "Rejected",
    "VerificationResult",
    "Verifier",
    "is_fc_trigger",
    "oss_address",
    "ots_response_authorization",
    "parse_post_form",
    "rpc_parameters",
    "verify_acs3",
    "verify_datahub",
    "verify_fc",
    "verify_fc_trigger",
    "verify_mns",
    "verify_odps",
    "verify_oss_post",
    "verify_oss_v1",
    "verify_oss_v1_url",
    "verify_oss_v2",
    "verify_oss_v2_url",
    "verify_oss_v4",
    "verify_oss_v4_url",
    "verify_ots",
    "verify_roa",
    "verify_rpc",
    "verify_s3_hmacv1",
    "verify_s3_v4",
    "verify_s3_v4_url",
    "verify_sls_v1",
    "verify_sls_v4",
]
