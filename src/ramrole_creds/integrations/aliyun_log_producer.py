"""A provider for aliyun-log-producer, the producer written in Rust.

    config = ProducerConfig(endpoint=endpoint, credentials_provider=ProducerCredentials(provider))

It takes credentials of its own class only, keeps them, and asks again when a fifth of their life or five minutes are
left; a provider of ours has newer ones by then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ramrole_creds.integrations._sdk import load_sdk

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProducerCredentials"]

ASK_AGAIN_SECONDS = 300
"""How long a token whose expiry is not known is kept by the producer."""


class ProducerCredentials:
    """Gives snapshots of `provider` in the producer's own class.

    Raises:
        ConfigurationError: the SDK is not installed.
    """

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = provider
        self._credentials: Any = load_sdk("aliyun_log_producer", "log-producer").Credentials

    def get_credentials(self) -> Any:  # noqa: ANN401  # the SDK's
        """One snapshot, with the moment by which the producer must have asked again."""
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
