"""What a verifier answers, and the error bodies' raw material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory


@dataclass(frozen=True, slots=True)
class Accepted:
    """The signature is right.

    `access_key_id` signed with the scheme `scheme`; `issued` is what the issuer knows of that key. `region` is
    the one of the credential scope, where the scheme has one.
    """

    scheme: str
    access_key_id: str
    issued: IssuedCredentials
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The request is refused, with what the real service says.

    `code`, `status` and `message` are the service's own. `ec` is OSS's finer error code. `string_to_sign` and
    `canonical_request` are the verifier's, given where the signature differs; `signature_provided` is the caller's.
    `extra` is what the error body says besides, such as when a URL had expired.
    """

    scheme: str
    code: str
    status: int
    message: str
    access_key_id: str | None = None
    string_to_sign: str | None = None
    canonical_request: str | None = None
    signature_provided: str | None = None
    ec: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


VerificationResult = Accepted | Rejected


class KeyDirectory(Protocol):
    """Whoever knows the AccessKeys that were handed out."""

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        """What belongs to the AccessKey ID; None for one that was never issued or is revoked."""


class Verifier(Protocol):
    """One signature scheme, from the service's side."""

    def __call__(
        self, request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
    ) -> VerificationResult:
        """Judge `request`, received at the Unix time `now`."""
