"""OSS signature V4, in the Authorization header or in the URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.testing.verify.authorization import TERMINATOR, Scope
from ramrole_creds.testing.verify.canonical import decimal, encode, encoded_query, header_lines, sha256_hex
from ramrole_creds.testing.verify.error_catalogs import OSS
from ramrole_creds.testing.verify.oss_address import oss_address
from ramrole_creds.testing.verify.oss_v1 import SUB_RESOURCES
from ramrole_creds.testing.verify.registry import scheme
from ramrole_creds.testing.verify.times import compact_time, http_time, utc_text
from ramrole_creds.testing.verify.verification import (
    MAX_PRESIGN_SECONDS,
    Accepted,
    Verification,
    VerificationFailed,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ramrole_creds.testing.server.messages import WireRequest

ALGORITHM = "OSS4-HMAC-SHA256"
PRODUCTS = ("oss", "oss-cloudbox")
UNSIGNED = "UNSIGNED-PAYLOAD"


def parse_scope(credential: str, day: str, terminator: str = TERMINATOR, products: Collection[str] = PRODUCTS) -> Scope:
    """Read `<id>/<day>/<region>/<product>/<terminator>`, which must be of this day and one of these products."""
    scope = Scope.parse(credential, terminator)
    if scope is None:
        raise refused("InvalidArgument", 400, "The credential of the signature is malformed.", "0002-00000223")
    if scope.product not in products:
        raise refused("InvalidArgument", 400, "Invalid signing product in the credential.", "0002-00000225")
    if scope.day != day:
        raise refused("InvalidArgument", 400, "Invalid signing date in the credential.", "0002-00000224")
    return scope


def _in_url(request: WireRequest) -> bool:
    return any(name in request.query_string for name in ("x-oss-signature-version=", "x-oss-signature="))


@scheme("oss_v4", OSS, prefix=ALGORITHM)
def oss_v4(check: Verification) -> Accepted:
    """`Authorization: OSS4-HMAC-SHA256 …`."""
    headers = check.headers
    fields = check.fields(ALGORITHM)
    if not fields.get("Credential") or not fields.get("Signature"):
        raise VerificationFailed(check.catalog.malformed)
    date, when = _signing_time(check)
    payload = headers.get("x-oss-content-sha256")
    if not payload:
        raise refused("InvalidArgument", 400, "x-oss-content-sha256 is missing.", "0002-00000106")
    if payload not in (UNSIGNED, sha256_hex(check.request.body)):
        raise refused("InvalidArgument", 400, "x-oss-content-sha256 is not UNSIGNED-PAYLOAD.", "0002-00000107")
    scope = parse_scope(fields["Credential"], utc_text(when)[:10].replace("-", ""))
    check.require_clock(when)
    names = _additional_names(fields.get("AdditionalHeaders"), headers)
    canonical = _canonical_requests(check, names, payload)
    token = headers.get("x-oss-security-token")
    return check.conclude_v4(scope, token, fields["Signature"], f"{ALGORITHM}\n{date}", canonical)


@scheme("oss_v4_url", OSS, when=_in_url)
def oss_v4_url(check: Verification) -> Accepted:
    """A URL with `x-oss-signature-version=OSS4-HMAC-SHA256`."""
    query = check.query
    for name in ("x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"):
        if not query.get(name):
            raise refused("InvalidArgument", 400, f"The query parameter {name} is missing.", "0002-00000221")
    date = query["x-oss-date"]
    when = compact_time(date)
    if when is None:
        raise refused("InvalidArgument", 400, "x-oss-date is not YYYYMMDDThhmmssZ.", "0002-00000222")
    scope = parse_scope(query["x-oss-credential"], date[:8])
    _require_life(check, when, query["x-oss-expires"])
    names = _additional_names(query.get("x-oss-additional-headers"), check.headers)
    canonical = _canonical_requests(check, names, UNSIGNED)
    token = query.get("x-oss-security-token")
    return check.conclude_v4(scope, token, query["x-oss-signature"], f"{ALGORITHM}\n{date}", canonical)


def _signing_time(check: Verification) -> tuple[str, float]:
    """The time that was signed, as written: of `x-oss-date`, else of `Date`, which version 1 of the Go SDK signs."""
    date, old = check.headers.get("x-oss-date"), check.headers.get("date", "")
    when = http_time(old, check.catalog.zones) if date is None else compact_time(date)
    if when is None:
        message = "x-oss-date is not YYYYMMDDThhmmssZ, or there is neither it nor a valid Date."
        raise refused("InvalidArgument", 400, message, "0002-00000501")
    return (old if date is None else date), when


def _require_life(check: Verification, signed_at: float, text: str) -> None:
    seconds = decimal(text)
    if seconds is None or not 1 <= seconds <= MAX_PRESIGN_SECONDS:
        message = f"x-oss-expires must be 1 to {MAX_PRESIGN_SECONDS} seconds."
        raise refused("InvalidArgument", 400, message, "0002-00000232")
    check.require_presigned(signed_at, seconds)


def _additional_names(listed: str | None, headers: Mapping[str, str]) -> tuple[str, ...]:
    if listed is None:
        return ()
    names = sorted({name.strip().lower() for name in listed.split(";")})
    if names == [""]:
        raise refused("InvalidArgument", 400, "The list of additional headers is empty.", "0002-00000209")
    absent = [name for name in names if name not in headers or "_" in name]
    if absent:
        message = f"Additional headers are not in the request: {absent}."
        raise refused("InvalidArgument", 400, message, "0002-00000112")
    return tuple(names)


def _canonical_requests(check: Verification, additional: tuple[str, ...], payload: str) -> Iterator[str]:
    """The forms in use: ali-oss keeps the `=` of an empty value, though not of a sub-resource."""
    signed = [
        name
        for name in check.headers
        if name in ("content-type", "content-md5") or name.startswith("x-oss-") or name in additional
    ]
    for bare in (None, SUB_RESOURCES, ()):
        yield "\n".join(
            (
                check.request.method,
                encode(oss_address(check.request).resource, keep="/"),
                encoded_query(check.request.query_string, without="x-oss-signature", bare=bare),
                header_lines(check.headers, signed),
                ";".join(additional),
                payload,
            )
        )
