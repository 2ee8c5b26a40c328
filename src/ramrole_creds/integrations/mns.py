"""A provider for aliyun-mns-sdk that also works with long-term keys.

    Account(host, credentials_provider=MnsCredentials(provider))

The SDK accepts any provider whose credentials have a security token. For long-term keys it sends the token header all
the same, unless the token is an empty string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import as_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["MnsCredentials"]


class MnsCredentials:
    """Returns snapshots of `provider` in the form that the SDK reads.

    Args:
        provider: a provider, or the URL of one.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)

    def get_credentials(self) -> Credentials | _WithoutToken:
        """One snapshot. The SDK calls this for each request."""
        snapshot = self._provider.get_credentials()
        return _WithoutToken(snapshot) if snapshot.security_token is None else snapshot


class _WithoutToken:
    """A snapshot whose missing token is an empty string."""

    __slots__ = ("get_access_key_id", "get_access_key_secret")

    def __init__(self, snapshot: Credentials) -> None:
        self.get_access_key_id: Callable[[], str] = snapshot.get_access_key_id
        self.get_access_key_secret: Callable[[], str] = snapshot.get_access_key_secret

    def get_security_token(self) -> str:
        """An empty string."""
        return ""
