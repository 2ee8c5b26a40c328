"""The checks that all schemes share, on one request, and the results that they end in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ramrole_creds.testing.verify.authorization import Scope, authorization_fields
from ramrole_creds.testing.verify.canonical import (
    Mac,
    header_lines,
    header_map,
    hex_mac,
    query_pairs,
    same,
    sha256_hex,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import ErrorCatalog, ErrorSpec
from ramrole_creds.testing.verify.times import http_time, utc_text

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory

CLOCK_TOLERANCE_SECONDS = 15 * 60
MAX_PRESIGN_SECONDS = 7 * 24 * 3600
_MAX_UNIX_SECONDS = 253402300799

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


class VerificationFailed(Exception):
    """Ends a verification with the service's error, of which `extra` are further fields.

    `shown` is what the document repeats of the request and of the verifier's own work, as `Rejected` names it.
    """

    def __init__(self, error: ErrorSpec, *, extra: Extra = (), **shown: str | None) -> None:
        super().__init__(error.code)
        self._error = error
        self._extra = extra
        self._shown = shown

    def rejection(self, scheme: str) -> Rejected:
        """The refusal as the result of a verification."""
        error = self._error
        return Rejected(scheme, error.code, error.status, error.message, ec=error.ec, extra=self._extra, **self._shown)


def refused(code: str, status: int, message: str, ec: str | None = None) -> VerificationFailed:
    """A refusal that only one scheme has."""
    return VerificationFailed(ErrorSpec(code, status, message, ec))


@dataclass(frozen=True)
class Verification:
    """A request, the keys it is checked against, and the moment it arrived."""

    scheme: str
    catalog: ErrorCatalog
    request: WireRequest
    issuer: KeyDirectory
    now: float
    nonces: NonceMemory

    @cached_property
    def headers(self) -> dict[str, str]:
        """Stripped header values by lower-case name, repeated ones joined with commas."""
        return header_map(self.request)

    @cached_property
    def query(self) -> dict[str, str]:
        """The decoded parameters of the URL."""
        return {name: value or "" for name, value in query_pairs(self.request.query_string)}

    def claim(self, kind: str) -> tuple[str, str]:
        """Key ID and signature of `Authorization: <kind> <id>:<signature>`."""
        word, _, claim = self.headers.get("authorization", "").partition(" ")
        access_key_id, colon, signature = claim.strip().rpartition(":")
        if word != kind or not colon or not access_key_id:
            raise VerificationFailed(self.catalog.malformed)
        return access_key_id, signature

    def fields(self, algorithm: str) -> dict[str, str]:
        """The fields of `Authorization: <algorithm> Credential=…, SignedHeaders=…, Signature=…`."""
        return authorization_fields(self.headers.get("authorization", "").removeprefix(algorithm))

    def scoped_claim(self, algorithm: str, product: str) -> tuple[Scope, str]:
        """Scope and signature of an Authorization header of the V4 family."""
        fields = self.fields(algorithm)
        scope, signature = Scope.parse(fields.get("Credential", "")), fields.get("Signature")
        if scope is None or scope.product != product or not signature:
            raise VerificationFailed(self.catalog.malformed)
        return scope, signature

    def header_lines(self, prefix: str) -> str:
        """The lines of the service's own headers, which begin with `prefix`."""
        return header_lines(self.headers, (name for name in self.headers if name.startswith(prefix)))

    def plain_text(self, date: str, lines: str, resource: str) -> str:
        """What the schemes without a hash sign: method, digest, type and date, own headers and resource."""
        described = (self.headers.get("content-md5", ""), self.headers.get("content-type", ""))
        return "\n".join((self.request.method, *described, date, lines + resource))

    def require_date(self, *names: str) -> str:
        """The first of these headers that has a value: an RFC 1123 date at most 15 minutes off."""
        text = next((self.headers[name] for name in names if self.headers.get(name)), None)
        if text is None:
            raise VerificationFailed(self.catalog.missing_date)
        self.require_clock(http_time(text, self.catalog.zones))
        return text

    def require_clock(self, when: float | None) -> None:
        """Refuse a signing time that could not be read, or is more than 15 minutes off."""
        if when is None:
            raise VerificationFailed(self.catalog.bad_date)
        if abs(when - self.now) > CLOCK_TOLERANCE_SECONDS:
            raise VerificationFailed(self.catalog.skewed)

    def require_unexpired(self, ends: float) -> None:
        """Refuse a URL whose time has passed."""
        if self.now > ends:
            ends = min(ends, _MAX_UNIX_SECONDS)
            raise VerificationFailed(
                self.catalog.expired_url, extra=(("Expires", utc_text(ends)), ("ServerTime", utc_text(self.now)))
            )

    def require_presigned(self, signed_at: float, seconds: float) -> None:
        """Refuse a URL before it was signed, apart from the tolerance of clocks, and after so many seconds."""
        if signed_at > self.now + CLOCK_TOLERANCE_SECONDS:
            raise VerificationFailed(self.catalog.early_url)
        self.require_unexpired(signed_at + seconds)

    def issued(self, access_key_id: str, token: str | None) -> IssuedCredentials:
        """What belongs to the key, once the token is the one issued with it and has not expired."""
        issued = self.issuer.lookup(access_key_id)
        error = self._key_error(issued, token)
        if issued is None or error is not None:
            raise VerificationFailed(error or self.catalog.unknown_key, access_key_id=access_key_id)
        return issued

    def _key_error(self, issued: IssuedCredentials | None, token: str | None) -> ErrorSpec | None:
        if issued is None:
            return self.catalog.unknown_key
        if issued.security_token and not token:
            return self.catalog.missing_token
        if not same(issued.security_token or "", token or ""):
            return self.catalog.wrong_token
        return self.catalog.expired_token if issued.is_expired(self.now) else None

    def conclude(
        self,
        issued: IssuedCredentials,
        signature: str,
        mac: Mac,
        strings_to_sign: str | Iterable[str],
        region: str | None = None,
    ) -> Accepted:
        """Accept a request whose signature is that of one of the strings; otherwise show what the first is.

        Args:
            issued: what belongs to the key that signed.
            signature: as the request carries it.
            mac: the signature of a string.
            strings_to_sign: the forms in use; a mapping gives the canonical request of each as well.
            region: of the credential scope.
        """
        candidates = [strings_to_sign] if isinstance(strings_to_sign, str) else list(strings_to_sign)
        if any(same(mac(each), signature) for each in candidates):
            return Accepted(self.scheme, issued.access_key_id, issued, region)
        text, mismatch = readable(candidates[0]), self.catalog.mismatch
        canonical = strings_to_sign[candidates[0]] if isinstance(strings_to_sign, Mapping) else None
        raise VerificationFailed(
            replace(mismatch, message=mismatch.message.replace("{string_to_sign}", text)),
            access_key_id=issued.access_key_id,
            string_to_sign=text,
            canonical_request=None if canonical is None else readable(canonical),
            signature_provided=readable(signature),
        )

    def conclude_v4(
        self, scope: Scope, token: str | None, signature: str, head: str, canonical_requests: Iterable[str]
    ) -> Accepted:
        """Accept a request of the V4 family, which signs `head`, the scope and the hash of a canonical request."""
        issued = self.issued(scope.access_key_id, token)
        strings_to_sign = {f"{head}\n{scope.text}\n{sha256_hex(to_bytes(each))}": each for each in canonical_requests}
        mac = hex_mac(scope.key(issued.access_key_secret))
        return self.conclude(issued, signature, mac, strings_to_sign, scope.region)

    def require_new_nonce(self, access_key_id: str, nonce: str) -> None:
        """Refuse a nonce that the key used in the last 15 minutes."""
        if not self.nonces.admit(access_key_id, nonce, self.now):
            raise refused("SignatureNonceUsed", 400, "Specified signature nonce was used already.")


def readable(text: str) -> str:
    """`text` fit for an error document: bytes that are not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
