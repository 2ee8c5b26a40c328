"""Rotating credentials for boto3, botocore and aiobotocore, against OSS's S3-compatible endpoint.

    session = boto3.Session(botocore_session=botocore_session(provider))
    s3 = session.client("s3", endpoint_url="https://s3.oss-cn-hangzhou.aliyuncs.com")

Each signature takes one snapshot; when to refresh is the provider's business, not botocore's fixed windows.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ramrole_creds.integrations._sdk import load_sdk

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["aiobotocore_session", "botocore_session"]


def botocore_session(provider: CredentialProvider, **options: Any) -> Any:  # noqa: ANN401  # botocore's
    """A botocore session that signs with what `provider` gives at the moment of each request.

    Args:
        provider: where credentials come from.
        options: what else `botocore.session.Session` takes.

    Raises:
        ConfigurationError: botocore is not installed.
    """
    session = load_sdk("botocore.session", "boto3").Session(**options)
    session.register_component("credential_provider", _Source(_credentials_class()(provider)))
    return session


def aiobotocore_session(provider: CredentialProvider, **options: Any) -> Any:  # noqa: ANN401  # aiobotocore's
    """The same for aiobotocore; waiting for credentials never blocks the loop.

    Raises:
        ConfigurationError: aiobotocore is not installed.
    """
    session = load_sdk("aiobotocore.session", "aiobotocore").AioSession(**options)
    session.register_component("credential_provider", _AsyncSource(_async_credentials_class()(provider)))
    return session


class _Source:
    """Stands where botocore keeps its chain of sources."""

    def __init__(self, credentials: object) -> None:
        self._credentials = credentials

    def load_credentials(self) -> object:
        return self._credentials


class _AsyncSource(_Source):
    async def load_credentials(self) -> object:  # type: ignore[override]  # as aiobotocore's
        return self._credentials


@functools.cache
def _credentials_class() -> type:
    module = load_sdk("botocore.credentials", "boto3")

    class ProviderCredentials(module.Credentials):  # type: ignore[misc, name-defined]  # without types
        """Holds no keys: whoever wants some asks for a frozen set."""

        def __init__(self, provider: CredentialProvider) -> None:
            super().__init__(None, None, None, method=provider.get_provider_name())
            self.provider = provider

        def get_frozen_credentials(self) -> Any:  # noqa: ANN401  # botocore's
            return _freeze(module, self.provider.get_credentials())

        def _normalize(self) -> None:
            """There are no keys to decode."""

    return ProviderCredentials


@functools.cache
def _async_credentials_class() -> type:
    module = load_sdk("botocore.credentials", "boto3")
    base: Any = _credentials_class()

    class AsyncProviderCredentials(base):  # type: ignore[misc]  # made above
        async def get_frozen_credentials(self) -> Any:  # noqa: ANN401  # botocore's
            return _freeze(module, await self.provider.get_credentials_async())

        async def get_account_id(self) -> None:
            """None: an AWS account's number, which there is none of."""

    return AsyncProviderCredentials


def _freeze(module: Any, snapshot: Any) -> Any:  # noqa: ANN401  # botocore's
    return module.ReadOnlyCredentials(snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token)
