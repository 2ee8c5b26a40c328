"""A provider for aliyun-mns-sdk that may hold long-term keys as well.

    Account(host, credentials_provider=MnsCredentials(provider))

The SDK takes a provider as it is while that gives security tokens. Without one it sends the token all the same, unless
the token is an empty string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["MnsCredentials"]


class MnsCredentials:
    """Gives snapshots of `provider` in the way that the SDK reads them."""

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = provider

    def get_credentials(self) -> Credentials | _WithoutToken:
        """One snapshot; the SDK asks for one for each request."""
        snapshot = self._provider.get_credentials()
        return _WithoutToken(snapshot) if snapshot.security_token is None else snapshot


class _WithoutToken:
    """A snapshot whose missing token is an empty string."""

    __slots__ = ("get_access_key_id", "get_access_key_secret")

    def __init__(self, snapshot: Credentials) -> None:
        self.get_access_key_id = snapshot.get_access_key_id
        self.get_access_key_secret = snapshot.get_access_key_secret

    def get_security_token(self) -> str:
        return ""
