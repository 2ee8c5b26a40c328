"""Rotating credentials for obstore, which reads and writes the S3-compatible endpoint of OSS.

    credentials = ObstoreCredentials(provider)
    store = S3Store("bucket", endpoint=endpoint, region=region, credential_provider=credentials)

obstore keeps a snapshot until five minutes before its end. The reported life is shorter, so it asks for each request,
but at most every 100 ms. That costs little, because the provider answers from memory.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import as_provider

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ObstoreCredentials"]

MAX_LIFE = timedelta(minutes=4)
"""The life that is reported to obstore: it does not keep a snapshot with less than five minutes."""


class ObstoreCredentials:
    """A `credential_provider=` of obstore's S3Store. Its pickle holds the provider and no secret.

    Args:
        provider: a provider, or the URL of one.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)

    def __call__(self) -> dict[str, str | datetime | None]:
        """One snapshot, in the form that obstore reads."""
        snapshot = self._provider.get_credentials()
        now = datetime.now(timezone.utc)
        return {
            "access_key_id": snapshot.access_key_id,
            "secret_access_key": snapshot.access_key_secret,
            "token": snapshot.security_token,
            "expires_at": min(snapshot.expiration or now + MAX_LIFE, now + MAX_LIFE),
        }
