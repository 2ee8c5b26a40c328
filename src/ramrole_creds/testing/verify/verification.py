"""The checks that all schemes share, on one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import Claim
from ramrole_creds.testing.verify.canonical import header_map, query_pairs, same
from ramrole_creds.testing.verify.error_catalogs import ErrorSpec
from ramrole_creds.testing.verify.result import Accepted, Extra, KeyDirectory, Rejected
from ramrole_creds.testing.verify.times import http_time, utc_text

if TYPE_CHECKING:
    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.error_catalogs import ErrorCatalog
    from ramrole_creds.testing.verify.nonces import NonceMemory

CLOCK_TOLERANCE_SECONDS = 15 * 60
MAX_PRESIGN_SECONDS = 7 * 24 * 3600
_MAX_UNIX_SECONDS = 253402300799


@dataclass(frozen=True, slots=True)
class Shown:
    """What an error document repeats of the request and of the verifier's own work."""

    access_key_id: str | None = None
    string_to_sign: str | None = None
    canonical_request: str | None = None
    signature_provided: str | None = None


class VerificationFailed(Exception):
    """Ends a verification with the service's error."""

    def __init__(self, error: ErrorSpec, *, extra: Extra = (), shown: Shown = Shown()) -> None:
        super().__init__(error.code)
        self.error = error
        self.extra = extra
        self.shown = shown

    def verdict(self, scheme: str) -> Rejected:
        """The refusal as the result of a verification."""
        error, shown = self.error, self.shown
        return Rejected(
            scheme,
            error.code,
            error.status,
            error.message,
            access_key_id=shown.access_key_id,
            string_to_sign=shown.string_to_sign,
            canonical_request=shown.canonical_request,
            signature_provided=shown.signature_provided,
            ec=error.ec,
            extra=self.extra,
        )


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

    def claim(self, kind: str) -> Claim:
        """Key and signature of `Authorization: <kind> <id>:<signature>`."""
        word, _, claim = self.headers.get("authorization", "").partition(" ")
        access_key_id, colon, signature = claim.strip().rpartition(":")
        if word != kind or not colon or not access_key_id:
            raise VerificationFailed(self.catalog.malformed)
        return Claim(access_key_id, signature)

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

    def issued(self, access_key_id: str, token: str | None) -> IssuedCredentials:
        """What belongs to the key, once the token is the one issued with it and has not expired."""
        issued = self.issuer.lookup(access_key_id)
        error = self._key_error(issued, token)
        if issued is None or error is not None:
            raise VerificationFailed(error or self.catalog.unknown_key, shown=Shown(access_key_id))
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
        claim: Claim,
        issued: IssuedCredentials,
        mac: Callable[[str], str],
        strings_to_sign: str | Iterable[str],
        region: str | None = None,
    ) -> Accepted:
        """Accept a request whose signature is that of one of the strings; otherwise show what the first is.

        Args:
            claim: key and signature.
            issued: what belongs to the key.
            mac: the signature of a string.
            strings_to_sign: the forms in use; a mapping gives the canonical request of each as well.
            region: of the credential scope.
        """
        candidates = [strings_to_sign] if isinstance(strings_to_sign, str) else list(strings_to_sign)
        matching = first_match(candidates, mac, claim.signature)
        if matching is not None:
            return Accepted(self.scheme, claim.access_key_id, issued, region)
        text, mismatch = readable(candidates[0]), self.catalog.mismatch
        canonical = strings_to_sign[candidates[0]] if isinstance(strings_to_sign, Mapping) else None
        raise VerificationFailed(
            replace(mismatch, message=mismatch.message.replace("{string_to_sign}", text)),
            shown=Shown(
                claim.access_key_id,
                string_to_sign=text,
                canonical_request=None if canonical is None else readable(canonical),
                signature_provided=readable(claim.signature),
            ),
        )

    def require_new_nonce(self, access_key_id: str, nonce: str) -> None:
        """Refuse a nonce that the key used in the last 15 minutes."""
        if not self.nonces.admit(access_key_id, nonce, self.now):
            raise refused("SignatureNonceUsed", 400, "Specified signature nonce was used already.")


def first_match(candidates: Iterable[str], mac: Callable[[str], str], signature: str) -> str | None:
    """The first candidate whose MAC is the signature; None where there is none."""
    return next((each for each in candidates if same(mac(each), signature)), None)


def readable(text: str) -> str:
    """`text` fit for an error document: bytes that are not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
