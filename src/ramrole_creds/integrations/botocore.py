"""Rotating credentials for boto3, botocore and aiobotocore, for the S3-compatible endpoint of OSS.

    session = boto3.Session(botocore_session=botocore_session(provider))
    s3 = session.client("s3", endpoint_url="https://s3.oss-cn-hangzhou.aliyuncs.com")

Each signature uses one snapshot. The provider decides when to refresh; botocore's fixed windows do not apply.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["aiobotocore_session", "botocore_session"]


def botocore_session(provider: CredentialProvider | str, **options: SdkObject) -> SdkObject:
    """A botocore session that signs each request with the provider's current credentials.

    Args:
        provider: a provider, or the URL of one.
        options: the other arguments of `botocore.session.Session`.

    Raises:
        ConfigurationError: botocore is not installed.
    """
    session = load_sdk("botocore.session", "boto3").Session(**options)
    session.register_component("credential_provider", _Source(_credentials_class()(as_provider(provider))))
    return session


def aiobotocore_session(provider: CredentialProvider | str, **options: SdkObject) -> SdkObject:
    """The same for aiobotocore. Waiting for credentials never blocks the event loop.

    Args:
        provider: a provider, or the URL of one.
        options: the other arguments of `aiobotocore.session.AioSession`.

    Raises:
        ConfigurationError: aiobotocore is not installed.
    """
    session = load_sdk("aiobotocore.session", "aiobotocore").AioSession(**options)
    session.register_component("credential_provider", _AsyncSource(_async_credentials_class()(as_provider(provider))))
    return session


class _Source:
    """Replaces botocore's chain of credential sources."""

    def __init__(self, credentials: object) -> None:
        self._credentials = credentials

    def load_credentials(self) -> object:
        return self._credentials


class _AsyncSource:
    """Replaces aiobotocore's chain of credential sources."""

    def __init__(self, credentials: object) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> object:
        return self._credentials


@functools.cache
def _credentials_class() -> type:
    module = load_sdk("botocore.credentials", "boto3")
    base: SdkObject = module.Credentials

    class ProviderCredentials(base):
        """Holds no keys. A caller gets a frozen set of one snapshot."""

        def __init__(self, provider: CredentialProvider) -> None:
            super().__init__(None, None, None, method=provider.get_provider_name())
            self.provider = provider

        def get_frozen_credentials(self) -> SdkObject:
            return _freeze(module, self.provider.get_credentials())

        def _normalize(self) -> None:
            """Do nothing: there are no keys to decode."""

    return ProviderCredentials


@functools.cache
def _async_credentials_class() -> type:
    module = load_sdk("botocore.credentials", "boto3")
    base: SdkObject = _credentials_class()

    class AsyncProviderCredentials(base):
        async def get_frozen_credentials(self) -> SdkObject:
            return _freeze(module, await self.provider.get_credentials_async())

        async def get_account_id(self) -> None:
            """None: OSS does not use the number of an AWS account."""

    return AsyncProviderCredentials


def _freeze(module: SdkObject, snapshot: Credentials) -> SdkObject:
    return module.ReadOnlyCredentials(snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token)
