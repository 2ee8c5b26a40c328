"""What alibabacloud-oss-v2 needs besides the provider itself (`config.credentials_provider = provider`).

    config.credentials_provider = await prefetched(provider)
    async with oss_aio.AsyncClient(config) as client: ...

Its async client asks the provider synchronously, on the event loop. And a retry of either client keeps the token of the
previous attempt where the new credentials have none.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["WarmProvider", "clean_signer", "prefetched"]


class WarmProvider:
    """Returns the credentials that the provider holds and never waits for a fetch. The refresher keeps them fresh.

    After hours of sleep a machine may hold no valid credentials. Then the call starts a fetch and fails with
    `WaitTimeout`. To wait without blocking the loop, wrap the call in `retry_on_rejected(provider)`, or await
    `prefetched(provider)` before it.

    Args:
        provider: a provider, or the URL of one.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        self._provider = as_provider(provider)

    def get_credentials(self) -> Credentials:
        """The current snapshot.

        Raises:
            WaitTimeout: the provider holds no valid credentials.
        """
        return self._provider.get_credentials(timeout=0)


async def prefetched(provider: CredentialProvider | str) -> WarmProvider:
    """The provider for an `AsyncClient`, after it has fetched credentials.

    Args:
        provider: a provider, or the URL of one.

    Raises:
        RamRoleError: the provider's own error.
    """
    provider = as_provider(provider)
    await provider.get_credentials_async()
    return WarmProvider(provider)


def clean_signer(version: str = "v4") -> SdkObject:
    """A signer that removes what an earlier attempt left on a request. Pass it as `Client(config, signer=…)`.

    You need it only where a provider may change from temporary credentials to long-term ones.

    Args:
        version: "v4" or "v1".

    Raises:
        ConfigurationError: the SDK is not installed.
    """
    return _clean_signer_class("SignerV1" if version == "v1" else "SignerV4")()


@functools.cache
def _clean_signer_class(name: str) -> type:
    base: type = getattr(load_sdk("alibabacloud_oss_v2.signer", "oss-v2"), name)

    class CleanSigner(base):
        def sign(self, signing_ctx: SdkObject) -> None:
            for header in ("x-oss-security-token", "security-token", "Authorization"):
                signing_ctx.request.headers.pop(header, None)
            super().sign(signing_ctx)

        def __reduce__(self) -> tuple[object, ...]:
            return clean_signer, (name.removeprefix("Signer").lower(),)

    return CleanSigner
