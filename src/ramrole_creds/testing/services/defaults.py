"""The verifying endpoints that a fake cloud has unless it is given others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.services.bucket_store import BucketStore
from ramrole_creds.testing.services.datahub import DatahubService
from ramrole_creds.testing.services.ecs import EcsService
from ramrole_creds.testing.services.fc import FcService
from ramrole_creds.testing.services.mns import MnsService
from ramrole_creds.testing.services.odps import OdpsService
from ramrole_creds.testing.services.openapi_echo import OpenApiEcho
from ramrole_creds.testing.services.oss import OssService, S3Service
from ramrole_creds.testing.services.ots import OtsService
from ramrole_creds.testing.services.ram import RamService
from ramrole_creds.testing.services.sls import SlsService
from ramrole_creds.testing.services.sts import StsService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.services.instance import Instance
    from ramrole_creds.testing.services.metadata_service import MetadataService
    from ramrole_creds.testing.services.service import Service


def default_services(issuer: CredentialStore) -> list[Service]:
    """Every verifying endpoint, in the order in which they are asked whether a request is theirs.

    No two claim a signed request: each knows its own signatures. OSS comes last, since a request without any mark
    may still name one of its buckets.
    """
    buckets = BucketStore()
    return [
        SlsService(issuer),
        OtsService(issuer),
        MnsService(issuer),
        OdpsService(issuer),
        FcService(issuer),
        DatahubService(issuer),
        OpenApiEcho(issuer),
        S3Service(issuer, buckets),
        OssService(issuer, buckets),
    ]


def role_services(
    account: Account,
    instances: Mapping[str, Instance],
    metadata: MetadataService,
    propagation_delay: Callable[[], float],
) -> list[Service]:
    """The endpoints that change and use the account's roles: STS, RAM and ECS."""
    return [StsService(account), RamService(account), EcsService(account, instances, metadata, propagation_delay)]
