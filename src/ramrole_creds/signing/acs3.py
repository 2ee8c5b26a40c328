"""ACS3: the signature of the common OpenAPI gateway (ECS, STS, RAM, Function Compute 3.0 …), version 3."""

from __future__ import annotations

from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.errors import SigningError
from ramrole_creds.signing.body import digest, is_empty, new_hash
from ramrole_creds.signing.canonical import canonical_query, without
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds.signing.derived_keys import DerivedKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_HASHES = {"ACS3-HMAC-SHA256": "sha256", "ACS3-HMAC-SM3": "sm3"}


class ACS3(Scheme):
    """Signs `host`, `content-type`, every `x-acs-*` header, and the headers named.

    The official clients sign every header, so that a proxy which rewrites `user-agent` breaks the call; the
    documentation asks for no more than this.

    Args:
        additional_headers: further headers to sign, where the request has them.
        algorithm: "ACS3-HMAC-SHA256", or "ACS3-HMAC-SM3" where the rules ask for Chinese cryptography.
    """

    __slots__ = ("_hash", "_signed", "algorithm")

    name: ClassVar[str] = "ACS3"
    covers_body: ClassVar[bool] = True
    owned_headers: ClassVar[frozenset[str]] = frozenset(
        (
            "authorization",
            "x-acs-accesskey-id",
            "x-acs-content-sha256",
            "x-acs-date",
            "x-acs-security-token",
            "x-acs-signature-nonce",
        )
    )

    def __init__(self, additional_headers: Iterable[str] = (), algorithm: str = "ACS3-HMAC-SHA256") -> None:
        if algorithm not in _HASHES:
            raise SigningError(f"ACS3 knows the algorithms {' and '.join(_HASHES)}, not {algorithm!r}.")
        self.algorithm = algorithm
        self._hash = _HASHES[algorithm]
        self._signed = frozenset(
            {"host", "content-type", *(name.lower() for name in additional_headers)} - {"authorization"}
        )
        new_hash(self._hash)

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: DerivedKeys
    ) -> Request:
        """The request with its `x-acs-*` headers and `Authorization: ACS3-HMAC-SHA256 …`."""
        del keys  # ACS3 signs with the secret itself
        headers = without(request.headers, self.owned_headers)
        if request.header("host") is None:
            headers.append(("host", request.host))
        headers.append(("x-acs-date", Instant.at(now).iso))
        headers.append(("x-acs-signature-nonce", nonce()))
        if is_empty(request.body) and self._hash == "sha256":
            headers.append(("x-acs-content-sha256", EMPTY_SHA256))
        else:
            headers.append(("x-acs-content-sha256", digest(request.body, self._hash).hex()))
        token = credentials.security_token
        if token:
            headers.append(("x-acs-accesskey-id", credentials.access_key_id))
            headers.append(("x-acs-security-token", token))
        unsigned = request.with_headers(tuple(headers))
        names, canonical = self._canonical(unsigned)
        signature = hmac_digest(
            credentials.access_key_secret.encode(), self._string_to_sign(canonical).encode(), self._hash
        ).hex()
        authorization = (
            f"{self.algorithm} Credential={credentials.access_key_id},SignedHeaders={names},Signature={signature}"
        )
        return unsigned.with_headers((*headers, ("Authorization", authorization)))

    def string_to_sign(self, signed: Request) -> str:
        """The algorithm and the hash of the canonical request."""
        return self._string_to_sign(self.canonical_request(signed))

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request."""
        return self._canonical(signed)[1]

    def _canonical(self, request: Request) -> tuple[str, str]:
        """Names of the signed headers, and the canonical request."""
        signed: dict[str, str] = {}
        wanted = self._signed
        for name, value in request.headers:
            lower = name.lower()
            if lower in wanted or lower.startswith("x-acs-"):
                signed[lower] = f"{signed[lower]},{value}" if lower in signed else value
        names = sorted(signed)
        joined = ";".join(names)
        lines = "\n".join([f"{name}:{signed[name]}" for name in names])
        query = canonical_query(request.query, equals_when_empty=True, sort_encoded=False)
        payload = signed["x-acs-content-sha256"]
        return joined, f"{request.method}\n{request.path}\n{query}\n{lines}\n\n{joined}\n{payload}"

    def _string_to_sign(self, canonical: str) -> str:
        hasher = new_hash(self._hash)
        hasher.update(canonical.encode("utf-8", "surrogateescape"))
        return f"{self.algorithm}\n{hasher.hexdigest()}"

    def __repr__(self) -> str:
        return (
            f"ACS3(additional_headers={sorted(self._signed - {'host', 'content-type'})}, algorithm={self.algorithm!r})"
        )
