"""What a signature scheme is, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

from ramrole_creds.errors import SigningError
from ramrole_creds.signing._percent import decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request


class Signable(Protocol):
    """The credentials as a scheme reads them: one snapshot, never a view of something that changes."""

    @property
    def access_key_id(self) -> str:
        """The AccessKey ID."""

    @property
    def access_key_secret(self) -> str:
        """The secret that signs."""

    @property
    def security_token(self) -> str | None:
        """The token of temporary credentials."""

    @property
    def expiration(self) -> datetime | None:
        """When they end, where it is known."""


class Scheme(ABC):
    """A pure function of request, credentials, time and nonce.

    A scheme keeps nothing but the arguments it was made with, so that one object serves any number of signers and
    threads. What it owns (date, nonce, token, content hash, signature) it replaces on the request; everything else
    it keeps and, where it covers it, signs.
    """

    __slots__ = ()

    name: ClassVar[str]
    """The scheme as users write it: "OSSV4"."""

    owned_headers: ClassVar[frozenset[str]] = frozenset()
    """Headers that it sets, in lower case: what must not reach another host."""

    covers_body: ClassVar[bool] = False
    """Whether the body is part of what is signed, so that it must be at hand (bytes, or a seekable file)."""

    longest_presign: ClassVar[float] = 0
    """Seconds that a presigned URL may live at most; 0 where the scheme has no such URLs."""

    @abstractmethod
    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request as it is to be sent, signed.

        Args:
            request: what the caller wants to send; a stale signature on it is replaced.
            credentials: one snapshot.
            now: Unix seconds.
            nonce: called once if the scheme has a nonce.
            keys: the signer's cache of derived keys.

        Raises:
            SigningError: the scheme cannot sign such a request.
        """

    @abstractmethod
    def string_to_sign(self, signed: Request) -> str:
        """What was signed, computed once more from the signed request; holds the token where the scheme covers it."""

    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The request with its signature in the URL, and the headers that must be sent with it.

        Raises:
            SigningError: the scheme has no presigned URLs.
        """
        raise SigningError(f"{self.name} has no presigned URLs.")

    def post_form(
        self, policy: str | dict[str, object], credentials: Signable, now: float, keys: SigningKeys
    ) -> dict[str, str]:
        """The form fields that authorise a browser upload.

        Raises:
            SigningError: the scheme has no forms.
        """
        raise SigningError(f"{self.name} has no upload forms; OSSV1 and OSSV4 have.")


ONE_WEEK_SECONDS = 604800
"""How long a presigned URL of a version 4 signature may live."""


def join_query(*parts: str) -> str:
    """Parts of a query, put together; empty ones are left out."""
    return "&".join([part for part in parts if part])


def parameter(query: str, name: str) -> str:
    """The decoded value of a parameter, "" where the query has none of that name."""
    for text in query.split("&"):
        encoded, _, value = text.partition("=")
        if decode(encoded) == name:
            return decode(value)
    return ""


def without_parameters(query: str, owned: frozenset[str]) -> str:
    """The query without the parameters that a scheme sets itself; what stays is not touched."""
    if not query:
        return query
    return "&".join([text for text in query.split("&") if decode(text.partition("=")[0]) not in owned])


def signed_headers_of(headers: Headers, names: tuple[str, ...], prefix: str) -> Headers:
    """The headers that a presigned URL covers, and that must be sent with it; Host is sent anyhow."""
    return tuple(
        (name, value)
        for name, value in headers
        if (name.lower() in names or name.lower().startswith(prefix)) and name.lower() != "host"
    )
