"""Rotating credentials for boto3, botocore and aiobotocore, for the S3-compatible endpoint of OSS.

    session = boto3.Session(botocore_session=botocore_session(provider))
    s3 = session.client("s3", endpoint_url="https://s3.oss-cn-hangzhou.aliyuncs.com")

Each signature uses one snapshot. The provider decides when to refresh; botocore's fixed windows do not apply.

A session can be sent to other processes. Its pickle holds the provider, the options and the configuration variables. It
holds no keys, no environment and no handlers that you registered. `boto3.Session` cannot be pickled: send the provider,
or the session that is made here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["aiobotocore_session", "botocore_session"]

AGENT_ATTRIBUTES = ("user_agent_name", "user_agent_version", "user_agent_extra")


def botocore_session(provider: CredentialProvider | str, **options: SdkObject) -> SdkObject:
    """A botocore session that signs each request with the provider's current credentials.

    Args:
        provider: a provider, or the URL of one.
        options: the other arguments of `botocore.session.Session`.

    Raises:
        ConfigurationError: botocore is not installed.
    """
    provider = as_provider(provider)
    session = _session_class("botocore.session.Session", "boto3")(**options)
    session.register_component("credential_provider", _Source(_credentials_class()(provider)))
    session.made_by = botocore_session, provider, options
    return session


def aiobotocore_session(provider: CredentialProvider | str, **options: SdkObject) -> SdkObject:
    """The same for aiobotocore. Waiting for credentials never blocks the event loop.

    Args:
        provider: a provider, or the URL of one.
        options: the other arguments of `aiobotocore.session.AioSession`.

    Raises:
        ConfigurationError: aiobotocore is not installed.
    """
    provider = as_provider(provider)
    session = _session_class("aiobotocore.session.AioSession", "aiobotocore")(**options)
    session.register_component("credential_provider", _AsyncSource(_async_credentials_class()(provider)))
    session.made_by = aiobotocore_session, provider, options
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
def _session_class(path: str, extra: str) -> SdkObject:
    module, _, name = path.rpartition(".")
    base: SdkObject = getattr(load_sdk(module, extra), name)

    class ProviderSession(base):
        """Its pickle holds how it was made: that of botocore's own would hold all variables of the environment."""

        made_by: tuple[Callable[..., SdkObject], CredentialProvider, dict[str, SdkObject]]

        def __reduce__(self) -> tuple[object, ...]:
            agent = {name: getattr(self, name) for name in AGENT_ATTRIBUTES}
            return _restore_session, (*self.made_by, agent, self.instance_variables(), self.get_default_client_config())

    return ProviderSession


def _restore_session(
    make: Callable[..., SdkObject],
    provider: CredentialProvider,
    options: dict[str, SdkObject],
    agent: dict[str, str],
    variables: dict[str, SdkObject],
    client_config: SdkObject,
) -> SdkObject:
    session = make(provider, **options)
    if agent["user_agent_name"] == "Boto3":
        load_sdk("boto3", "boto3").Session(botocore_session=session)  # adds upload_file and the like to its clients
    for name, value in agent.items():
        setattr(session, name, value)
    for name, value in variables.items():
        session.set_config_variable(name, value)
    if client_config is not None:
        session.set_default_client_config(client_config)
    return session


def _restore_credentials(make_class: Callable[[], SdkObject], provider: CredentialProvider) -> SdkObject:
    return make_class()(provider)


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

        def __reduce__(self) -> tuple[object, ...]:
            return _restore_credentials, (_credentials_class, self.provider)

        def _normalize(self) -> None:
            """Do nothing: there are no keys to decode."""

    return ProviderCredentials


@functools.cache
def _async_credentials_class() -> type:
    module = load_sdk("botocore.credentials", "boto3")
    base: SdkObject = _credentials_class()

    class AsyncProviderCredentials(base):
        def __reduce__(self) -> tuple[object, ...]:
            return _restore_credentials, (_async_credentials_class, self.provider)

        async def get_frozen_credentials(self) -> SdkObject:
            return _freeze(module, await self.provider.get_credentials_async())

        async def get_account_id(self) -> None:
            """None: OSS does not use the number of an AWS account."""

    return AsyncProviderCredentials


def _freeze(module: SdkObject, snapshot: Credentials) -> SdkObject:
    return module.ReadOnlyCredentials(snapshot.access_key_id, snapshot.access_key_secret, snapshot.security_token)
