"""The verifying endpoints that a fake cloud has unless it is given others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.datahub import DatahubService
from ramrole_creds.testing.services.fc import FcService
from ramrole_creds.testing.services.mns import MnsService
from ramrole_creds.testing.services.odps import OdpsService
from ramrole_creds.testing.services.openapi_echo import OpenApiEcho
from ramrole_creds.testing.services.oss import OssService
from ramrole_creds.testing.services.ots import OtsService
from ramrole_creds.testing.services.s3 import S3Service
from ramrole_creds.testing.services.sls import SlsService

if TYPE_CHECKING:
    from ramrole_creds.clock import Clock
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.services.service import Service


def default_services(issuer: CredentialStore, clock: Clock) -> list[Service]:
    """Every verifying endpoint, in the order in which they are asked whether a request is theirs.

    No two claim a signed request: each knows its own signatures. OSS comes last, since a request without any mark
    may still name one of its buckets.

    Args:
        issuer: knows the keys that requests may be signed with.
        clock: gives the time that answers carry.
    """
    buckets = BucketStore()
    return [
        SlsService(issuer),
        OtsService(issuer, clock),
        MnsService(issuer),
        OdpsService(issuer),
        FcService(issuer),
        DatahubService(issuer),
        OpenApiEcho(issuer),
        S3Service(issuer, buckets),
        OssService(issuer, buckets),
    ]
