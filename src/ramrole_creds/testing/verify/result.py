"""What a verifier answers, and what error documents are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials


# Further fields of an error document; a mapping is an element with elements inside.
Extra = tuple[tuple[str, str | Mapping[str, str]], ...]


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
    `extra` holds further fields of the error document, such as the time at which a URL expired.
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
    extra: Extra = ()


VerificationResult = Accepted | Rejected


class KeyDirectory(Protocol):
    """Knows the AccessKeys that were issued."""

    def lookup(self, access_key_id: str) -> IssuedCredentials | None:
        """What belongs to the AccessKey ID; None for one that was never issued or is revoked."""
