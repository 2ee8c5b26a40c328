"""OSS signature V4, in the Authorization header or in the URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.canonical import (
    derived_key,
    encode,
    header_lines,
    header_map,
    hmac_sha256,
    query_pairs,
    sha256_hex,
    to_bytes,
)
from ramrole_creds.testing.verify.error_catalogs import OSS, ErrorSpec
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v1 import expired
from ramrole_creds.testing.verify.verification import (
    CLOCK_TOLERANCE_SECONDS,
    Verification,
    VerificationFailed,
    compact_time,
    run_verification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.server.messages import WireRequest
    from ramrole_creds.testing.verify.nonces import NonceMemory
    from ramrole_creds.testing.verify.result import Accepted, KeyDirectory, VerificationResult

ALGORITHM = "OSS4-HMAC-SHA256"
TERMINATOR = "aliyun_v4_request"
PRODUCTS = ("oss", "oss-cloudbox")
MAX_PRESIGN_SECONDS = 7 * 24 * 3600
UNSIGNED = "UNSIGNED-PAYLOAD"


def verify_oss_v4(request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory) -> VerificationResult:
    """Judge `Authorization: OSS4-HMAC-SHA256 …`."""
    return run_verification(Verification("oss_v4", OSS, request, issuer, now, nonces), _verify_header)


def verify_oss_v4_url(
    request: WireRequest, issuer: KeyDirectory, now: float, nonces: NonceMemory
) -> VerificationResult:
    """Judge a URL with `x-oss-signature-version=OSS4-HMAC-SHA256`."""
    return run_verification(Verification("oss_v4_url", OSS, request, issuer, now, nonces), _verify_url)


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential of a V4 signature: whose key, derived for which day, region and product."""

    access_key_id: str
    day: str
    region: str
    product: str

    @property
    def text(self) -> str:
        """The scope as it stands in the string to sign."""
        return f"{self.day}/{self.region}/{self.product}/{TERMINATOR}"


def parse_scope(credential: str, date: str) -> Scope:
    """Read `<id>/<day>/<region>/<product>/aliyun_v4_request`, and hold it to the day of `date`."""
    parts = credential.split("/")
    if len(parts) != 5 or not parts[0] or parts[4] != TERMINATOR:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "The credential of the signature is malformed.", "0002-00000223")
        )
    scope = Scope(*parts[:4])
    if scope.product not in PRODUCTS:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "Invalid signing product in the credential.", "0002-00000225")
        )
    if scope.day != date[:8]:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "Invalid signing date in the credential.", "0002-00000224")
        )
    return scope


def signing_key(scope: Scope, secret: str) -> bytes:
    """The key derived for the scope."""
    return derived_key("aliyun_v4", secret, scope.day, scope.region, scope.product, TERMINATOR)


def _verify_header(check: Verification) -> Accepted:
    headers = header_map(check.request)
    claim = dict(
        re.findall(r"([A-Za-z]+)=([^,]*?)\s*(?:,|$)", headers.get("authorization", "").removeprefix(ALGORITHM))
    )
    if not claim.get("Credential") or not claim.get("Signature"):
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "Authorization header is invalid.", "0002-00000102"))
    date = headers.get("x-oss-date", "")
    when = compact_time(date)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "x-oss-date is missing or not YYYYMMDDThhmmssZ.", "0002-00000501")
        )
    payload = headers.get("x-oss-content-sha256")
    if not payload:
        raise VerificationFailed(ErrorSpec("InvalidArgument", 400, "x-oss-content-sha256 is missing.", "0002-00000106"))
    if payload not in (UNSIGNED, sha256_hex(check.request.body)):
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "x-oss-content-sha256 is not UNSIGNED-PAYLOAD.", "0002-00000107")
        )
    scope = parse_scope(claim["Credential"], date)
    check.require_clock(when)
    names = _additional_names(claim.get("AdditionalHeaders"), headers)
    issued = check.issued(scope.access_key_id, headers.get("x-oss-security-token"))
    canonical = _canonical_request(check.request, headers, names, payload)
    string_to_sign = "\n".join((ALGORITHM, date, scope.text, sha256_hex(to_bytes(canonical))))
    ours = hmac_sha256(signing_key(scope, issued.access_key_secret), string_to_sign).hex()
    check.require_signature(ours, claim["Signature"], scope.access_key_id, string_to_sign, canonical)
    return check.accept(scope.access_key_id, issued, scope.region)


def _verify_url(check: Verification) -> Accepted:
    query = {name: value or "" for name, value in query_pairs(check.request.query_string)}
    for name in ("x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"):
        if not query.get(name):
            raise VerificationFailed(
                ErrorSpec("InvalidArgument", 400, f"The query parameter {name} is missing.", "0002-00000221")
            )
    date = query["x-oss-date"]
    when = compact_time(date)
    if when is None:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "x-oss-date is not YYYYMMDDThhmmssZ.", "0002-00000222")
        )
    scope = parse_scope(query["x-oss-credential"], date)
    _require_life(check, when, query["x-oss-expires"])
    headers = header_map(check.request)
    names = _additional_names(query.get("x-oss-additional-headers"), headers)
    issued = check.issued(scope.access_key_id, query.get("x-oss-security-token"))
    canonical = _canonical_request(check.request, headers, names, UNSIGNED)
    string_to_sign = "\n".join((ALGORITHM, date, scope.text, sha256_hex(to_bytes(canonical))))
    ours = hmac_sha256(signing_key(scope, issued.access_key_secret), string_to_sign).hex()
    check.require_signature(ours, query["x-oss-signature"], scope.access_key_id, string_to_sign, canonical)
    return check.accept(scope.access_key_id, issued, scope.region)


def _require_life(check: Verification, signed_at: float, expires: str) -> None:
    if not (expires.isascii() and expires.isdigit()) or not 1 <= int(expires) <= MAX_PRESIGN_SECONDS:
        raise VerificationFailed(
            ErrorSpec(
                "InvalidArgument", 400, f"x-oss-expires must be 1 to {MAX_PRESIGN_SECONDS} seconds.", "0002-00000232"
            )
        )
    if signed_at > check.now + CLOCK_TOLERANCE_SECONDS:
        raise VerificationFailed(ErrorSpec("AccessDenied", 403, "Request is not yet valid.", "0002-00000235"))
    if check.now > signed_at + int(expires):
        raise expired(signed_at + int(expires), check.now)


def _additional_names(listed: str | None, headers: Mapping[str, str]) -> tuple[str, ...]:
    if listed is None:
        return ()
    names = sorted({name.strip().lower() for name in listed.split(";")})
    if names == [""]:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, "The list of additional headers is empty.", "0002-00000209")
        )
    absent = [name for name in names if name not in headers or "_" in name]
    if absent:
        raise VerificationFailed(
            ErrorSpec("InvalidArgument", 400, f"Additional headers are not in the request: {absent}.", "0002-00000112")
        )
    return tuple(names)


def _canonical_request(
    request: WireRequest, headers: Mapping[str, str], additional: tuple[str, ...], payload: str
) -> str:
    signed = [
        name
        for name in headers
        if name in ("content-type", "content-md5") or name.startswith("x-oss-") or name in additional
    ]
    return "\n".join(
        (
            request.method,
            encode(oss_address(request).resource, keep="/"),
            _canonical_query(request.query_string),
            header_lines(headers, signed),
            ";".join(additional),
            payload,
        )
    )


def _canonical_query(query: str) -> str:
    pairs = sorted(
        (encode(name), encode(value or "")) for name, value in query_pairs(query) if name != "x-oss-signature"
    )
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)
