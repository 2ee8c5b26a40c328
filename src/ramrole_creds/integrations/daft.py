"""Rotating credentials for daft, which reads and writes the S3-compatible endpoint of OSS.

    s3 = S3Config(endpoint_url=endpoint, region_name=region, credentials_provider=DaftCredentials(provider))
    daft.read_parquet("s3://bucket/key", io_config=IOConfig(s3=s3))

daft asks for each request, because the reported life has ended already. That costs little: the provider answers from
memory, and daft uses what it got for the current request. So a query may run longer than a token lives.

An `IOConfig` that daft has used holds the latest keys, and its pickle holds them too. Send `DaftCredentials` or a new
`IOConfig` to other processes.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["DaftCredentials"]


class DaftCredentials:
    """A `credentials_provider=` of daft's S3Config. Its pickle holds the provider and no secret.

    Args:
        provider: a provider, or the URL of one.

    Raises:
        ConfigurationError: daft is not installed, or `provider` is not a provider.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        load_sdk("daft.io", "daft")
        self._provider = as_provider(provider)

    def __call__(self) -> SdkObject:
        """One snapshot, as an `S3Credentials` of daft."""
        snapshot = self._provider.get_credentials()
        return load_sdk("daft.io", "daft").S3Credentials(
            snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token, datetime.now(timezone.utc)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DaftCredentials) and other._provider is self._provider

    def __hash__(self) -> int:
        """Equal for one provider: daft keeps one client for each configuration, of which this object is a part."""
        return hash((DaftCredentials, id(self._provider)))
