"""A client on a cloud, and whether what it got is what the cloud issued."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ramrole_creds.testing.server.messages import WireRequest
from ramrole_creds.testing.verify import Accepted, NonceMemory, find_verifier

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import CredentialStore, IssuedCredentials
    from ramrole_creds.testing.conformance.client import ClientProcess, Fetched
    from ramrole_creds.testing.fake_cloud import FakeCloud


class CaseFailed(Exception):
    """What a client did wrong in a case."""


def require(holds: object, problem: str) -> None:
    """Fail the case unless something holds."""
    if not holds:
        raise CaseFailed(problem)


@dataclass(frozen=True, slots=True)
class Bench:
    """A cloud, and the client on it."""

    cloud: FakeCloud
    client: ClientProcess

    def fetch_valid(self) -> IssuedCredentials:
        """Let the client fetch; the case fails unless it gets credentials that are valid now."""
        issued = self._issued(self.client.fetch())
        require(not issued.is_expired(self.cloud.clock.time()), "the credentials have expired")
        return issued

    def _issued(self, fetched: Fetched) -> IssuedCredentials:
        if fetched.kind != "credentials":
            raise CaseFailed(f"credentials were expected, and the client ended with {fetched.kind}: {fetched.shown}")
        store = self.cloud.credential_store
        if fetched.signed_url:
            return _signer(fetched.signed_url, store)
        if not fetched.access_key_id:
            raise CaseFailed("the answer of the client has no access_key_id")
        issued = store.lookup(fetched.access_key_id)
        if issued is None:
            raise CaseFailed(f"the AccessKey ID {fetched.access_key_id!r} was never issued")
        same = (issued.access_key_secret, issued.security_token) == (fetched.access_key_secret, fetched.security_token)
        require(same, "id, secret and token are not of one set of credentials")
        return issued


@dataclass(frozen=True, slots=True)
class _Unexpired:
    """The keys that were issued, without their ends: whether they are still valid is another question."""

    store: CredentialStore

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        """What belongs to the AccessKey ID."""
        issued = self.store.lookup(access_key_id)
        return None if issued is None else replace(issued, expires_at=None)


def _signer(url: str, store: CredentialStore) -> IssuedCredentials:
    """The credentials that signed a URL of OSS for GET, of a client that does not show its secret.

    Id, secret and token are of one set where the signature is right. Nothing connects to the URL: its host may be
    `bucket.127.0.0.1`, as a client writes it that signs for a bucket of the fake cloud.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise CaseFailed(f"the URL is not signed for OSS, and is not valid: {error}") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = WireRequest("GET", target, (("Host", parts.netloc),), b"", time.time())
    verifier = find_verifier(request, "oss")
    if verifier is None:
        raise CaseFailed("the URL is not signed for OSS")
    verdict = verifier(request, _Unexpired(store), request.at, NonceMemory())
    if not isinstance(verdict, Accepted):
        raise CaseFailed(f"the signature of the URL is refused with {verdict.code}")
    return store.lookup(verdict.access_key_id) or verdict.issued
