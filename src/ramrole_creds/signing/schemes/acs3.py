"""ACS3: the signature of the common OpenAPI gateway (ECS, STS, RAM, Function Compute 3.0 …), version 3."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

from ramrole_creds._checks import lower_names
from ramrole_creds.errors import SigningError
from ramrole_creds.signing._canonical import canonical_query
from ramrole_creds.signing._percent import to_bytes
from ramrole_creds.signing.body import hex_digest, new_hash
from ramrole_creds.signing.instant import Instant
from ramrole_creds.signing.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ramrole_creds.signing._signing_keys import SigningKeys
    from ramrole_creds.signing.request import Request
    from ramrole_creds.signing.scheme import Signable

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

RSA_ALGORITHM = "ACS3-RSA-SHA256"

_HASHES = {"ACS3-HMAC-SHA256": "sha256", "ACS3-HMAC-SM3": "sm3", RSA_ALGORITHM: "sha256"}


class ACS3(Scheme):
    """Signs `host`, `content-type`, every `x-acs-*` header, and the headers named.

    The documentation requires no other headers. The official clients sign every header, so that a proxy which rewrites
    `user-agent` breaks the call.

    Args:
        additional_headers: more headers to sign, if the request has them.
        algorithm: "ACS3-HMAC-SHA256"; "ACS3-HMAC-SM3" where regulations require Chinese cryptography; or
            "ACS3-RSA-SHA256" for a key pair (extra `rsa`). The access_key_id of a key pair is the ID of the public key,
            its access_key_secret the base64 of the private key (PKCS#8 or PKCS#1) in one line.

    Raises:
        SigningError: the algorithm is not known, or this Python does not support it.
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
            raise SigningError(f"ACS3 supports the algorithms {', '.join(_HASHES)}, not {algorithm!r}.")
        self.algorithm: str = algorithm
        self._hash = _HASHES[algorithm]
        self._signed = frozenset(
            {"host", "content-type", *lower_names("additional_headers", additional_headers)} - {"authorization"}
        )
        new_hash(self._hash)

    def sign(
        self, request: Request, credentials: Signable, now: float, nonce: Callable[[], str], keys: SigningKeys
    ) -> Request:
        """The request with its `x-acs-*` headers and `Authorization: ACS3-HMAC-SHA256 …`."""
        headers, signed = self._sort_out(request, self.owned_headers)
        added = {"x-acs-date": Instant.at(now).iso, "x-acs-signature-nonce": nonce()}
        if "host" not in signed:
            added["host"] = request.host
        if not request.body and self._hash == "sha256":
            added["x-acs-content-sha256"] = EMPTY_SHA256
        else:
            added["x-acs-content-sha256"] = hex_digest(request.body, self._hash)
        access_key_id = credentials.access_key_id
        if credentials.security_token:
            added["x-acs-accesskey-id"] = access_key_id
            added["x-acs-security-token"] = credentials.security_token
        signed |= added
        headers += added.items()
        names, canonical = _canonical(request, signed)
        string = f"{self.algorithm}\n{hex_digest(to_bytes(canonical), self._hash)}"
        secret = credentials.access_key_secret
        key = keys.rsa(secret) if self.algorithm == RSA_ALGORITHM else keys.of_secret(secret, self._hash)
        signature = key.hex(string)
        headers.append(
            (
                "Authorization",
                f"{self.algorithm} Credential={access_key_id},SignedHeaders={names},Signature={signature}",
            )
        )
        return request.with_headers(tuple(headers))

    def string_to_sign(self, signed: Request) -> str:
        """The algorithm and the hash of the canonical request."""
        return f"{self.algorithm}\n{hex_digest(to_bytes(self.canonical_request(signed)), self._hash)}"

    def canonical_request(self, signed: Request) -> str:
        """The canonical request of a signed request."""
        return _canonical(signed, self._sort_out(signed, frozenset())[1])[1]

    def _sort_out(self, request: Request, owned: frozenset[str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """The headers to keep, and those of them to sign, by lower-case name."""
        stay: list[tuple[str, str]] = []
        signed: dict[str, str] = {}
        wanted = self._signed
        for lower, pair in request.lowered():
            if lower in owned:
                continue
            stay.append(pair)
            if lower in wanted or lower.startswith("x-acs-"):
                signed[lower] = f"{signed[lower]},{pair[1]}" if lower in signed else pair[1]
        return stay, signed

    def __repr__(self) -> str:
        return (
            f"ACS3(additional_headers={sorted(self._signed - {'host', 'content-type'})}, algorithm={self.algorithm!r})"
        )


@functools.lru_cache(maxsize=256)
def _ordered(names: tuple[str, ...]) -> tuple[list[str], str]:
    """The names sorted, and joined; a program signs the same few sets of headers again and again."""
    ordered = sorted(names)
    return ordered, ";".join(ordered)


def _canonical(request: Request, signed: dict[str, str]) -> tuple[str, str]:
    """Names of the signed headers, and the canonical request."""
    names, joined = _ordered(tuple(signed))
    lines = "\n".join([f"{name}:{signed[name]}" for name in names])
    query = canonical_query(request.query, equals_when_empty=True, sort_encoded=False)
    payload = signed["x-acs-content-sha256"]
    return joined, f"{request.method}\n{request.path}\n{query}\n{lines}\n\n{joined}\n{payload}"
