"""An account of MaxCompute (pyodps) that signs each request with one snapshot.

    ODPS(account=ProviderAccount(provider), project="project", endpoint=endpoint)

pyodps's own `CredentialProviderAccount(provider)` works as well, but keeps secret and token where only the AccessKey ID
stayed the same, and tells a provider's failure as a missing attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ramrole_creds.integrations._sdk import as_provider, load_sdk

load_sdk("odps", "pyodps")

from odps.accounts import AliyunAccount, CredentialProviderAccount  # noqa: E402

if TYPE_CHECKING:
    from ramrole_creds.provider import CredentialProvider

__all__ = ["ProviderAccount"]

TOKEN_HEADER = "authorization-sts-token"  # noqa: S105  # a name


class ProviderAccount(CredentialProviderAccount):  # type: ignore[misc]  # without types
    """Takes a provider, or the URL of one; pickles with it, without secrets."""

    def __init__(self, provider: CredentialProvider | str) -> None:
        super().__init__(as_provider(provider))

    def __reduce__(self) -> tuple[Any, ...]:
        return ProviderAccount, (self.provider,)

    def sign_request(self, req: Any, endpoint: str, region_name: str | None = None) -> None:  # noqa: ANN401  # the SDK's
        """Sign one request; the client calls it for each attempt."""
        snapshot = self.provider.get_credentials()
        # An account of its own for each request: what a longer-lived one caches is keyed by the day alone.
        account = AliyunAccount(snapshot.access_key_id, snapshot.access_key_secret)
        req.headers.pop(TOKEN_HEADER, None)
        account.sign_request(req, endpoint, region_name=region_name)
        if snapshot.security_token is not None:
            req.headers[TOKEN_HEADER] = snapshot.security_token
