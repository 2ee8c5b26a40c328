"""Rotating credentials for polars, which reads and writes the S3-compatible endpoint of OSS.

    credentials = PolarsCredentials(provider)
    polars.scan_parquet("s3://bucket/key", credential_provider=credentials, storage_options=options)

polars caches what the function returns until it expires. The options hold no key: `aws_endpoint_url`, `aws_region`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import as_provider

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["PolarsCredentials"]

MAX_CACHE_SECONDS = 60
"""How long polars may keep a snapshot. The provider answers from memory, so asking often costs nothing."""


class PolarsCredentials:
    """A `credential_provider=` of polars. Its pickle holds the provider and no secret.

    Args:
        provider: a provider, or the URL of one.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)

    def __call__(self) -> tuple[dict[str, str], int | None]:
        """One snapshot, and the time until which polars may keep it, in Unix seconds."""
        snapshot = self._provider.get_credentials()
        keys = {
            "aws_access_key_id": snapshot.access_key_id,
            "aws_secret_access_key": snapshot.access_key_secret,
        }
        if snapshot.security_token is not None:
            keys["aws_session_token"] = snapshot.security_token
        until = int(time.time()) + MAX_CACHE_SECONDS
        if snapshot.expiration is not None:
            until = min(until, int(snapshot.expiration.timestamp()))
        return keys, until
