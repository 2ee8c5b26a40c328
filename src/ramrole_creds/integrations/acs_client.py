"""Rotating credentials for `AcsClient` of aliyun-python-sdk-core.

    client = acs_client(provider, region_id="cn-hangzhou")
    client.do_action_with_exception(DescribeRegionsRequest())

The client knows static credentials only; what it signs with is replaced by a signer that takes one snapshot for each
request and each of its attempts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ramrole_creds.integrations._sdk import load_sdk, require_attribute

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProviderSigner", "acs_client", "use_provider"]

TESTED_VERSION = "2.16.1"
TOKEN_PARAMETER = "SecurityToken"  # noqa: S105  # a name
TOKEN_HEADER = "x-acs-security-token"  # noqa: S105  # a name

_Client = TypeVar("_Client")


def acs_client(provider: CredentialProvider, region_id: str = "cn-hangzhou", **options: Any) -> Any:  # noqa: ANN401
    """An `AcsClient` that signs with whatever `provider` gives at the moment of each request.

    Args:
        provider: where credentials come from.
        region_id: the client's region.
        options: what else `AcsClient` takes (`timeout`, `max_retry_time`, `verify` …).

    Raises:
        ConfigurationError: the SDK is not installed, or its version is one that this cannot work with.
    """
    module = load_sdk("aliyunsdkcore.client", "acs-client")
    from aliyunsdkcore.auth.credentials import StsTokenCredential

    # It insists on a credential of its own kind; this one is never used.
    client = module.AcsClient(region_id=region_id, credential=StsTokenCredential("-", "-", "-"), **options)
    return use_provider(client, provider)


def use_provider(client: _Client, provider: CredentialProvider) -> _Client:
    """Have an `AcsClient` sign with whatever `provider` gives at the moment of each request.

    Credentials that the client was made with, and ALIYUN_ACCESS_KEY_ID in the environment, no longer matter.

    Args:
        client: the client, of any region and with any other options.
        provider: where credentials come from.

    Returns:
        The client.

    Raises:
        ConfigurationError: the SDK is not installed, or its version is one that this cannot work with.
    """
    require_attribute(client, "_signer", "aliyun-python-sdk-core", TESTED_VERSION)
    client._signer = ProviderSigner(provider)  # type: ignore[attr-defined]  # noqa: SLF001  # it has no other way in
    return client


class ProviderSigner:
    """What an `AcsClient` signs its requests with.

    Raises:
        ConfigurationError: the SDK is not installed.
    """

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = provider
        load_sdk("aliyunsdkcore.auth.signers.sts_token_signer", "acs-client")

    def sign(self, region_id: str, request: Any) -> tuple[dict[str, str], str]:  # noqa: ANN401  # the SDK's
        """Headers and URL of a request, signed with one snapshot; the client calls it for each attempt."""
        from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
        from aliyunsdkcore.auth.signers.access_key_signer import AccessKeySigner
        from aliyunsdkcore.auth.signers.sts_token_signer import StsTokenSigner

        snapshot = self._provider.get_credentials()
        # A request that is sent again still has the token of the time before.
        (request.get_query_params() or {}).pop(TOKEN_PARAMETER, None)
        (request.get_headers() or {}).pop(TOKEN_HEADER, None)
        keys = snapshot.access_key_id, snapshot.access_key_secret
        if snapshot.security_token is None:
            signer = AccessKeySigner(AccessKeyCredential(*keys))
        else:
            signer = StsTokenSigner(StsTokenCredential(*keys, snapshot.security_token))
        signed: tuple[dict[str, str], str] = signer.sign(region_id, request)
        return signed
