"""What alibabacloud-oss-v2 needs beyond taking the provider as it is (`config.credentials_provider = provider`).

    config.credentials_provider = await prefetched(provider)
    async with oss_aio.AsyncClient(config) as client: ...

Its async client asks the provider synchronously, on the event loop; and a retry of either client keeps the token of the
attempt before it where the new credentials have none.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ramrole_creds.integrations._sdk import load_sdk

if TYPE_CHECKING:
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import CredentialProvider

__all__ = ["WarmProvider", "clean_signer", "prefetched"]


class WarmProvider:
    """Gives what the provider holds and never waits for a fetch; the provider's refresher keeps it fresh.

    Where nothing valid is held, which a machine finds that was asleep for hours, a fetch is started and the call fails
    with `WaitTimeout`; `retry_on_rejected(provider)` around the call, or `await prefetched(provider)` before it, waits
    for the credentials without blocking the loop.
    """

    def __init__(self, provider: CredentialProvider) -> None:
        self._provider = provider

    def get_credentials(self) -> Credentials:
        """The snapshot that is valid now.

        Raises:
            WaitTimeout: none is.
        """
        return self._provider.get_credentials(timeout=0)


async def prefetched(provider: CredentialProvider) -> WarmProvider:
    """The provider for an `AsyncClient`, once it holds credentials.

    Raises:
        RamRoleError: what the provider raised.
    """
    await provider.get_credentials_async()
    return WarmProvider(provider)


def clean_signer(version: str = "v4") -> Any:  # noqa: ANN401  # a signer of the SDK's
    """A signer that leaves nothing of an earlier attempt on a request; give it as `Client(config, signer=…)`.

    Only needed where a provider may go from temporary credentials to long-term ones.

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
        def sign(self, signing_ctx: Any) -> None:  # noqa: ANN401  # the SDK's
            for header in ("x-oss-security-token", "security-token", "Authorization"):
                signing_ctx.request.headers.pop(header, None)
            super().sign(signing_ctx)

    return CleanSigner
