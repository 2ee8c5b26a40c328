"""What a signature scheme is and which credentials it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ramrole_creds._pickling import PickledWithSlots
from ramrole_creds._tracebacks import hide_locals
from ramrole_creds.errors import SigningError
from ramrole_creds.signing._percent import decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Headers, Request


class Signable(Protocol):
    """The credentials that a scheme reads: one snapshot, never a view of something that changes."""

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
        """When they expire, None if that is not known."""


class Scheme(PickledWithSlots, ABC):
    """A pure function of request, credentials, time and nonce.

    A scheme keeps only its own arguments, so that one object serves any number of signers and threads. It replaces
    what it owns on the request (date, nonce, token, content hash, signature) and keeps everything else.

    An error of `sign`, `presign`, `post_form`, `string_to_sign` or `verify_response` has no local variables in its
    traceback, in a subclass too.
    """

    __slots__ = ()

    name: ClassVar[str]
    """The name of the scheme, which is the name of its class."""

    owned_headers: ClassVar[frozenset[str]] = frozenset()
    """Headers that it sets, in lower case: they must not reach another host."""

    covers_body: ClassVar[bool] = False
    """Whether the body is signed, so that it must be bytes or a seekable file."""

    max_presign_seconds: ClassVar[float] = 0
    """How long a presigned URL can be valid; 0 if the scheme has no presigned URLs."""

    def __init_subclass__(cls, **arguments: Any) -> None:  # noqa: ANN401  # whatever other base classes take
        super().__init_subclass__(**arguments)
        for name in ("sign", "presign", "post_form", "string_to_sign", "verify_response"):
            if name in vars(cls):
                setattr(cls, name, hide_locals(vars(cls)[name]))

    @abstractmethod
    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The signed request, exactly as it must be sent.

        Args:
            request: what the caller wants to send; an older signature on it is replaced.
            credentials: one snapshot.
            now: Unix seconds.
            nonce: called once if the scheme uses nonces.
            keys: the signer's cache of derived keys.

        Raises:
            SigningError: the scheme cannot sign such a request.
        """

    @abstractmethod
    def string_to_sign(self, signed: Request) -> str:
        """What was signed, computed again from the signed request; contains the token if the scheme signs it."""

    @hide_locals
    def presign(
        self, request: Request, credentials: Signable, now: float, life: int, keys: SigningKeys
    ) -> tuple[Request, Headers]:
        """The request with its signature in the URL, and the headers that must be sent with it.

        Args:
            request: method, URL and headers.
            credentials: one snapshot.
            now: Unix seconds.
            life: seconds for which the URL is valid.
            keys: the signer's cache of derived keys.

        Raises:
            SigningError: the scheme has no presigned URLs.
        """
        raise SigningError(f"{self.name} has no presigned URLs. Sign the request itself with sign().")

    @hide_locals
    def post_form(
        self, policy: str | dict[str, object], credentials: Signable, now: float, keys: SigningKeys
    ) -> dict[str, str]:
        """The form fields that authorise a browser upload.

        Args:
            policy: the policy document, as text or as a mapping.
            credentials: one snapshot.
            now: Unix seconds.
            keys: the signer's cache of derived keys.

        Raises:
            SigningError: the scheme has no upload forms.
        """
        raise SigningError(f"{self.name} has no upload forms. Use OSSV1 or OSSV4.")


ONE_WEEK_SECONDS = 604800
"""How long a presigned URL of a version 4 signature can be valid."""


def join_query(*parts: str) -> str:
    """Join parts of a query, without the empty ones."""
    return "&".join([part for part in parts if part])


def parameter(query: str, name: str) -> str:
    """The decoded value of a parameter, "" if the query does not have it."""
    for text in query.split("&"):
        encoded, _, value = text.partition("=")
        if decode(encoded) == name:
            return decode(value)
    return ""


def without_parameters(query: str, owned: frozenset[str]) -> str:
    """The query without the parameters that a scheme sets itself; the others stay as they are."""
    if not query:
        return query
    return "&".join([text for text in query.split("&") if decode(text.partition("=")[0]) not in owned])


def signed_headers_of(headers: Headers, names: tuple[str, ...], prefix: str) -> Headers:
    """The headers that a presigned URL signs and that must be sent with it; clients send Host anyway."""
    return tuple(
        (name, value)
        for name, value in headers
        if (name.lower() in names or name.lower().startswith(prefix)) and name.lower() != "host"
    )
