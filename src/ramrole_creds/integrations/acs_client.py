"""Rotating credentials for `AcsClient` of aliyun-python-sdk-core.

    client = acs_client(provider, region_id="cn-hangzhou")
    client.do_action_with_exception(DescribeRegionsRequest())

The client accepts static credentials only. This module replaces its signer with one that takes a new snapshot for each
request and for each attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ramrole_creds._checks import kind_of
from ramrole_creds._regions import scope_region
from ramrole_creds.errors import ConfigurationError
from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk, refuse_provider, require_attribute

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProviderSigner", "acs_client", "use_provider"]

TESTED_VERSION = "2.16.1"
_TOKEN_NAMES = ("SecurityToken", "x-acs-security-token")
"""The parameter and the header that hold the token."""

_Client = TypeVar("_Client")


def acs_client(provider: CredentialProvider | str, region_id: str = "cn-hangzhou", **options: SdkObject) -> SdkObject:
    """An `AcsClient` that signs each request with the provider's current credentials.

    Args:
        provider: a provider, or the URL of one.
        region_id: the client's region.
        options: the other arguments of `AcsClient` (`timeout`, `max_retry_time`, `verify` …).

    Raises:
        ConfigurationError: the SDK is not installed, its version is not supported, or an argument is not valid.
    """
    refuse_provider(region_id, "acs_client(provider, region_id)")
    provider = as_provider(provider)
    region = scope_region(region_id, "region_id")
    module = load_sdk("aliyunsdkcore.client", "acs-client")
    from aliyunsdkcore.auth.credentials import StsTokenCredential

    # The client requires a credential of its own class; this one is never used.
    client = module.AcsClient(region_id=region, credential=StsTokenCredential("-", "-", "-"), **options)
    return use_provider(client, provider)


def use_provider(client: _Client, provider: CredentialProvider | str) -> _Client:
    """Make an `AcsClient` sign each request with the provider's current credentials.

    The client no longer uses the credentials that it was created with, nor ALIYUN_ACCESS_KEY_ID of the environment.

    Args:
        client: the client, of any region and with any other options.
        provider: a provider, or the URL of one.

    Returns:
        The client.

    Raises:
        ConfigurationError: the SDK is not installed, its version is not supported, or an argument is not valid.
    """
    refuse_provider(client, "use_provider(client, provider)")
    if isinstance(client, type) or not hasattr(client, "do_action_with_exception"):
        raise ConfigurationError(f"client must be an AcsClient, not {kind_of(client)}.")
    require_attribute(client, "_signer", "aliyun-python-sdk-core", TESTED_VERSION)
    client._signer = ProviderSigner(provider)  # type: ignore[attr-defined]  # noqa: SLF001  # no public name exists
    return client


class ProviderSigner:
    """The signer of an `AcsClient`, with a provider.

    Args:
        provider: a provider, or the URL of one.

    Raises:
        ConfigurationError: the SDK is not installed.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)
        load_sdk("aliyunsdkcore.auth.signers.sts_token_signer", "acs-client")

    def sign(self, region_id: str, request: SdkObject) -> tuple[dict[str, str], str]:
        """Headers and URL of a request, signed with one snapshot. The client calls this for each attempt."""
        from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
        from aliyunsdkcore.auth.signers.access_key_signer import AccessKeySigner
        from aliyunsdkcore.auth.signers.sts_token_signer import StsTokenSigner

        snapshot = self._provider.get_credentials()
        # A request that is sent again still holds the token of the previous attempt.
        for held in (request.get_query_params(), request.get_headers()):
            for name in _TOKEN_NAMES:
                (held or {}).pop(name, None)
        keys = snapshot.access_key_id, snapshot.access_key_secret
        if snapshot.security_token is None:
            signer = AccessKeySigner(AccessKeyCredential(*keys))
        else:
            signer = StsTokenSigner(StsTokenCredential(*keys, snapshot.security_token))
        signed: tuple[dict[str, str], str] = signer.sign(region_id, request)
        return signed
