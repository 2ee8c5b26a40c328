"""A provider for aliyun-log-producer, the producer written in Rust.

    config = ProducerConfig(endpoint=endpoint, credentials_provider=ProducerCredentials(provider))

The producer accepts credentials of its own class only and keeps a copy. It asks again when a fifth of their lifetime,
or five minutes, remains. By then our provider has newer ones.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProducerCredentials"]

ASK_AGAIN_SECONDS = 300
"""How long the producer keeps a token whose expiry is unknown."""


class ProducerCredentials:
    """Returns snapshots of `provider` in the producer's own class.

    Args:
        provider: a provider, or the URL of one.

    Raises:
        ConfigurationError: the SDK is not installed.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)
        self._credentials: SdkObject = load_sdk("aliyun_log_producer", "log-producer").Credentials

    def get_credentials(self) -> SdkObject:
        """One snapshot, with the time by which the producer must ask again."""
        snapshot = self._provider.get_credentials()
        expires_at = None
        if snapshot.expiration is not None:
            expires_at = int(snapshot.expiration.timestamp())
        elif snapshot.security_token is not None:
            expires_at = int(time.time()) + ASK_AGAIN_SECONDS
        return self._credentials(
            access_key_id=snapshot.access_key_id,
            access_key_secret=snapshot.access_key_secret,
            security_token=snapshot.security_token,
            expires_at=expires_at,
        )
