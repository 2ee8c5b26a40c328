"""One request before the judge: the steps that every scheme has in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import same
from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, Rejected, VerificationResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.testing.account.credential_store import IssuedCredentials
    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.error_catalogs import ErrorCatalog, ErrorSpec
    from ramrole_creds.testing.verify.nonces import NonceMemory

CLOCK_TOLERANCE_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Shown:
    """What an error body repeats of the request and of the verifier's own work."""

    access_key_id: str | None
    string_to_sign: str | None = None
    canonical_request: str | None = None
    signature_provided: str | None = None


class VerificationFailed(Exception):
    """Ends a verification; `run_verification` turns it into the verdict."""

    def __init__(
        self, reason: ErrorSpec, *, extra: tuple[tuple[str, str], ...] = (), shown: Shown | None = None
    ) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.extra = extra
        self.shown = shown


@dataclass(frozen=True, slots=True)
class Verification:
    """A request, the keys it is checked against, and the moment it arrived."""

    scheme: str
    catalog: ErrorCatalog
    request: WireRequest
    issuer: KeyDirectory
    now: float
    nonces: NonceMemory

    def require_clock(self, when: float) -> None:
        """Refuse a signing time more than 15 minutes off."""
        if abs(when - self.now) > CLOCK_TOLERANCE_SECONDS:
            raise VerificationFailed(self.catalog.skewed)

    def issued(self, access_key_id: str, token: str | None) -> IssuedCredentials:
        """What belongs to the key, once the token is the one issued with it and still lives."""
        issued = self.issuer.lookup(access_key_id)
        if issued is None:
            raise VerificationFailed(self.catalog.unknown_key, shown=Shown(access_key_id))
        if issued.security_token:
            if not token:
                raise VerificationFailed(self.catalog.missing_token, shown=Shown(access_key_id))
            if not same(issued.security_token, token):
                raise VerificationFailed(self.catalog.wrong_token, shown=Shown(access_key_id))
        elif token:
            raise VerificationFailed(self.catalog.wrong_token, shown=Shown(access_key_id))
        if issued.expires_at is not None and self.now >= issued.expires_at:
            raise VerificationFailed(self.catalog.expired_token, shown=Shown(access_key_id))
        return issued

    def require_signature(
        self, ours: str, theirs: str, access_key_id: str, string_to_sign: str, canonical_request: str | None = None
    ) -> None:
        """Refuse a signature other than ours, and show what ours was made of."""
        if not same(ours, theirs):
            text = readable(string_to_sign)
            reason = self.catalog.mismatch
            raise VerificationFailed(
                replace(reason, message=reason.message.replace("{string_to_sign}", text)),
                shown=Shown(
                    access_key_id,
                    string_to_sign=text,
                    canonical_request=None if canonical_request is None else readable(canonical_request),
                    signature_provided=readable(theirs),
                ),
            )

    def accept(self, access_key_id: str, issued: IssuedCredentials, region: str | None = None) -> Accepted:
        """The verdict of a request that passed every step."""
        return Accepted(self.scheme, access_key_id, issued, region)


def run_verification(check: Verification, verify: Callable[[Verification], Accepted]) -> VerificationResult:
    """Run the steps of a scheme; a refusal on the way is its verdict."""
    try:
        return verify(check)
    except VerificationFailed as refused:
        reason, shown = refused.reason, refused.shown or Shown(None)
        return Rejected(
            check.scheme,
            reason.code,
            reason.status,
            reason.message,
            access_key_id=shown.access_key_id,
            string_to_sign=shown.string_to_sign,
            canonical_request=shown.canonical_request,
            signature_provided=shown.signature_provided,
            ec=reason.ec,
            extra=refused.extra,
        )


def iso_time(text: str) -> float | None:
    """Unix time of `YYYY-MM-DDThh:mm:ssZ`, a fraction allowed; None where it is something else."""
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        moment = _strptime(text, form)
        if moment is not None:
            return moment
    return None


def compact_time(text: str) -> float | None:
    """Unix time of `YYYYMMDDThhmmssZ`; None where it is something else."""
    return _strptime(text, "%Y%m%dT%H%M%SZ") if len(text) == len("YYYYMMDDThhmmssZ") else None


def http_time(text: str) -> float | None:
    """Unix time of an RFC 1123 date in GMT; None where it is something else."""
    if not text.endswith("GMT"):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=timezone.utc).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def utc_text(moment: float) -> str:
    """`YYYY-MM-DDThh:mm:ss.000Z`, as OSS writes times."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def readable(text: str) -> str:
    """`text` fit for an error body: bytes that are not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _strptime(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None
