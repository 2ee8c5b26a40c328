"""An account of MaxCompute (pyodps) that signs each request with one snapshot.

    ODPS(account=ProviderAccount(provider), project="project", endpoint=endpoint)

pyodps's own `CredentialProviderAccount(provider)` also rotates credentials. But it keeps the old secret and token where
the AccessKey ID stays the same, and it reports a failed provider as a missing attribute.

Send the account to other processes, not the ODPS object: its pickle leaves the account out, unless the variable
PYODPS_PICKLE_ACCOUNT is "true".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.integrations._sdk import SdkObject, as_provider, load_sdk

load_sdk("odps", "pyodps")

from odps.accounts import (  # noqa: E402  # a missing SDK gets a better error above
    AliyunAccount,
    CredentialProviderAccount,
)

if TYPE_CHECKING:
    from ramrole_creds.integrations._sdk import SdkBase
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProviderAccount"]

_TOKEN_NAME = "authorization-sts-token"  # noqa: S105  # the name of a header


if TYPE_CHECKING:
    _Account = SdkBase
else:
    _Account = CredentialProviderAccount


class ProviderAccount(_Account):
    """Takes a provider, or the URL of one. Its pickle holds the provider and no secret.

    Args:
        provider: a provider, or the URL of one.
    """

    def __init__(self, provider: CredentialProvider | str) -> None:
        super().__init__(as_provider(provider))

    def __reduce__(self) -> tuple[object, ...]:
        return ProviderAccount, (self.provider,)

    def sign_request(self, req: SdkObject, endpoint: str, region_name: str | None = None) -> None:
        """Sign one request. The client calls this for each attempt."""
        snapshot = self.provider.get_credentials()
        # A new account for each request: a longer-lived one caches its signing key by the day alone.
        account = AliyunAccount(snapshot.access_key_id, snapshot.access_key_secret)
        req.headers.pop(_TOKEN_NAME, None)
        account.sign_request(req, endpoint, region_name=region_name)
        if snapshot.security_token is not None:
            req.headers[_TOKEN_NAME] = snapshot.security_token
