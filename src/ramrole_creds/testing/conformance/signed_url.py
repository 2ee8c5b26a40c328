"""Whose credentials signed a URL, for a client that does not show its secret."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import Accepted, NonceMemory, find_verifier

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore, IssuedCredentials


@dataclass(frozen=True, slots=True)
class _Unexpired:
    """The keys that were issued, without their ends: whether they are still valid is another question."""

    store: CredentialStore

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        """What belongs to the AccessKey ID."""
        issued = self.store.lookup(access_key_id)
        return None if issued is None else replace(issued, expires_at=None)


def signer_of(url: str, store: CredentialStore) -> IssuedCredentials | str:
    """The credentials that signed a URL of OSS for GET, or what is wrong with it.

    Id, secret and token are of one set where the signature is right. Nothing connects to the URL: its host may be
    `bucket.127.0.0.1`, as a client writes it that signs for a bucket of the fake cloud.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return f"the URL has no signature of OSS, and is not valid: {error}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = WireRequest("GET", target, (("Host", parts.netloc),), b"", time.time())
    verifier = find_verifier(request, "oss")
    if verifier is None:
        return "the URL has no signature of OSS"
    verdict = verifier(request, _Unexpired(store), request.at, NonceMemory())
    if not isinstance(verdict, Accepted):
        return f"the signature of the URL is refused with {verdict.code}"
    return store.lookup(verdict.access_key_id) or "the AccessKey ID was never issued"
