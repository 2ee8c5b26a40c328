"""A provider of somebody else that fails while a secret is among its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds import CredentialProvider, FetchError

if TYPE_CHECKING:
    from ramrole_creds import Credentials, FetchContext


def provider_that_fails_with(secret: str) -> CredentialProvider:
    """A provider whose error does not name the secret."""

    class Failing(CredentialProvider):
        name = "failing"

        def fetch(self, context: FetchContext) -> Credentials:
            found = {"secret": secret}
            raise FetchError(f"{len(found)} answer")

    return Failing()
